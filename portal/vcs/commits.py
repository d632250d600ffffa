"""Reads the commits of a history with the paths that each of them touched."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from portal.vcs.command import LOCAL_SECONDS, stream
from portal.vcs.history import records

_FORMAT = "--format=%x1e%at%n%aE%n%aN"
_HEADER = re.compile(rb"\x1e(-?\d*)\n([^\n]*)\n([^\n]*)")
_LOG = (
    *("log", "-z", "--no-color", "--no-show-signature", "--no-ext-diff", "--encoding=UTF-8", "--use-mailmap"),
    # Finding renames would compare contents, which a mirror without blobs does not have.
    *("--no-merges", "--no-renames", "--name-only", _FORMAT),
)


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its author as the mailmap names them, the time it was written (seconds since 1970), its paths."""

    author_name: str
    author_email: str
    time_seconds: int
    paths: tuple[str, ...]


def walk(
    place: Path, commit: str, *, most: int, mailmap: str = "", timeout_seconds: float = LOCAL_SECONDS
) -> Iterator[Commit]:
    """Yield the commits up to one, the newest first, `most` of them, from one process that reads trees alone.

    Merges are left out, as what they join is told by itself. `mailmap` is the blob of the repository's `.mailmap`;
    empty: none. Raises `GitFailureError` if the history cannot be read.
    """
    # Which names belong together is for the repository to say, not for the machine that Portal runs on.
    config = [("mailmap.file", os.devnull), ("log.showRoot", "true")]
    if mailmap:
        config.append(("mailmap.blob", mailmap))
    arguments = [*_LOG, f"--max-count={most}", commit, "--"]
    header: re.Match[bytes] | None = None
    paths: list[str] = []
    with stream(arguments, place=place, config=config, timeout_seconds=timeout_seconds) as output:
        for record in records(output):
            found = _HEADER.fullmatch(record)
            if found is None:
                # The first file of a commit stands behind an empty line.
                name = record if paths else record.removeprefix(b"\n")
                if name:
                    paths.append(name.decode("utf-8", "surrogateescape"))
                continue
            if header is not None:
                yield _commit(header, paths)
            header, paths = found, []
    if header is not None:
        yield _commit(header, paths)


def _commit(header: re.Match[bytes], paths: list[str]) -> Commit:
    seconds, email, name = (group.decode("utf-8", "replace") for group in header.groups())
    return Commit(name, email, int(seconds or 0), tuple(paths))
