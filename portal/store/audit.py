"""Keeps the records of who did what; there is no way to change one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    case,
    delete,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    tuple_,
)

from portal.model.audit import NOBODY, AuditQuery, AuditRecord, Place
from portal.store.dialect import by_database
from portal.store.tables import audit_records, versions

_SHOWN = (
    audit_records.c.at_ms,
    audit_records.c.actor,
    audit_records.c.action,
    audit_records.c.target,
    audit_records.c.result,
    audit_records.c.request_id,
    audit_records.c.token_id,
    audit_records.c.status,
    audit_records.c.id,
)
_ORDER = (audit_records.c.at_ms, audit_records.c.id)


def add_records(connection: Connection, records: Collection[AuditRecord]) -> None:
    """Add records; each gets the next id."""
    connection.execute(
        insert(audit_records),
        [
            {
                "at_ms": record.at_ms,
                "actor": record.actor,
                "token_id": record.token_id,
                "action": record.action,
                "target": record.target,
                "result": record.result,
                "status": record.status,
                "request_id": record.request_id,
            }
            for record in records
        ],
    )


def newest(connection: Connection, query: AuditQuery, *, before: Place | None, limit: int) -> list[AuditRecord]:
    """Return the newest records that a query means, before a place where one is given, the newest first."""
    conditions = _conditions(query)
    if before is not None:
        conditions.append(tuple_(*_ORDER) < (before.at_ms, before.id))
    statement = select(*_SHOWN).where(*conditions).order_by(*(column.desc() for column in _ORDER)).limit(limit)
    return [AuditRecord(*row) for row in connection.execute(statement)]


def oldest(connection: Connection, query: AuditQuery, *, after: Place | None, limit: int) -> list[AuditRecord]:
    """Return the oldest records that a query means, after a place where one is given, the oldest first."""
    conditions = _conditions(query)
    if after is not None:
        conditions.append(tuple_(*_ORDER) > (after.at_ms, after.id))
    statement = select(*_SHOWN).where(*conditions).order_by(*_ORDER).limit(limit)
    return [AuditRecord(*row) for row in connection.execute(statement)]


def delete_before(connection: Connection, at_ms: int) -> int:
    """Delete the records of an earlier time; return how many there were."""
    return connection.execute(delete(audit_records).where(audit_records.c.at_ms < at_ms)).rowcount


def has_unseen_versions(connection: Connection, kinds: Sequence[str], *, since_ms: int) -> bool:
    """Return whether `add_versions` would add any."""
    return connection.execute(_unseen(kinds, since_ms).limit(1)).first() is not None


def add_versions(connection: Connection, kinds: Sequence[str], *, action: str, since_ms: int) -> None:
    """Add a record for each version of an entity of some kinds (lower case) that none tells of yet.

    One statement, whatever has changed: the versions are there already, and are never rewritten either.
    """
    found = _unseen(kinds, since_ms).subquery()
    told = select(
        found.c.recorded_at_ms,
        case((found.c.author == "", NOBODY), else_=literal("commit:").concat(func.substr(found.c.author, 1, 400))),
        literal(""),
        literal(action),
        func.substr(found.c.ref.concat(" ").concat(found.c.change), 1, 500),
        literal("success"),
        null(),
        found.c.commit,
        found.c.id,
    ).order_by(found.c.id)
    columns = ["at_ms", "actor", "token_id", "action", "target", "result", "status", "request_id", "version_id"]
    connection.execute(insert(audit_records).from_select(columns, told))


def _unseen(kinds: Sequence[str], since_ms: int) -> Select[tuple[int, int, str, str, str, str]]:
    last = select(func.coalesce(func.max(audit_records.c.version_id), 0)).scalar_subquery()
    return select(
        versions.c.id,
        versions.c.recorded_at_ms,
        versions.c.author,
        versions.c.ref,
        versions.c.change,
        versions.c.commit,
    ).where(
        versions.c.id > last,
        versions.c.recorded_at_ms >= since_ms,
        or_(*(versions.c.ref.like(f"{kind}:%") for kind in kinds)),
    )


def _conditions(query: AuditQuery) -> list[ColumnElement[bool]]:
    column = audit_records.c
    conditions: list[ColumnElement[bool]] = []
    if query.since_ms is not None:
        conditions.append(column.at_ms >= query.since_ms)
    if query.until_ms is not None:
        conditions.append(column.at_ms < query.until_ms)
    for name in ("actor", "action", "result"):
        value = getattr(query, name)
        if value is not None:
            conditions.append(column[name] == value)
    if query.target is not None:
        # Not LIKE, in which SQLite takes capitals for small letters.
        conditions.append(
            by_database(
                sqlite=func.instr(column.target, query.target) > 0,
                postgresql=func.strpos(column.target, query.target) > 0,
            )
        )
    return conditions
