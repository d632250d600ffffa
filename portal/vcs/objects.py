"""Reads objects of a local repository, whole sets at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from portal.errors import InputError
from portal.vcs.command import run, stream
from portal.vcs.heads import is_object_id

SYMLINK = "120000"
SUBMODULE = "160000"
EXECUTABLE = "100755"
#: What `cat-file` says of an object that is there: its id, type and size.
_FIELDS = 3


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file of a tree. `mode` is git's, six digits; `blob` is the id of its content, a submodule's its commit.

    Bytes of the path that are not UTF-8 are kept as surrogates (`surrogateescape`).
    """

    path: str
    mode: str
    blob: str


def present(place: Path, commits: Collection[str]) -> set[str]:
    """Return those commits that the repository holds. Raises `GitFailureError` for one that cannot be read."""
    return {commit for commit, (kind, _) in _described(place, commits).items() if kind == "commit"}


def sizes(place: Path, blobs: Collection[str]) -> dict[str, int]:
    """Return the size in bytes of those blobs that the repository holds."""
    return {blob: size for blob, (kind, size) in _described(place, blobs).items() if kind == "blob"}


def contents(place: Path, blobs: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yield blobs that the repository holds, sorted, from one process; one at a time is in memory.

    Raises `GitFailureError` for a blob that is missing or damaged.
    """
    wanted = sorted(blobs)
    if not wanted:
        return
    with stream(["cat-file", "--batch", "--buffer"], place=place, stdin=_lines(wanted)) as output:
        for blob in wanted:
            fields = output.line().split(b" ")
            if len(fields) != _FIELDS:
                output.refuse(f"object {blob} is missing")
            yield blob, output.exactly(int(fields[2]))
            output.exactly(1)


def entries(place: Path, commit: str) -> Mapping[str, TreeEntry]:
    """Return all files at a commit by path, submodules too. Raises `GitFailureError` if it cannot be read."""
    listing = run(["ls-tree", "-r", "-z", "--full-tree", commit], place=place)
    found = {}
    for record in listing.split(b"\0"):
        facts, tab, path = record.partition(b"\t")
        if tab:
            mode, _, blob = facts.decode("ascii").split(" ")
            name = path.decode("utf-8", "surrogateescape")
            found[name] = TreeEntry(name, mode, blob)
    return found


def _described(place: Path, ids: Collection[str]) -> dict[str, tuple[str, int]]:
    wanted = sorted(ids)
    if not wanted:
        return {}
    answer = run(["cat-file", "--batch-check", "--buffer"], place=place, stdin=_lines(wanted)).decode("ascii")
    fields = (line.split(" ") for line in answer.splitlines())
    return {found[0]: (found[1], int(found[2])) for found in fields if len(found) == _FIELDS}


def _lines(ids: Collection[str]) -> bytes:
    faulty = [object_id for object_id in ids if not is_object_id(object_id)]
    if faulty:
        raise InputError(f"{faulty[0]!r} is not a full object id (40 or 64 hexadecimal characters)")
    return "".join(f"{object_id}\n" for object_id in ids).encode("ascii")
