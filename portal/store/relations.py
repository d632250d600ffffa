"""Writes the relations that documents declare, reads those that entities have."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence

from sqlalchemy import Connection, and_, bindparam, delete, select

from portal.model.ref import EntityRef
from portal.model.relation import DeclaredRelation
from portal.store.bulk import SortedRows, insert_tuples
from portal.store.dialect import in_chunks
from portal.store.tables import relation_types, relations

_COLUMNS = ("source", "type", "target", "is_inverse")


class RelationWriter:
    """Writes relations in one transaction; `flush` comes before anything reads them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._types = set(connection.execute(select(relation_types.c.name)).scalars())
        self._rows = SortedRows(connection, relations, _COLUMNS)

    def sync(
        self, wanted: Mapping[EntityRef, Collection[DeclaredRelation]], *, known: Container[str]
    ) -> set[EntityRef]:
        """Bring the relations that some entities declare to what is wanted; return the sources of those that changed.

        Both directions are written, and what is as it should be is not. Only those of the entities that are `known`
        can have any yet.
        """
        desired: list[tuple[str, str, str, bool]]
        desired = [
            (origin, found.type, found.target, False) for origin, declared in wanted.items() for found in declared
        ]
        desired += [
            (found.target, found.inverse, origin, True) for origin, declared in wanted.items() for found in declared
        ]
        present = self._present([origin for origin in wanted if origin in known])
        obsolete = sorted(present.difference(desired))
        missing = {*desired} - present
        if obsolete:
            statement = delete(relations).where(
                *(relations.c[name] == bindparam(f"old_{name}") for name in _COLUMNS),
            )
            names = [f"old_{name}" for name in _COLUMNS]
            self._connection.execute(statement, [dict(zip(names, row, strict=True)) for row in obsolete])
        self._rows.add(missing)
        new = {row[1] for row in missing} - self._types
        insert_tuples(self._connection, relation_types, ("name",), [(name,) for name in sorted(new)])
        self._types |= new
        return {EntityRef(ref) for ref in {row[0] for row in (*obsolete, *missing)}}

    def flush(self) -> None:
        """Write what has been gathered."""
        self._rows.flush()

    def _present(self, origins: Sequence[str]) -> set[tuple[str, str, str, bool]]:
        """Return the relations that entities declare now, both directions."""
        present: set[tuple[str, str, str, bool]] = set()
        for chunk in in_chunks(origins):
            forth = and_(relations.c.source.in_(chunk), ~relations.c.is_inverse)
            back = and_(relations.c.type.in_(self._types), relations.c.target.in_(chunk), relations.c.is_inverse)
            for condition in (forth, back):
                present.update(tuple(row) for row in self._connection.execute(select(relations).where(condition)))
        return present


class RelationsAhead:
    """Reads the relations of many entities in large portions, for those who ask in small ones in the same order."""

    def __init__(self, connection: Connection, refs: Sequence[str]) -> None:
        self._connection = connection
        self._portions = iter(in_chunks(refs))
        self._read: dict[str, list[tuple[str, str]]] = {}

    def take(self, refs: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Return the relations of these entities as `relations_of` does; none can be taken twice."""
        while self._read.keys() < {*self._read, *refs}:
            portion = next(self._portions)
            found = relations_of(self._connection, portion)
            self._read.update((ref, found.get(ref, [])) for ref in portion)
        return {ref: self._read.pop(ref) for ref in refs}


def relations_of(connection: Connection, refs: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Return the (type, target) pairs of the relations that go out from these entities, sorted, each once."""
    found: dict[str, set[tuple[str, str]]] = {}
    for chunk in in_chunks(refs):
        statement = select(relations.c.source, relations.c.type, relations.c.target).where(
            relations.c.source.in_(chunk)
        )
        # All at once: row by row takes three times as long.
        for source, kind, target in connection.execute(statement).all():
            found.setdefault(source, set()).add((kind, target))
    return {source: sorted(pairs) for source, pairs in found.items()}
