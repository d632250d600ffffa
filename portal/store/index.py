"""Writes the entries of the index that filters, facets, ordering read; relations, uids are found where they stand."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence

import orjson
from sqlalchemy import Connection, bindparam, delete, select

from portal.store.bulk import SortedPairs
from portal.store.dialect import among, in_chunks
from portal.store.tables import entities, postings

_LOW = (1 << 32) - 1


class IndexWriter:
    """Writes the index in one transaction; `flush` comes last."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # One number for each entry, the term before the entity: as the key has them, and they sort faster than pairs.
        self._entries = SortedPairs(connection, postings, ("term_id", "entity_id"))

    def sync(self, wanted: Mapping[int, Sequence[int]], *, new: Container[int] = ()) -> None:
        """Bring the entries of some entities, given by id, to their terms; only differences are written.

        Those of the entities that are `new` have none yet; the others' rows tell which they have, and are the caller's
        to bring up to date afterwards.
        """
        desired = [term << 32 | entity_id for entity_id, found in wanted.items() for term in found]
        present: set[int] = set()
        for chunk in in_chunks([entity_id for entity_id in wanted if entity_id not in new]):
            rows = self._connection.execute(
                select(entities.c.id, entities.c.term_ids).where(among(entities.c.id, chunk))
            )
            present.update(term << 32 | entity_id for entity_id, found in rows for term in orjson.loads(found))
        if present:
            self._delete(present.difference(desired))
            desired = [entry for entry in desired if entry not in present]
        self._entries.add(desired)

    def flush(self) -> None:
        """Write what has been gathered."""
        self._entries.flush()

    def _delete(self, obsolete: Collection[int]) -> None:
        if obsolete:
            statement = delete(postings).where(
                postings.c.term_id == bindparam("old_term"), postings.c.entity_id == bindparam("old_entity")
            )
            self._connection.execute(
                statement, [{"old_term": entry >> 32, "old_entity": entry & _LOW} for entry in sorted(obsolete)]
            )


def number_list(numbers: Sequence[int]) -> str:
    """Return ids of terms as an entity's row keeps them."""
    return orjson.dumps(numbers).decode()
