"""Reads the versions of entities, none of which is ever rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from portal.model.ref import EntityRef
from portal.store.tables import versions


@dataclass(frozen=True, slots=True)
class Version:
    """What a refresh did to an entity: `change` is added, changed or removed; `declared` is JSON, empty when removed.

    Times are milliseconds since 1970. `commit` and `author` are empty where the source is no git repository.
    """

    id: int
    ref: EntityRef
    revision: int
    change: str
    location: str
    commit: str
    author: str
    authored_at_ms: int | None
    recorded_at_ms: int
    declared: str


_COLUMNS = (
    versions.c.id,
    versions.c.ref,
    versions.c.revision,
    versions.c.change,
    versions.c.location,
    versions.c.commit,
    versions.c.author,
    versions.c.authored_at_ms,
    versions.c.recorded_at_ms,
    versions.c.declared,
)


def versions_since(connection: Connection, revision: int, *, after: int, limit: int) -> Sequence[Version]:
    """Return versions of later revisions in their order, from behind the one with the id `after`."""
    statement = (
        select(*_COLUMNS)
        .where(versions.c.revision > revision, versions.c.id > after)
        .order_by(versions.c.revision, versions.c.id)
        .limit(limit)
    )
    return [_version(row) for row in connection.execute(statement)]


def versions_of(connection: Connection, ref: EntityRef, *, before: int | None, limit: int) -> Sequence[Version]:
    """Return the versions of one entity, the newest first, from before the one with the id `before`."""
    statement = select(*_COLUMNS).where(versions.c.ref == ref).order_by(versions.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(versions.c.id < before)
    return [_version(row) for row in connection.execute(statement)]


def _version(row: Sequence[object]) -> Version:
    identity, ref, *rest = row
    return Version(identity, EntityRef(ref), *rest)  # type: ignore[arg-type]
