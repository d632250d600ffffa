"""Numbers the terms that stand for leaves of entities."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection, func, select

from portal.model.leaves import Leaf
from portal.store.bulk import insert_tuples
from portal.store.dialect import CHUNK, in_chunks, matching_rows
from portal.store.tables import terms

_COLUMNS = ("id", "key", "value", "display")

#: The texts of leaves of some batches, each with the batch's number.
_Leaves = Sequence[tuple[int, Sequence[str]]]


class TermWriter:
    """Numbers terms in one transaction, adding those that are new."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._next = int(connection.execute(select(func.coalesce(func.max(terms.c.id), 0))).scalar_one()) + 1

    def ids(self, leaves: Sequence[Leaf]) -> list[int]:
        """Return the ids of the terms that stand for leaves, in their order."""
        texts = [leaf.text for leaf in leaves]
        ids = self._ids({*texts}, are_new=self._next == 1)
        return [ids[text] for text in texts]

    def number(self, divisions: Iterable[_Leaves]) -> Mapping[int, Sequence[int]]:
        """Return the ids of terms for the leaves of many batches, by the batch's number, in their order there.

        `divisions` yields the leaves of all batches, a division after the other. A leaf is in the same division
        whatever the batch, so only one, or some that are small, are in memory at a time. What is new is added in the
        order of the table's index, whose pages are then written once.
        """
        are_new = self._next == 1
        found: dict[int, array[int]] = {}
        for some in _portions(divisions):
            ids = self._ids(set().union(*(leaves for _, leaves in some)), are_new=are_new)
            for batch, leaves in some:
                found.setdefault(batch, array("q")).extend(map(ids.__getitem__, leaves))
        return found

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


def _portions(divisions: Iterable[_Leaves]) -> Iterator[_Leaves]:
    """Yield what stands in divisions, small ones together: few leaves shall make no statement of their own."""
    portion: list[tuple[int, Sequence[str]]] = []
    for division in divisions:
        portion += division
        if sum(len(leaves) for _, leaves in portion) >= CHUNK:
            yield portion
            portion = []
    yield portion
