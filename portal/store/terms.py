"""Numbers the terms that stand for leaves of entities."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, func, select

from portal.ingest.snapshot import Division
from portal.model.leaves import Leaf
from portal.store.bulk import insert_tuples
from portal.store.dialect import CHUNK, in_chunks, matching_rows
from portal.store.tables import terms

_COLUMNS = ("id", "key", "value", "display")

#: The texts of a division, packed, are in memory at once up to so many bytes; they take six times as many then.
_AT_ONCE_BYTES = 1_500_000
#: Ids beyond so many bytes go to a file.
_IN_MEMORY_BYTES = 512 * 1024
#: Of a larger division every so-many-th text tells where to divide it.
_STEP = 50

#: The texts of leaves of some batches, each with the batch's number.
_Leaves = Sequence[tuple[int, Sequence[str]]]


class TermNumbers:
    """The ids of terms by batch, those of many batches in a temporary file: one entity has a dozen."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  # `_end` does
        self._end = weakref.finalize(self, self._file.close)
        #: Where the pieces of each batch begin in the file, and how long they are.
        self._places: dict[int, array[int]] = {}

    def __getitem__(self, batch: int) -> array[int]:
        """Return the ids of a batch."""
        found = array("i")
        places = self._places.get(batch, ())
        for start, size in zip(places[::2], places[1::2], strict=True):
            self._file.seek(start)
            found.frombytes(self._file.read(size))
        return found

    def extend(self, batch: int, ids: array[int]) -> None:
        """Add ids to those of a batch."""
        if ids:
            start = self._file.seek(0, 2)
            self._places.setdefault(batch, array("q")).extend((start, self._file.write(ids.tobytes())))

    def close(self) -> None:
        """Let go of all that is kept."""
        self._end()


class TermWriter:
    """Numbers terms in one transaction, adding those that are new.

    Of a division so many bytes are in memory `at_once`.
    """

    def __init__(self, connection: Connection, *, at_once_bytes: int = _AT_ONCE_BYTES) -> None:
        self._connection = connection
        self._at_once_bytes = at_once_bytes
        self._next = int(connection.execute(select(func.coalesce(func.max(terms.c.id), 0))).scalar_one()) + 1

    def ids(self, leaves: Sequence[Leaf]) -> list[int]:
        """Return the ids of the terms that stand for leaves, in their order."""
        texts = [leaf.text for leaf in leaves]
        ids = self._ids({*texts}, are_new=self._next == 1)
        return [ids[text] for text in texts]

    def number(self, divisions: Iterable[Division]) -> TermNumbers:
        """Return the ids of terms for the leaves of many batches, by the batch's number, in their order there.

        A leaf is in the same division whatever the batch, so only one, or some that are small, or a range of a large
        one are in memory at a time. What is new is added in the order of the table's index, whose pages are then
        written once.
        """
        are_new = self._next == 1
        found = TermNumbers()
        small: list[tuple[int, Sequence[str]]] = []
        for division in divisions:
            if division.size_bytes > self._at_once_bytes:
                self._number(small, found, are_new=are_new)
                small = []
                self._number_large(division, found, are_new=are_new)
                continue
            small += division
            if sum(len(leaves) for _, leaves in small) >= CHUNK:
                # Few leaves shall make no statement of their own.
                self._number(small, found, are_new=are_new)
                small = []
        self._number(small, found, are_new=are_new)
        return found

    def _number(self, some: _Leaves, found: TermNumbers, *, are_new: bool) -> None:
        """Add the ids of some leaves to those found of their batches."""
        ids = self._ids(set().union(*(leaves for _, leaves in some)), are_new=are_new)
        for batch, leaves in some:
            found.extend(batch, array("i", map(ids.__getitem__, leaves)))

    def _number_large(self, division: Division, found: TermNumbers, *, are_new: bool) -> None:
        """Add the ids of the leaves of a division that is read again for each of its ranges."""
        ids_by_batch: dict[int, array[int]] = {}
        sample: list[str] = []
        for batch, leaves in division:
            ids_by_batch[batch] = array("i", bytes(array("i").itemsize * len(leaves)))
            sample += leaves[batch % _STEP :: _STEP]
        for lowest, highest in _ranges(sorted(sample), -(-division.size_bytes // self._at_once_bytes)):
            chosen = [
                (
                    batch,
                    [
                        (place, text)
                        for place, text in enumerate(leaves)
                        if lowest <= text and (highest is None or text < highest)
                    ],
                )
                for batch, leaves in division
            ]
            numbers = self._ids({text for _, some in chosen for _, text in some}, are_new=are_new)
            for batch, some in chosen:
                ids = ids_by_batch[batch]
                for place, text in some:
                    ids[place] = numbers[text]
        for batch, ids in ids_by_batch.items():
            found.extend(batch, ids)

    def _ids(self, texts: Iterable[str], *, are_new: bool) -> dict[str, int]:
        wanted = sorted(texts)
        ids: dict[str, int] = {}
        if not are_new:
            columns = [terms.c[name] for name in _COLUMNS[1:]]
            for chunk in in_chunks(wanted):
                known = matching_rows(self._connection, (terms.c.id, columns), list(map(Leaf.of, chunk)))
                ids.update((Leaf(*parts).text, number) for number, *parts in known)
            wanted = [text for text in wanted if text not in ids]
        ids.update(zip(wanted, range(self._next, self._next + len(wanted)), strict=True))
        self._next += len(wanted)
        for chunk in in_chunks(wanted):
            insert_tuples(self._connection, terms, _COLUMNS, [(ids[text], *Leaf.of(text)) for text in chunk])
        return ids


def _ranges(sample: Sequence[str], count: int) -> Iterator[tuple[str, str | None]]:
    """Yield about so many ranges, each from a text on to below another or without end, that share a sample evenly."""
    marks = sorted({sample[len(sample) * number // count] for number in range(1, count)}) if sample else []
    yield from zip(["", *marks], [*marks, None], strict=True)
