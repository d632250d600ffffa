"""Keeps what documents mean on the disk until it is written, so that large catalogs do not fill the memory."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from itertools import accumulate

from portal.ingest.payload import Payload, Payloads

_IN_MEMORY_BYTES = 16 * 1024 * 1024


class Spool(Payloads):
    """Payloads by number: the first in memory, then all in a temporary file that goes with the process."""

    def __init__(self) -> None:
        super().__init__()
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  # `close` does
        # A build that is given up, by an error too, leaves no open file behind.
        self._end = weakref.finalize(self, self._file.close)
        #: Where the parts of each payload begin, and where the last one ends: documents, relations, leaves by division,
        #: meanings.
        self._places: list[array[int]] = []

    def add(self, payload: Payload) -> int:
        """Keep a payload; return its number."""
        start = self._file.seek(0, 2)
        parts = (payload.documents, payload.relations, *payload.leaves, payload.meanings)
        self._file.writelines(parts)
        self._places.append(array("q", accumulate(map(len, parts), initial=start)))
        return len(self._places) - 1

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._places)

    def documents(self, number: int) -> bytes:
        """Return the packed documents of a number."""
        return self._part(number, 0)

    def relations(self, number: int) -> bytes:
        """Return the packed relations of a number."""
        return self._part(number, 1)

    def leaves(self, number: int, division: int) -> bytes:
        """Return the packed leaves of a number in a division."""
        return self._part(number, 2 + division)

    def size_of_leaves(self, number: int, division: int) -> int:
        """Return how many bytes the packed leaves of a number in a division are."""
        places = self._places[number]
        return places[3 + division] - places[2 + division]

    def meanings(self, number: int) -> bytes:
        """Return the packed meanings of a number."""
        return self._part(number, -2)

    def close(self) -> None:
        """Let go of all that is kept."""
        self._end()

    def _part(self, number: int, part: int) -> bytes:
        start, end = self._places[number][part], self._places[number][part + 1]
        self._file.seek(start)
        return self._file.read(end - start)
