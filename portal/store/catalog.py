"""Reads entities in their finished form."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, text
from sqlalchemy.exc import SQLAlchemyError

from portal.model.filter import AllOf, EntityFilter
from portal.model.query import EntityQuery, Place
from portal.model.ref import EntityRef
from portal.store.bodies import readable
from portal.store.conditions import matching
from portal.store.database import Database
from portal.store.dialect import in_chunks
from portal.store.query import (
    Slice,
    count_statement,
    facet_statement,
    has_many_values,
    may_walk,
    page_statement,
    values_statement,
    walk_statement,
)
from portal.store.sight import visibility_of
from portal.store.tables import entities


@dataclass(frozen=True, slots=True)
class Found:
    """An entity of an ordered answer: its finished JSON text, and its place."""

    body: str
    place: Place


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an entity comes from: `location` is the `type:target` of its file."""

    ref: EntityRef
    body: str
    source_id: str
    location: str


def bodies_by_ref(
    connection: Connection, refs: Sequence[str], entity_filter: EntityFilter | None = None
) -> dict[EntityRef, str]:
    """Return the finished JSON texts of those of the entities that are there, and match the filter."""
    condition = matching(EntityQuery(entity_filter), few=False)
    found: dict[EntityRef, str] = {}
    for chunk in in_chunks(_storable(refs)):
        rows = connection.execute(select(entities.c.ref, entities.c.body).where(entities.c.ref.in_(chunk), condition))
        bodies = readable(connection, {row.ref: row.body for row in rows})
        found.update((EntityRef(ref), body) for ref, body in bodies.items())
    return found


def bodies_by_uid(connection: Connection, uids: Sequence[str]) -> dict[str, str]:
    """Return the finished JSON texts of those of the entities that are there, by uid."""
    found: dict[str, str] = {}
    for chunk in in_chunks(_storable(uids)):
        columns = (entities.c.uid, entities.c.ref, entities.c.body)
        rows = connection.execute(select(*columns).where(entities.c.uid.in_(chunk))).all()
        bodies = readable(connection, {row.ref: row.body for row in rows})
        found.update((row.uid, bodies[row.ref]) for row in rows)
    return found


def count(connection: Connection, query: EntityQuery) -> int:
    """Return how many entities match."""
    return int(connection.execute(count_statement(query, in_sets=_in_sets(connection))).scalar_one())


def page(connection: Connection, query: EntityQuery, part: Slice, *, total: int) -> list[Found]:
    """Return part of an ordered answer, in its order; `total` is about how many entities match."""
    rows = _walked(connection, query, part, total=total)
    if rows is None:
        rows = connection.execute(page_statement(query, part, total=total, in_sets=_in_sets(connection))).all()
    bodies = readable(connection, {row[1]: row[0] for row in rows})
    found = [Found(bodies[row[1]], Place(tuple(row[2:]), row[1])) for row in rows]
    return found[::-1] if part.is_backwards else found


def _in_sets(connection: Connection) -> bool:
    # A set that is made of the index alone may hold what a restricted connection may not read.
    return connection.dialect.name == "postgresql" and visibility_of(connection).is_all


def _walked(connection: Connection, query: EntityQuery, part: Slice, *, total: int) -> Sequence[Any] | None:
    """Return part of an answer from a walk along the values that order it; None where that is slow, or not enough."""
    if not may_walk(query, part, total=total):
        return None
    if not has_many_values(connection.execute(values_statement(query.order[0].field)).scalar_one()):
        return None
    rows = connection.execute(walk_statement(query, part)).all()
    return rows if len(rows) == part.limit else None


def facets(
    connection: Connection, keys: Collection[str], entity_filter: EntityFilter | None = None
) -> Mapping[str, list[tuple[str, int]]]:
    """Return how often each value of each key (lower case) occurs, as (value, count) sorted by value."""
    if entity_filter is None and not visibility_of(connection).is_all:
        # The index alone counts what may not be read as well.
        entity_filter = AllOf()
    found: dict[str, list[tuple[str, int]]] = {key: [] for key in keys}
    for row in connection.execute(facet_statement(list(found), entity_filter, in_sets=_in_sets(connection))):
        found[row.key].append((row.display, row[2]))
    return {key: sorted(values) for key, values in found.items()}


def origins(connection: Connection, refs: Sequence[str]) -> dict[EntityRef, Origin]:
    """Return where those of the entities that are there come from."""
    found: dict[EntityRef, Origin] = {}
    for chunk in in_chunks(_storable(refs)):
        found.update((item.ref, item) for item in _origins(connection, entities.c.ref.in_(chunk)))
    return found


def location_entities(connection: Connection, source_ids: Collection[str]) -> list[Origin]:
    """Return the Location entities of some sources, sorted by reference."""
    found: list[Origin] = []
    for chunk in in_chunks(sorted(source_ids)):
        found += _origins(connection, entities.c.kind == "location", entities.c.source_id.in_(chunk))
    return sorted(found, key=lambda item: item.ref)


def is_reachable(database: Database) -> bool:
    """Return whether the database answers."""
    try:
        with database.reading() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return False
    return True


def _origins(connection: Connection, *conditions: ColumnElement[bool]) -> list[Origin]:
    columns = (entities.c.ref, entities.c.body, entities.c.source_id, entities.c.location)
    rows = connection.execute(select(*columns).where(*conditions)).all()
    bodies = readable(connection, {row.ref: row.body for row in rows})
    return [Origin(EntityRef(row.ref), bodies[row.ref], row.source_id, row.location) for row in rows]


def _storable(texts: Sequence[str]) -> list[str]:
    """Return the texts without those that no database column can hold."""
    return [text for text in texts if "\0" not in text]
