"""Reads the dataset's files through its policy."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from .audit import note
from .policy import Policy, PurposeError, read_policy

Open = Callable[[str], TextIO]


def open_file(place: str) -> TextIO:
    """Open a file of this machine; another opener reads from an object store."""
    return Path(place).open(encoding="utf-8", newline="")


class Reader:
    """Reads on behalf of somebody.

    `reader` is who reads, such as `user:default/ann`. `key` is for the hashes of sensitive values; without one it is
    that of the environment variable DATA_ACCESS_KEY.
    """

    def __init__(
        self, reader: str, *, policy: Policy | None = None, open_place: Open = open_file, key: bytes | None = None
    ) -> None:
        self._reader = reader
        self._policy = policy or read_policy()
        self._open = open_place
        self._key = os.environ.get("DATA_ACCESS_KEY", "").encode() if key is None else key
        if self._policy.masking == "hash" and self._policy.sensitive and not self._key:
            raise ValueError("hashes need a key: set DATA_ACCESS_KEY, from the secret store")

    def rows(self, place: str, *, purpose: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a file, masked. Raises `PurposeError` before anything is opened."""
        try:
            self._policy.require(purpose)
        except PurposeError:
            self._note(purpose, allowed=False)
            raise
        return self._read(place, purpose)

    def _read(self, place: str, purpose: str) -> Iterator[dict[str, Any]]:
        count = 0
        try:
            with self._open(place) as file:
                for row in _rows(file, self._policy.format):
                    count += 1
                    yield self._policy.masked(row, key=self._key)
        finally:
            # What was read is noted even where reading stops in the middle.
            self._note(purpose, allowed=True, rows=count)

    def _note(self, purpose: str, *, allowed: bool, rows: int | None = None) -> None:
        note(dataset=self._policy.dataset, reader=self._reader, purpose=purpose, allowed=allowed, rows=rows)


def _rows(file: TextIO, form: str) -> Iterator[dict[str, Any]]:
    if form == "jsonl":
        return (json.loads(line) for line in file if line.strip())
    return iter(csv.DictReader(file))
