"""Proposes changes of files as one commit on a branch of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from portal.errors import ConflictError, InputError, SourceError
from portal.vcs import objects
from portal.vcs.command import GitFailureError, Remote, open_remote, run
from portal.vcs.heads import Head, ask
from portal.vcs.policy import RemotePolicy
from portal.vcs.publish import TAKEN, Author, commit_tree, push_new

_ANSWER_SECONDS = 60.0
_TRANSFER_SECONDS = 900.0
FETCH = (
    *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"),
    *("--recurse-submodules=no", "--depth=1", "origin"),
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """Changed files of one branch of a remote, as it stands at `base`: the new content of each path."""

    base: Head
    files: Mapping[str, bytes]


class Proposals:
    """Writes proposals to remotes: each a branch of its own with one commit, never the branch that it starts from."""

    def __init__(self, policy: RemotePolicy) -> None:
        self._policy = policy

    def require_free(self, remote: str, *, trusted: bool, branch: str) -> None:
        """Raise `ConflictError` where a remote has the branch already; what `RemotePolicy.check` raises."""
        opened = self._opened(remote, trusted=trusted)
        try:
            found = ask(opened, branches={branch}, timeout_seconds=_ANSWER_SECONDS).commits
        except GitFailureError as failure:
            raise SourceError(str(failure), opened.url) from failure
        if f"refs/heads/{branch}" in found:
            raise _taken(opened, branch)

    def push(self, proposal: Proposal, *, branch: str, message: str, author: Author) -> str:
        """Push the commit of a proposal to a new branch, and return its id.

        Raises `ConflictError` where the branch is there, and then touches nothing; `SourceError` where the remote does
        not answer or accept; `InputError` where a path is no file of the base, or the message holds NUL.
        """
        if "\0" in message:
            raise InputError("A commit message must not hold NUL characters")
        base = proposal.base
        opened = self._opened(base.remote, trusted=base.trusted)
        with tempfile.TemporaryDirectory(prefix="portal-propose-") as folder:
            place = Path(folder) / "proposal.git"
            run(["init", "--quiet", "--bare", "--template=", str(place)], place=place)
            try:
                run([*FETCH, base.commit], place=place, remote=opened, timeout_seconds=_TRANSFER_SECONDS)
                tree = tree_with(place, base.commit, proposal.files)
                commit = commit_tree(place, tree, message=message, author=author, parent=base.commit)
                push_new(place, opened, commit, branch=branch)
            except GitFailureError as failure:
                if any(mark in failure.reason for mark in TAKEN):
                    raise _taken(opened, branch) from failure
                raise SourceError(str(failure), opened.url) from failure
        return commit

    def _opened(self, remote: str, *, trusted: bool) -> Remote:
        # Whoever writes is the operator: the login that the settings have for the host is theirs.
        return open_remote(self._policy, remote, trusted=trusted, reads=True)


def tree_with(place: Path, base: str, files: Mapping[str, bytes]) -> str:
    """Return the tree of a commit, or a tree, with files changed; all else in it, modes too, stays as it is.

    Raises `InputError` for a path that is no file of it.
    """
    present = objects.entries(place, base)
    lines = []
    for path, content in sorted(files.items()):
        entry = present.get(path)
        if entry is None or entry.mode in {objects.SYMLINK, objects.SUBMODULE}:
            raise InputError(f"{path} is no file of {base}")
        blob = run(["hash-object", "-w", "--stdin"], place=place, stdin=content) if content else _empty(place)
        lines.append(f"{entry.mode} {blob.decode('ascii').strip()}\t{path}\0")
    run(["read-tree", base], place=place)
    listing = "".join(lines).encode("utf-8", "surrogateescape")
    run(["update-index", "-z", "--index-info"], place=place, stdin=listing)
    return run(["write-tree"], place=place).decode("ascii").strip()


def _empty(place: Path) -> bytes:
    # Without any input git would read the standard input of this process.
    nothing = place / "nothing"
    nothing.touch()
    return run(["hash-object", "-w", "--no-filters", str(nothing)], place=place)


def _taken(remote: Remote, branch: str) -> ConflictError:
    return ConflictError(
        f'{remote.url} already has a branch "{branch}"; nothing was written. Merge or remove it, or give the plan '
        "another name"
    )
