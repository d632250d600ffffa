"""Pushes what a task has made to a git remote, patient with a host that does not know its new repository yet."""

from __future__ import annotations

import re
from pathlib import Path

from portal.actions.contract import ActionContext
from portal.errors import ActionError, InputError, SourceError, TaskCancelledError
from portal.model.secret import Secret
from portal.vcs.policy import RemotePolicy
from portal.vcs.publish import Author, push

_BRANCH = re.compile(r"(?!-)(?!.*(\.\.|//|@\{|\.lock$|/$|\.$))[A-Za-z0-9_./-]+", re.ASCII)
#: What is said where waiting helps nobody.
_LASTING = re.compile(r"auth|permission|forbidden|denied|40[13]|rejected|refus(?:ed|ing) to", re.IGNORECASE)
_PAUSES_SECONDS = (2.0, 4.0, 8.0)


def source_folder(context: ActionContext, relative: str, *, action_id: str) -> Path:
    """Return the folder of the workspace that is to be published. Raises `ActionError` where it holds no files."""
    found = context.workspace.resolve(relative)
    if not found.is_dir() or not any(found.iterdir()):
        raise ActionError(f'{action_id}: "{relative or "."}" holds no files; fetch or write some first')
    return found


def checked_branch(branch: str, *, action_id: str) -> str:
    """Return the name of a branch. Raises `InputError` for what is none."""
    if not _BRANCH.fullmatch(branch):
        raise InputError(f'{action_id}: found branch "{branch}"; expected a branch name such as "main"')
    return branch


def author_of(name: str | None, email: str | None) -> Author:
    """Return who a commit is by: who a step names, else Portal. Raises `InputError` for what git cannot write."""
    default = Author()
    found = Author(name or default.name, email or default.email)
    if any(sign in f"{found.name}{found.email}" for sign in "\0\r\n<>"):
        raise InputError('The author of a commit must not hold "<", ">", line ends or NUL')
    return found


def push_patiently(
    context: ActionContext,
    source: Path,
    remote: str,
    *,
    policy: RemotePolicy,
    branch: str,
    message: str,
    author: Author,
    token: Secret,
    is_made: bool,
) -> str:
    """Push a folder as the first commit of a host's repository, and return the commit's id.

    A repository that the task has not made itself (`is_made`) must have the commit already. Raises as
    `portal.vcs.publish.push`, at last: a host that has just made a repository may not let it be pushed to at once.
    """
    for pause in (*_PAUSES_SECONDS, None):
        try:
            return push(
                source,
                remote,
                policy=policy,
                branch=branch,
                message=message,
                author=author,
                task_id=context.task_id,
                token=token.reveal(),
                may_begin=is_made,
            )
        except SourceError as error:
            if pause is None or not is_made or _LASTING.search(error.message.replace(remote.removesuffix(".git"), "")):
                raise
            context.log(f"{error.message}; trying again in {pause:g} s")
            if context.cancelled(pause):
                raise TaskCancelledError("The step ended before anything was pushed: the task was cancelled") from error
    raise AssertionError("the last round returns or raises")
