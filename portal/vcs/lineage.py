"""Reads which commits of a history changed which folders, with what each of them builds on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from portal.errors import InputError
from portal.vcs.command import GitFailureError, run, stream
from portal.vcs.history import records

MOST_COMMITS = 10_000
_FORMAT = "--format=%x1e%H%n%P%n%s"
_DIGITS = re.compile(r"[0-9a-f]{4,64}")
_HEADER = re.compile(rb"\x1e([0-9a-f]{40,64})\n([0-9a-f ]*)\n([^\n]*)")
_LOG = (
    *("log", "-z", "--no-color", "--no-show-signature", "--no-ext-diff", "--encoding=UTF-8", "--topo-order"),
    # What a merge joins is told by itself. Finding renames would compare contents, which a mirror may not have.
    *("--diff-merges=off", "--no-renames", "--name-only", _FORMAT, f"--max-count={MOST_COMMITS}"),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A commit of a history: what it builds on, the first line of its message, the paths that it changes."""

    commit: str
    parents: tuple[str, ...]
    subject: str
    paths: tuple[str, ...]

    def touches(self, folder: str) -> bool:
        """Return whether it changes anything in a folder; the empty one is the whole tree."""
        return any(not folder or path.startswith(f"{folder}/") for path in self.paths)


@dataclass(frozen=True, slots=True)
class Lineage:
    """The commits up to one, the newest first, no more than `MOST_COMMITS`."""

    links: Mapping[str, Link]

    def last(self, folder: str) -> Link | None:
        """Return the last commit that changed something in a folder, None where none did."""
        return next((link for link in self.links.values() if link.touches(folder)), None)

    def since(self, commit: str, folder: str) -> Sequence[Link] | None:
        """Return the commits that changed something in a folder and are not in `commit`, the newest first.

        None where the commit is not in this history, or too far back in it.
        """
        if commit not in self.links:
            return None
        known: set[str] = set()
        pending = [commit]
        while pending:
            found = self.links.get(pending.pop())
            if found is not None and found.commit not in known:
                known.add(found.commit)
                pending += found.parents
        return [link for link in self.links.values() if link.commit not in known and link.touches(folder)]


def read(place: Path, commit: str) -> Lineage:
    """Return the history up to a commit, from one process that reads trees alone.

    Raises `GitFailureError` if it cannot be read.
    """
    links: dict[str, Link] = {}
    header: re.Match[bytes] | None = None
    paths: list[str] = []
    with stream([*_LOG, commit, "--"], place=place, config=[("log.showRoot", "true")]) as output:
        for record in records(output):
            found = _HEADER.fullmatch(record)
            if found is None:
                # The first file of a commit stands behind an empty line.
                name = record if paths else record.removeprefix(b"\n")
                if name:
                    paths.append(name.decode("utf-8", "surrogateescape"))
                continue
            _keep(links, header, paths)
            header, paths = found, []
    _keep(links, header, paths)
    return Lineage(links)


def upto(place: Path, commit: str, *, most: int = MOST_COMMITS) -> Sequence[str]:
    """Return a commit that its first digits name with those that it builds on, the newest first, `most` of them.

    Empty where the repository does not hold it, or holds several that begin so. Raises `InputError` for what is no
    part of a commit's id.
    """
    if not _DIGITS.fullmatch(commit):
        raise InputError(f'"{commit}" is no part of a commit id')
    try:
        answer = run(["rev-list", f"--max-count={most}", f"{commit}^{{commit}}", "--"], place=place)
    except GitFailureError:
        return []
    return answer.decode().split()


def _keep(links: dict[str, Link], header: re.Match[bytes] | None, paths: list[str]) -> None:
    if header is not None:
        commit, parents, subject = (group.decode("utf-8", "replace") for group in header.groups())
        links[commit] = Link(commit, tuple(parents.split()), subject, tuple(paths))
