"""Keeps which deliveries of webhooks have been heard; finds the files that one concerns."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from portal.errors import ConflictError
from portal.store.tables import files, heard_deliveries

_ALREADY = "This delivery has been heard already"


def remember_deliveries(connection: Connection, keys: Collection[str], *, now_ms: int, expires_at_ms: int) -> None:
    """Note that a delivery was heard, by what no other has; what has expired is forgotten.

    Raises `ConflictError` where any of the keys is known, in another process at the same moment too.
    """
    connection.execute(delete(heard_deliveries).where(heard_deliveries.c.expires_at_ms <= now_ms))
    known = select(func.count()).select_from(heard_deliveries).where(heard_deliveries.c.key.in_(sorted(keys)))
    if connection.execute(known).scalar_one():
        raise ConflictError(_ALREADY)
    try:
        connection.execute(insert(heard_deliveries), [{"key": key, "expires_at_ms": expires_at_ms} for key in keys])
    except IntegrityError as error:
        raise ConflictError(_ALREADY) from error


def locations_like(connection: Connection, source_ids: Collection[str], part: str) -> list[tuple[str, str]]:
    """Return (source, location) of the files of sources whose location has a part in it, in any case of letters."""
    statement = select(files.c.source_id, files.c.location).where(
        files.c.source_id.in_(sorted(source_ids)), func.lower(files.c.location).contains(part.lower(), autoescape=True)
    )
    return [(row.source_id, row.location) for row in connection.execute(statement)]
