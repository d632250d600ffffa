"""Finds who last touched each file of a tree."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from portal.errors import InputError
from portal.vcs.command import Stream, run, stream
from portal.vcs.heads import is_object_id

MAX_COMMITS = 10_000
#: So many paths git may be given to leave out the commits that touch none of them; its cost grows with each path.
_FEW_PATHS = 64
_FORMAT = "--format=%x1e%H%n%at%n%ae%n%an"
_HEADER = re.compile(rb"\x1e([0-9a-f]{40,64})\n(-?\d*)\n([^\n]*)\n([^\n]*)")
_LAST_SECOND = 253_402_300_799
_LOG = ("log", "-z", "--no-color", "--no-show-signature", "--no-renames", "--no-ext-diff", "--encoding=UTF-8", _FORMAT)


@dataclass(frozen=True, slots=True)
class Change:
    """The commit that last touched a file, with its author and the time at which it was written (UTC)."""

    commit: str
    author_name: str
    author_email: str
    time: datetime


def last_changes(place: Path, commit: str, *, since: str | None, paths: Collection[str]) -> dict[str, Change]:
    """Return for each path the last change up to `commit`, from at most two walks that end at the last path found.

    `since` is a commit known before: changes after it are looked at first. What is not among the last `MAX_COMMITS`
    commits gets `commit` itself. Merges that only join histories count for nothing. Raises `GitFailureError` if the
    history cannot be read.
    """
    if since is not None and not is_object_id(since):
        raise InputError(f'"{since}" is not a full commit id (40 or 64 hexadecimal characters)')
    missing = set(paths)
    found: dict[str, Change] = {}
    ranges = [(commit, f"^{since}"), (commit,)] if since and since != commit else [(commit,)]
    for revisions in ranges:
        if missing:
            for path, change in _walk(place, revisions, missing):
                found[path] = change
                missing.discard(path)
    if missing:
        found |= dict.fromkeys(missing, _own(place, commit))
    return {path: found[path] for path in sorted(found)}


def _walk(place: Path, revisions: Sequence[str], wanted: Collection[str]) -> Iterator[tuple[str, Change]]:
    missing = set(wanted)
    few = sorted(missing) if len(missing) <= _FEW_PATHS else []
    # A `since` that a force push took away is ignored.
    arguments = [*_LOG, "--name-only", f"--max-count={MAX_COMMITS}", "--ignore-missing", *revisions, "--", *few]
    change: Change | None = None
    with stream(arguments, place=place) as output:
        for record in records(output):
            header = _HEADER.fullmatch(record)
            if header:
                change = _change(header)
                continue
            # The first file of a commit stands behind an empty line.
            path = record.decode("utf-8", "surrogateescape")
            for name in (path, path.removeprefix("\n")):
                if name in missing and change:
                    missing.discard(name)
                    yield name, change
            if not missing:
                return


def _own(place: Path, commit: str) -> Change:
    answer = run([*_LOG, "--max-count=1", "--no-patch", commit, "--"], place=place)
    header = _HEADER.fullmatch(answer.strip(b"\0\n"))
    if header is None:
        return Change(commit, "", "", datetime.fromtimestamp(0, UTC))
    return _change(header)


def records(output: Stream) -> Iterator[bytes]:
    """Yield what stands between the NUL bytes of what git prints."""
    rest = b""
    for chunk in output.chunks():
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest:
        yield rest


def _change(header: re.Match[bytes]) -> Change:
    commit, seconds, email, name = (group.decode("utf-8", "replace") for group in header.groups())
    # Anybody may have written anything there; git caps it no lower than its own 64 bits.
    time = datetime.fromtimestamp(min(max(int(seconds or 0), 0), _LAST_SECOND), UTC)
    return Change(commit, name, email, time)
