"""Keeps what documents mean on the disk until it is written, so that large catalogs do not fill the memory."""

from __future__ import annotations

import tempfile
import weakref

from portal.ingest.meaning import Payload, Payloads

_IN_MEMORY_BYTES = 16 * 1024 * 1024


class Spool(Payloads):
    """Payloads by number: the first in memory, then all in a temporary file that goes with the process."""

    def __init__(self) -> None:
        super().__init__()
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  # `close` does
        # A build that is given up, by an error too, leaves no open file behind.
        self._end = weakref.finalize(self, self._file.close)
        self._places: list[tuple[int, int, int]] = []

    def add(self, payload: Payload) -> int:
        """Keep a payload; return its number."""
        start = self._file.seek(0, 2)
        self._file.write(payload.relations)
        middle = self._file.tell()
        self._file.write(payload.meanings)
        self._places.append((start, middle, self._file.tell()))
        return len(self._places) - 1

    def relations(self, number: int) -> bytes:
        """Return the packed relations of a number."""
        start, middle, _ = self._places[number]
        return self._read(start, middle)

    def meanings(self, number: int) -> bytes:
        """Return the packed meanings of a number."""
        _, middle, end = self._places[number]
        return self._read(middle, end)

    def close(self) -> None:
        """Let go of all that is kept."""
        self._end()

    def _read(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(end - start)
