"""Keeps what documents mean on the disk until it is written, so that large catalogs do not fill the memory."""

from __future__ import annotations

import tempfile
import weakref

from portal.ingest.meaning import Meanings, Payloads, unpack

_IN_MEMORY_BYTES = 16 * 1024 * 1024
_UNPACKED = 16


class Spool(Payloads):
    """Packed meanings by number: the first in memory, then all in a temporary file that goes with the process."""

    def __init__(self) -> None:
        super().__init__()
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  # `close` does
        # A build that is given up, by an error too, leaves no open file behind.
        self._end = weakref.finalize(self, self._file.close)
        self._places: list[tuple[int, int]] = []
        #: A writer goes through all of them twice; so many wait for the second time.
        self._unpacked: dict[int, Meanings] = {}

    def add(self, content: bytes) -> int:
        """Keep packed meanings; return their number."""
        start = self._file.seek(0, 2)
        self._file.write(content)
        self._places.append((start, len(content)))
        return len(self._places) - 1

    def load(self, number: int) -> Meanings:
        """Return the meanings of a number."""
        if number in self._unpacked:
            return self._unpacked.pop(number)
        start, size = self._places[number]
        self._file.seek(start)
        found = unpack(self._file.read(size))
        if len(self._unpacked) < _UNPACKED:
            self._unpacked[number] = found
        return found

    def close(self) -> None:
        """Let go of all that is kept."""
        self._unpacked.clear()
        self._end()
