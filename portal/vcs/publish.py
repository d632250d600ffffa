"""Publishes a folder as the first commit of a repository."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from portal.errors import ConflictError, SourceError
from portal.vcs.command import git
from portal.vcs.policy import RemotePolicy, without_credentials

_TRAILER = "Portal-Task"


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit is by."""

    name: str = "Portal"
    email: str = "portal@example.com"


def create_bare(path: Path, *, default_branch: str = "main") -> str:
    """Make a bare repository where there is none yet; return its url."""
    if not (path / "HEAD").is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        git("init", "--quiet", "--bare", "--template=", f"--initial-branch={default_branch}", str(path))
    return path.resolve().as_uri()


def push(
    workspace: Path,
    remote: str,
    *,
    policy: RemotePolicy,
    branch: str = "main",
    message: str = "initial commit",
    author: Author | None = None,
    task_id: str = "",
    token: str = "",
    trusted: bool = False,
) -> str:
    """Push the files of a folder as one commit to a branch that is not there yet; return the commit's id.

    Done twice for one task it adopts what the first time has pushed. A branch with anything else on it is not touched:
    `ConflictError`. What a template brought as `.git`, hooks included, is dropped.
    """
    url = policy.check(remote, trusted=trusted)
    who = author or Author()
    settings = _credentials(token)
    shutil.rmtree(workspace / ".git", ignore_errors=True)
    git("init", "--quiet", "--template=", f"--initial-branch={branch}", str(workspace))
    git("add", "--all", "--force", folder=workspace)
    full = f"{message}\n\n{_TRAILER}: {task_id}\n" if task_id else message
    identity = {
        "GIT_AUTHOR_NAME": who.name,
        "GIT_AUTHOR_EMAIL": who.email,
        "GIT_COMMITTER_NAME": who.name,
        "GIT_COMMITTER_EMAIL": who.email,
    }
    commit = ("commit", "--quiet", "--allow-empty", "--no-verify", "--no-gpg-sign", "--file=-")
    git(*commit, folder=workspace, stdin=full.encode(), environment=identity)
    existing = git("ls-remote", "--", url, f"refs/heads/{branch}", remote=remote, settings=settings).split()
    if existing:
        return _adopted(workspace, url, existing[0].decode(), remote=remote, settings=settings)
    try:
        git(
            "push",
            "--quiet",
            "--",
            url,
            f"HEAD:refs/heads/{branch}",
            folder=workspace,
            remote=remote,
            settings=settings,
        )
    except SourceError as error:
        raise type(error)(f"pushing to {without_credentials(remote)} failed: {error.message}", error.target) from error
    return git("rev-parse", "HEAD", folder=workspace).decode().strip()


def _adopted(workspace: Path, url: str, commit: str, *, remote: str, settings: Mapping[str, str]) -> str:
    """Return the commit on the remote when it is this very task's, with the same files and message."""
    git("fetch", "--quiet", "--no-tags", "--", url, commit, folder=workspace, remote=remote, settings=settings)
    form = "--format=%T%n%B"
    theirs = git("log", "-1", form, commit, folder=workspace)
    ours = git("log", "-1", form, "HEAD", folder=workspace)
    if theirs != ours or f"{_TRAILER}: ".encode() not in theirs:
        raise ConflictError(f"{without_credentials(remote)} already holds something else; nothing was pushed")
    return commit


def _credentials(token: str) -> dict[str, str]:
    return {"http.extraHeader": f"Authorization: Bearer {token}"} if token else {}
