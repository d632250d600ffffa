"""Reads from the versions what a whole catalog declared as of a revision."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sqlalchemy import Connection, func, select

from portal.model.ref import EntityRef
from portal.store.dialect import in_chunks
from portal.store.tables import revisions, versions


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
