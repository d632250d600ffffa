"""Finds the commit of a wanted revision among the branches that a remote shows."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from portal.errors import InputError, RevisionNotFoundError
from portal.model.sentence import Sentence
from portal.vcs.command import Remote, run

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_HEAD = "HEAD"
_BRANCHES = "refs/heads/"
_TAGS = "refs/tags/"
_PEELED = "^{}"
_BRANCHES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Revision:
    """What is wanted of a remote: a branch, a tag, a full commit id, or its default branch (None).

    A `trusted` revision was named by the operator, not by a catalog or a request.
    """

    remote: str
    branch: str | None = None
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """Where a branch of a remote stands. `branch` is `HEAD` for a default that is no branch."""

    remote: str
    branch: str
    commit: str
    trusted: bool = False

    def __post_init__(self) -> None:
        if not is_object_id(self.commit):
            raise InputError(
                Sentence('"%(commit)s" is not a full commit id (40 or 64 hexadecimal characters)', commit=self.commit)
            )


@dataclass(frozen=True, slots=True)
class Refs:
    """What a remote shows: the commit of each of its refs, and the branch that its HEAD names (empty if none)."""

    commits: Mapping[str, str]
    default: str = ""


def is_object_id(text: str) -> bool:
    """Return whether a text is a full object id in lower case."""
    return _COMMIT.fullmatch(text) is not None


def ask(remote: Remote, *, branches: Collection[str | None], timeout_seconds: float) -> Refs:
    """Return what a remote shows, in one question that covers the named branches (None: the default one).

    Raises `GitFailureError` when it does not answer.
    """
    # The server leaves out other refs (a host may have 100,000 of pull requests) only when asked for branches and tags
    # alone, without HEAD.
    alone = all(branch not in {None, "", _HEAD} for branch in branches)
    which = ["--heads", "--tags", "origin"] if alone else ["--symref", "origin", _HEAD, "refs/heads/*", "refs/tags/*"]
    # There is no repository to work in, and whatever lies in the working directory is not to be read.
    nowhere = Path("/nonexistent")
    answer = run(["ls-remote", "--quiet", *which], place=nowhere, remote=remote, timeout_seconds=timeout_seconds)
    commits: dict[str, str] = {}
    default = ""
    for line in answer.decode("utf-8", "surrogateescape").split("\n"):
        value, _, name = line.partition("\t")
        if name == _HEAD and value.startswith("ref: "):
            default = value.removeprefix("ref: ").removeprefix(_BRANCHES)
        elif name:
            commits[name] = value
    return Refs(commits, default)


def find(revision: Revision, refs: Refs, *, shown: str) -> Head | RevisionNotFoundError:
    """Return where a revision stands, or why it is not there; `shown` is the remote without credentials.

    A commit id is taken as it is: whether the remote has it turns out when it is fetched.
    """
    branch = revision.branch or _HEAD
    tag = _TAGS + branch
    commit: str | None
    if branch == _HEAD:
        branch, commit = refs.default or _HEAD, refs.commits.get(_HEAD)
    else:
        # An annotated tag is an object of its own; its commit stands under the peeled name.
        names = (_BRANCHES + branch, tag + _PEELED, tag)
        commit = next((refs.commits[name] for name in names if name in refs.commits), None)
        if commit is None and is_object_id(branch):
            commit = branch
    if commit is not None and is_object_id(commit):
        return Head(revision.remote, branch, commit, revision.trusted)
    return RevisionNotFoundError(_not_found(revision, branch, refs, shown), shown)


def _not_found(revision: Revision, branch: str, refs: Refs, shown: str) -> str:
    names = sorted(name.removeprefix(_BRANCHES) for name in refs.commits if name.startswith(_BRANCHES))
    if not names:
        return Sentence("%(remote)s: the repository is empty; push a first commit to it", remote=shown)
    if revision.branch:
        message = Sentence('%(remote)s: found no branch, tag or commit "%(branch)s"', remote=shown, branch=branch)
        near = get_close_matches(branch, names, n=3, cutoff=0.5)
        if near:
            message = Sentence("%(message)s. Did you mean %(names)s?", message=message, names=_quoted(near))
    else:
        message = Sentence('%(remote)s: the default branch "%(branch)s" does not exist', remote=shown, branch=branch)
    branches: Sentence | list[str] = _quoted(names[:_BRANCHES_SHOWN])
    if len(names) > _BRANCHES_SHOWN:
        more = len(names) - _BRANCHES_SHOWN
        branches = Sentence("%(shown)s and %(count)s more", shown=branches, count=more)
    return Sentence("%(message)s Its branches: %(branches)s", message=message, branches=branches)


def _quoted(names: Collection[str]) -> list[str]:
    return [f'"{name}"' for name in names]
