"""Publishes a folder as the first commit of a branch."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from portal.errors import ConflictError, InputError, PortalError, SourceError
from portal.vcs.command import GitFailureError, Remote, open_remote, run
from portal.vcs.heads import ask
from portal.vcs.policy import RemotePolicy

_TRAILER = "Portal-Task"
_ANSWER_SECONDS = 60.0
_TRANSFER_SECONDS = 900.0
#: How far back on a branch the commit of a task is looked for: others may have built on it since.
_ADOPTED_COMMITS = 20
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--recurse-submodules=no")
#: What git says where the branch is there already.
TAKEN = ("stale info", "already exists", "fetch first", "non-fast-forward", "cannot lock ref", "[rejected]")


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit is by."""

    name: str = "Portal"
    email: str = "portal@example.com"


def create_bare(path: Path, *, default_branch: str = "main") -> str:
    """Make a bare repository where there is none yet, and return its url.

    Raises `ConflictError` where something else is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        if not _is_repository(path):
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                raise ConflictError(f"{path} exists and is no git repository; remove it or choose another name")
            _check_branch(default_branch, path)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".staging-") as staging:
                made = Path(staging) / "made.git"
                run(
                    ["init", "--quiet", "--bare", "--template=", f"--initial-branch={default_branch}", str(made)],
                    place=made,
                )
                # Mirrors of it then need no copy of what they do not read.
                run(["config", "--file", str(made / "config"), "uploadpack.allowFilter", "true"], place=made)
                if path.exists():
                    path.rmdir()
                made.rename(path)
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
    token: str | None = None,
    trusted: bool = False,
) -> str:
    """Push the files of a folder as one commit to a branch that is not there yet, and return the commit's id.

    The folder's `.gitignore` holds. Any `.git` in it, hooks and all, is deleted; none is left behind. Done again for
    one `task_id` it adopts the commit that the first run pushed, known by its files, its message and a trailer. Raises
    `ConflictError` where the branch has anything else, and then touches nothing; `SourceError` where the remote does
    not answer or accept; what `RemotePolicy.check` raises. A `token` is sent to http and https remotes only.
    """
    opened = open_remote(policy, remote, trusted=trusted, token=token)
    if "\0" in message or not re.fullmatch(r"[^\s\x00-\x1f]*", task_id):
        raise InputError("A commit message must not hold NUL characters, nor a task id spaces or control characters")
    drop_repositories(workspace)
    full = f"{message.rstrip()}\n" + (f"\n{_TRAILER}: {task_id}\n" if task_id else "")
    # The repository lies outside the folder, where nothing that a template brought can reach its configuration.
    with tempfile.TemporaryDirectory(prefix="portal-publish-") as outside:
        place = Path(outside) / "publish.git"
        run(["init", "--quiet", "--bare", "--template=", str(place)], place=place)
        _check_branch(branch, place)
        tree = tree_of(place, workspace)
        adopted = _adopted(place, opened, branch=branch, tree=tree, message=full)
        if adopted:
            return adopted
        commit = commit_tree(place, tree, message=full, author=author or Author())
        try:
            push_new(place, opened, commit, branch=branch)
        except GitFailureError as failure:
            if any(mark in failure.reason for mark in TAKEN):
                # Somebody was faster: this very task in another process, maybe.
                adopted = _adopted(place, opened, branch=branch, tree=tree, message=full)
                if adopted:
                    return adopted
            raise SourceError(str(failure), opened.url) from failure
    return commit


def _adopted(place: Path, remote: Remote, *, branch: str, tree: str, message: str) -> str:
    """Return the commit of the same task on the remote's branch; empty where there is no such branch."""
    name = f"refs/heads/{branch}"
    tip = ask(remote, branches={branch}, timeout_seconds=_ANSWER_SECONDS).commits.get(name)
    if tip is None:
        return ""
    if f"\n{_TRAILER}: " in message:
        depth = f"--depth={_ADOPTED_COMMITS}"
        run([*_FETCH, depth, "origin", tip], place=place, remote=remote, timeout_seconds=_TRANSFER_SECONDS)
        log = ["log", "-z", f"--max-count={_ADOPTED_COMMITS}", "--no-color", "--no-show-signature", "--encoding=UTF-8"]
        for record in run([*log, "--format=%H %T%n%B", tip, "--"], place=place).decode("utf-8", "replace").split("\0"):
            facts, _, text = record.partition("\n")
            commit, _, its_tree = facts.partition(" ")
            if its_tree == tree and text.rstrip() == message.rstrip():
                return commit
    raise ConflictError(
        f'{remote.url} already has a branch "{branch}" with other content; nothing was pushed. '
        "Choose another name, or remove the branch"
    )


def tree_of(place: Path, workspace: Path) -> str:
    """Return the tree of a folder, without what is ignored in it, in the repository at `place`."""
    # What git does with line ends, filters and ignored files is then said by the folder alone, not by the machine.
    there = {"GIT_WORK_TREE": str(workspace.absolute())}
    config = (("core.bare", "false"), ("core.safecrlf", "false"), ("core.fileMode", "true"))
    run(["add", "--all", "--", "."], place=place, folder=workspace, config=config, environment=there)
    return run(["write-tree"], place=place).decode("ascii").strip()


def commit_tree(place: Path, tree: str, *, message: str, author: Author, parent: str | None = None) -> str:
    """Return the id of a new commit of a tree in the repository at `place`."""
    # Plumbing signs nothing and asks no hook, whatever the machine's configuration says.
    who = {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.email,
        "GIT_COMMITTER_NAME": author.name,
        "GIT_COMMITTER_EMAIL": author.email,
    }
    made = run(
        ["commit-tree", tree, *(("-p", parent) if parent else ())], place=place, environment=who, stdin=message.encode()
    )
    return made.decode("ascii").strip()


def push_new(place: Path, remote: Remote, commit: str, *, branch: str) -> None:
    """Push a commit to a branch that is not there. Raises `GitFailureError` where it is, or the remote refuses."""
    name = f"refs/heads/{branch}"
    # The empty lease: only if the branch is not there.
    lease = f"--force-with-lease={name}:"
    run(
        [
            "push",
            "--quiet",
            "--no-verify",
            "--no-signed",
            "--recurse-submodules=no",
            lease,
            "origin",
            f"{commit}:{name}",
        ],
        place=place,
        remote=remote,
        timeout_seconds=_TRANSFER_SECONDS,
    )


def _check_branch(branch: str, place: Path) -> None:
    fault = InputError(f'"{branch}" is not a branch name; expected one such as "main"')
    if branch.startswith("-") or "\0" in branch:
        raise fault
    try:
        run(["check-ref-format", f"refs/heads/{branch}"], place=place)
    except GitFailureError:
        raise fault from None


def drop_repositories(workspace: Path) -> None:
    """Delete every `.git` in a folder, at any depth: git would take a folder with one for a submodule."""
    for folder, names, files in os.walk(workspace):
        for name in [name for name in (*names, *files) if name.lower() == ".git"]:
            found = Path(folder, name)
            if found.is_dir() and not found.is_symlink():
                shutil.rmtree(found)
            else:
                found.unlink()
        names[:] = [name for name in names if name.lower() != ".git"]


def _is_repository(path: Path) -> bool:
    if not (path / "HEAD").is_file():
        return False
    try:
        return run(["rev-parse", "--is-bare-repository"], place=path).strip() == b"true"
    except PortalError:
        return False
