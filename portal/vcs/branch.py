"""Pushes the files of a folder as one commit on top of a remote's branch."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from portal.errors import ConflictError, InputError, NotFoundError, SourceError
from portal.model.sentence import Sentence
from portal.vcs import objects
from portal.vcs.command import GitFailureError, Remote, open_remote, run
from portal.vcs.heads import ask
from portal.vcs.policy import RemotePolicy
from portal.vcs.publish import (
    TAKEN,
    Author,
    check_branch,
    commit_tree,
    drop_repositories,
    push_new,
    tree_of,
    with_task,
)

_ANSWER_SECONDS = 60.0
_TRANSFER_SECONDS = 900.0
_NONE = "0" * 40
_SHOWN = 5
#: A commit with its parent: whether that is what the task would have made is told by both.
_DEPTH = 2
_FETCH = (
    *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"),
    *("--recurse-submodules=no", f"--depth={_DEPTH}", "origin"),
)


@dataclass(frozen=True, slots=True)
class Changes:
    """What goes onto a branch: the files of `folder` below the path `below`, without those that are `deleted`.

    Paths are relative to the root of the repository, `deleted` ones too. The folder's `.gitignore` holds. With another
    `mode` than "put" the folder's files must not be there yet ("create"), must be ("update"), or are there and go
    ("delete").
    """

    folder: Path
    below: str = ""
    deleted: Sequence[str] = ()
    mode: str = "put"


@dataclass(frozen=True, slots=True)
class Pushed:
    """The commit that a branch stands at now; `changes` is whether its files differ from those before."""

    commit: str
    changes: bool


def push_changes(
    changes: Changes,
    remote: str,
    *,
    policy: RemotePolicy,
    base: str,
    branch: str,
    message: str,
    author: Author,
    task_id: str,
    token: str,
    update: bool = False,
    may_be_empty: bool = True,
) -> Pushed:
    """Push changes as one commit on `branch`, which begins at `base`, or goes on where it is there and to be updated.

    Done again for one `task_id` it finds its own commit at the end of the branch, and pushes nothing; nor does it for
    changes that are none, unless the commit `may_be_empty`. Raises `NotFoundError` where there is no base,
    `ConflictError` where the branch is there and not to be updated, or moves meanwhile; `SourceError` where the remote
    does not answer or accept; `InputError` for paths or names that git does not take; as `RemotePolicy.check`.
    """
    opened = open_remote(policy, remote, trusted=False, token=token)
    full = with_task(message, task_id)
    drop_repositories(changes.folder)
    with tempfile.TemporaryDirectory(prefix="portal-branch-") as outside:
        place = Path(outside) / "branch.git"
        run(["init", "--quiet", "--bare", "--template=", str(place)], place=place)
        check_branch(branch, place)
        try:
            return _pushed(
                place,
                opened,
                changes,
                base=base,
                branch=branch,
                message=full,
                author=author,
                update=update,
                may_be_empty=may_be_empty,
            )
        except GitFailureError as failure:
            if any(mark in failure.reason for mark in TAKEN):
                raise ConflictError(
                    Sentence(
                        '%(url)s: the branch "%(branch)s" moved meanwhile; nothing was pushed',
                        url=opened.url,
                        branch=branch,
                    )
                ) from failure
            raise SourceError(str(failure), opened.url) from failure


def _pushed(
    place: Path,
    remote: Remote,
    changes: Changes,
    *,
    base: str,
    branch: str,
    message: str,
    author: Author,
    update: bool,
    may_be_empty: bool,
) -> Pushed:
    shown = ask(remote, branches={base, branch}, timeout_seconds=_ANSWER_SECONDS).commits
    tip, start = shown.get(f"refs/heads/{branch}"), shown.get(f"refs/heads/{base}")
    if start is None:
        raise NotFoundError(Sentence('%(url)s has no branch "%(base)s" to start from', url=remote.url, base=base))
    ours = tree_of(place, changes.folder)
    parent = tip or start
    run([*_FETCH, parent], place=place, remote=remote, timeout_seconds=_TRANSFER_SECONDS)
    if tip is not None:
        before = _parent(place, tip)
        if (
            before
            and _message(place, tip) == message.rstrip()
            and _tree(place, tip) == _over(place, before, ours, changes)
        ):
            return Pushed(tip, changes=_tree(place, before) != _tree(place, tip))
        if not update:
            raise ConflictError(
                Sentence(
                    '%(url)s already has a branch "%(branch)s" that is not this task\'s; nothing was '
                    "pushed. Choose another name, or update it",
                    url=remote.url,
                    branch=branch,
                )
            )
    tree = _over(place, parent, ours, changes)
    is_changed = tree != _tree(place, parent)
    if not is_changed and (tip is not None or not may_be_empty):
        return Pushed(parent, changes=False)
    commit = commit_tree(place, tree, message=message, author=author, parent=parent)
    push_new(place, remote, commit, branch=branch, after=tip or "")
    return Pushed(commit, changes=is_changed)


def _over(place: Path, commit: str, ours: str, changes: Changes) -> str:
    """Return the tree of a commit with the changes over it: what was a file may become a folder, and the reverse."""
    run(["read-tree", commit], place=place)
    below = PurePosixPath(changes.below.strip("/"))
    files = {str(below / entry.path): entry for entry in objects.entries(place, ours).values()}
    if changes.mode != "put":
        _check(changes.mode, files, there=objects.entries(place, commit))
    gone = [*changes.deleted, *(files if changes.mode == "delete" else ())]
    lines = [f"0 {_NONE}\t{path.strip('/')}\0" for path in gone]
    if changes.mode != "delete":
        lines += [f"{entry.mode} {entry.blob}\t{path}\0" for path, entry in files.items()]
    paths = [*changes.deleted, changes.below]
    if any(part in {"..", ".git"} for path in paths for part in path.lower().split("/")) or "\0" in "".join(paths):
        raise InputError(Sentence("A path of the repository must not hold .., .git or NUL"))
    listing = "".join(lines).encode("utf-8", "surrogateescape")
    if listing:
        run(["update-index", "--replace", "-z", "--index-info"], place=place, stdin=listing)
    return run(["write-tree"], place=place).decode("ascii").strip()


def _check(mode: str, files: Collection[str], *, there: Collection[str]) -> None:
    """Raise `InputError` where the files are not as a mode expects them."""
    wrong = sorted(path for path in files if (path in there) == (mode == "create"))
    if wrong:
        found = Sentence("are there already") if mode == "create" else Sentence("are not there")
        raise InputError(
            Sentence("Found %(wrong)s, which %(found)s; nothing was pushed", wrong=list(wrong[:_SHOWN]), found=found)
        )


def _tree(place: Path, commit: str) -> str:
    return run(["rev-parse", f"{commit}^{{tree}}"], place=place).decode("ascii").strip()


def _parent(place: Path, commit: str) -> str:
    """Return the first parent of a commit, empty where it has none."""
    return (
        run(["log", "--max-count=1", "--format=%P", commit, "--"], place=place)
        .decode("ascii")
        .partition(" ")[0]
        .strip()
    )


def _message(place: Path, commit: str) -> str:
    options = ["--max-count=1", "--no-color", "--no-show-signature", "--encoding=UTF-8", "--format=%B"]
    return run(["log", *options, commit, "--"], place=place).decode("utf-8", "replace").rstrip()
