"""Writes the relations that documents declare, reads those that entities have."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, delete, func, select

from portal.model.ref import EntityRef
from portal.model.relation import DeclaredRelation
from portal.store.bulk import SortedRows
from portal.store.dialect import among, in_chunks
from portal.store.numbering import Numbering
from portal.store.tables import refs, relation_types, relations

#: The entity that a relation leaves, and the one that it leads to.
SOURCES, TARGETS = refs.alias("sources_of"), refs.alias("targets_of")
_COLUMNS = ("source_id", "type_id", "target_id", "is_inverse")

#: So many rows are in memory at once beside what is made of them.
_AT_ONCE = 5_000

_Told = tuple[str, str, str, bool]


def relations_by_ref(*columns: ColumnElement[Any]) -> Select[Any]:
    """Return the statement for columns of relations beside `SOURCES` and `TARGETS`."""
    return (
        select(*columns)
        .select_from(relations)
        .join(SOURCES, SOURCES.c.id == relations.c.source_id)
        .join(TARGETS, TARGETS.c.id == relations.c.target_id)
    )


def is_of_types(names: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that a relation is of one of some types."""
    return relations.c.type_id.in_(select(relation_types.c.id).where(relation_types.c.name.in_(sorted(names))))


def type_names(connection: Connection) -> dict[int, str]:
    """Return the names of the relation types that there are, by number."""
    return {row.id: row.name for row in connection.execute(select(relation_types))}


class RelationWriter:
    """Writes relations in one transaction, and numbers the entities that they lead from and to.

    `flush` comes before anything reads them.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._refs = Numbering(connection, refs, "ref")
        self._types = Numbering(connection, relation_types, "name")
        self._rows = SortedRows(connection, relations, _COLUMNS)

    @property
    def next_number(self) -> int:
        """The number that the next new reference will have."""
        return self._refs.next_id

    def numbers(self, wanted: Iterable[str]) -> Mapping[str, int]:
        """Return numbers by reference, those wanted among them; one that has none yet is given one."""
        return self._refs.ids(wanted)

    def sync(
        self, wanted: Mapping[EntityRef, Collection[DeclaredRelation]], *, known: Container[str]
    ) -> set[EntityRef]:
        """Bring the relations that some entities declare to what is wanted; return the sources of those that changed.

        Both directions are written, and what is as it should be is not. Only those of the entities that are `known`
        can have any yet.
        """
        desired: list[_Told]
        desired = [
            (origin, found.type, found.target, False) for origin, declared in wanted.items() for found in declared
        ]
        desired += [
            (found.target, found.inverse, origin, True) for origin, declared in wanted.items() for found in declared
        ]
        present = self._present([origin for origin in wanted if origin in known])
        obsolete = present.difference(desired)
        missing = [row for row in desired if row not in present] if present else desired
        if obsolete:
            statement = delete(relations).where(*(relations.c[name] == bindparam(f"old_{name}") for name in _COLUMNS))
            names = [f"old_{name}" for name in _COLUMNS]
            rows = self._numbered(obsolete)
            self._connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])
        self._rows.add(self._numbered(missing))
        return {EntityRef(ref) for ref in {row[0] for row in (*obsolete, *missing)}}

    def flush(self) -> None:
        """Write what has been gathered."""
        self._refs.flush()
        self._types.flush()
        self._rows.flush()

    def _numbered(self, told: Collection[_Told]) -> list[tuple[int, int, int, bool]]:
        numbers = self._refs.ids({ref for source, _, target, _ in told for ref in (source, target)})
        types = self._types.ids({name for _, name, _, _ in told})
        return [
            (numbers[source], types[name], numbers[target], is_inverse) for source, name, target, is_inverse in told
        ]

    def _present(self, origins: Sequence[str]) -> set[_Told]:
        """Return the relations that entities declare now, both directions."""
        present: set[_Told] = set()
        columns = (SOURCES.c.ref, relation_types.c.name, TARGETS.c.ref, relations.c.is_inverse)
        told = relations_by_ref(*columns).join(relation_types, relation_types.c.id == relations.c.type_id)
        # All types by number: an index by type and target is of no use without, nor with a subquery on PostgreSQL.
        every = [*type_names(self._connection)]
        for chunk in in_chunks(origins):
            ids = self._connection.execute(select(refs.c.id).where(among(refs.c.ref, chunk))).scalars().all()
            forth = and_(among(relations.c.source_id, ids), ~relations.c.is_inverse)
            back = and_(among(relations.c.type_id, every), among(relations.c.target_id, ids), relations.c.is_inverse)
            for condition in (forth, back):
                present.update(tuple(row) for row in self._connection.execute(told.where(condition)).all())
        return present


def count_of(connection: Connection, wanted: Sequence[int]) -> int:
    """Return how many relations go out from entities, given by number."""
    count = select(func.count()).select_from(relations)
    return sum(
        connection.execute(count.where(among(relations.c.source_id, chunk))).scalar_one() for chunk in in_chunks(wanted)
    )


def relations_of(connection: Connection, wanted: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Return the (type, target) pairs of the relations that go out from these entities, sorted, each once."""
    found: dict[str, set[tuple[str, str]]] = {}
    names = type_names(connection)
    statement = relations_by_ref(SOURCES.c.ref, relations.c.type_id, TARGETS.c.ref)
    for chunk in in_chunks(wanted):
        rows = connection.execute(statement.where(among(SOURCES.c.ref, chunk)))
        # Many at once: row by row takes three times as long.
        for some in rows.partitions(_AT_ONCE):
            for source, number, target in some:
                found.setdefault(source, set()).add((names[number], target))
    return {source: sorted(pairs) for source, pairs in found.items()}
