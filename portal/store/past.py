"""Reads from the versions what a whole catalog declared as of a revision."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from portal.model.ref import EntityRef
from portal.store.dialect import in_chunks
from portal.store.tables import revisions, versions
from portal.store.versions import COLUMNS, Version, version_of

#: Rows that are fetched at once where many are looked through.
_AT_ONCE = 2_000
_WHOLE = (*COLUMNS, versions.c.declared)


def recorded_at(connection: Connection, revision: int) -> int | None:
    """Return when a revision was recorded, in milliseconds since 1970; None where there is none."""
    return connection.execute(select(revisions.c.recorded_at_ms).where(revisions.c.revision == revision)).scalar()


def first_revision(connection: Connection) -> int | None:
    """Return the oldest revision that a version tells of; None where there is none."""
    return connection.execute(select(func.min(versions.c.revision))).scalar()


def held_at(connection: Connection, revision: int) -> Mapping[EntityRef, int]:
    """Return the id of the version of each entity that was in the catalog as of a revision."""
    newest = select(func.max(versions.c.id)).where(versions.c.revision <= revision).group_by(versions.c.ref)
    there = select(versions.c.ref, versions.c.id).where(versions.c.id.in_(newest), versions.c.change != "removed")
    return {EntityRef(ref): number for ref, number in connection.execute(there).all()}


def declared_by(connection: Connection, numbers: Collection[int]) -> Iterator[tuple[int, EntityRef, str]]:
    """Yield versions by their ids, a portion at a time, as (id, entity, JSON as declared)."""
    columns = (versions.c.id, versions.c.ref, versions.c.declared)
    for chunk in in_chunks(sorted(numbers)):
        for number, ref, declared in connection.execute(select(*columns).where(versions.c.id.in_(chunk))).all():
            yield number, EntityRef(ref), declared


def documents_changed(
    connection: Connection, *, after: int, upto: int, kinds: Collection[str] = ()
) -> Iterator[tuple[Version, str]]:
    """Yield the versions that came after a revision and not after another, in their order, as (version, JSON).

    `kinds` (lower case) limits them to entities of these kinds.
    """
    statement = select(*_WHOLE).where(versions.c.revision > after, versions.c.revision <= upto)
    if kinds:
        statement = statement.where(or_(*(versions.c.ref.startswith(f"{kind}:", autoescape=True) for kind in kinds)))
    yield from _streamed(connection, statement.order_by(versions.c.id))


def documents_naming(connection: Connection, name: str) -> Iterator[tuple[Version, str]]:
    """Yield all versions of each entity of which one holds a name, in whatever case, by entity and in their order."""
    naming = select(versions.c.ref).where(versions.c.declared.icontains(name, autoescape=True))
    statement = select(*_WHOLE).where(versions.c.ref.in_(naming))
    yield from _streamed(connection, statement.order_by(versions.c.ref, versions.c.id))


def documents_of(connection: Connection, ref: EntityRef) -> Iterator[tuple[Version, str]]:
    """Yield all versions of an entity in their order."""
    statement = select(*_WHOLE).where(versions.c.ref == ref)
    yield from _streamed(connection, statement.order_by(versions.c.id))


def _streamed(connection: Connection, statement: Select[Any]) -> Iterator[tuple[Version, str]]:
    with connection.execute(statement, execution_options={"yield_per": _AT_ONCE}) as rows:
        for portion in rows.partitions():
            for row in portion:
                # Who looks through many keeps them without their documents.
                yield version_of(row[:-1]), row[-1]
