"""Writes the index of leaves that filters, facets, ordering read."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping

from sqlalchemy import Connection, bindparam, delete, func, select

from portal.model.leaves import Leaf
from portal.store.dialect import in_chunks, insert_pairs, insert_tuples, matching_rows
from portal.store.tables import postings, terms

#: So many terms are remembered between batches (about 200 bytes each); the others are looked up.
_REMEMBERED = 300_000
_LOW = (1 << 32) - 1
_TERMS = (terms.c.id, (terms.c.key, terms.c.value, terms.c.display))


class IndexWriter:
    """Writes the index in one transaction; ids of terms are remembered from batch to batch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ids: dict[Leaf, int] = {}
        self._next = int(connection.execute(select(func.coalesce(func.max(terms.c.id), 0))).scalar_one()) + 1
        #: Whether a term that is not remembered is new.
        self._knows_all = self._next == 1

    def sync(self, wanted: Mapping[int, Collection[Leaf]], *, new: Container[int] = ()) -> None:
        """Bring the entries of some entities, given by id, to their leaves; only differences are written.

        Those of the entities that are `new` have none yet.
        """
        ids = self._ids
        self._remember(set().union(*wanted.values()) - ids.keys())
        # One number for each entry, the term before the entity: in the order of the key, rows of a batch fall into
        # neighbouring pages, and numbers sort faster than pairs.
        desired = [ids[leaf] << 32 | entity_id for entity_id, found in wanted.items() for leaf in found]
        present: set[int] = set()
        for chunk in in_chunks([entity_id for entity_id in wanted if entity_id not in new]):
            rows = self._connection.execute(
                select(postings.c.term_id, postings.c.entity_id).where(postings.c.entity_id.in_(chunk))
            )
            present.update(term << 32 | entity for term, entity in rows)
        if present:
            self._delete(present.difference(desired))
            desired = [entry for entry in desired if entry not in present]
        insert_pairs(self._connection, postings, ("term_id", "entity_id"), sorted(desired))
        if len(ids) > _REMEMBERED:
            self._ids = {}
            self._knows_all = False

    def _delete(self, obsolete: Collection[int]) -> None:
        if obsolete:
            statement = delete(postings).where(
                postings.c.term_id == bindparam("old_term"), postings.c.entity_id == bindparam("old_entity")
            )
            self._connection.execute(
                statement, [{"old_term": entry >> 32, "old_entity": entry & _LOW} for entry in sorted(obsolete)]
            )

    def _remember(self, wanted: Collection[Leaf]) -> None:
        """Learn the id of each term, adding those that are new."""
        missing = sorted(wanted)
        if missing and not self._knows_all:
            for chunk in in_chunks(missing):
                self._ids |= {Leaf(*found[1:]): found[0] for found in matching_rows(self._connection, _TERMS, chunk)}
            missing = [leaf for leaf in missing if leaf not in self._ids]
        rows = [(number, *leaf) for number, leaf in enumerate(missing, start=self._next)]
        insert_tuples(self._connection, terms, ("id", "key", "value", "display"), rows)
        self._ids.update(zip(missing, range(self._next, self._next + len(missing)), strict=True))
        self._next += len(missing)
