"""Keeps which sources are to be looked at because of a push, with which deliveries have been heard."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, delete, exists, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from portal.errors import ConflictError
from portal.store.tables import files, heard_deliveries, pending_refreshes

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


def ask_refreshes(connection: Connection, source_ids: Collection[str], *, now_ms: int) -> None:
    """Have sources looked at; one that is to be looked at already stays one look."""
    if source_ids:
        # Both databases have this form of it, which SQLAlchemy has under two names.
        connection.execute(
            text(
                "INSERT INTO pending_refreshes (source_id, asked, asked_at_ms, taken_until_ms)"
                " VALUES (:source_id, 1, :now_ms, 0)"
                " ON CONFLICT (source_id) DO UPDATE SET asked = pending_refreshes.asked + 1"
            ),
            [{"source_id": source_id, "now_ms": now_ms} for source_id in sorted(source_ids)],
        )


def has_refreshes(connection: Connection, *, now_ms: int) -> bool:
    """Return whether there is anything to take."""
    return bool(connection.execute(select(exists().where(pending_refreshes.c.taken_until_ms <= now_ms))).scalar_one())


def take_refreshes(connection: Connection, *, now_ms: int, until_ms: int) -> dict[str, int]:
    """Return the sources to look at, each with how often that was asked; nobody else is given them before `until_ms`.

    After that they are anybody's again: whoever took them is dead, or as good as that.
    """
    statement = (
        update(pending_refreshes)
        .where(pending_refreshes.c.taken_until_ms <= now_ms)
        .values(taken_until_ms=until_ms)
        .returning(pending_refreshes.c.source_id, pending_refreshes.c.asked)
    )
    return {row.source_id: row.asked for row in connection.execute(statement)}


def finish_refreshes(connection: Connection, taken: Mapping[str, int]) -> None:
    """Forget sources that have been looked at; those that were asked for meanwhile are to be looked at again."""
    if not taken:
        return
    rows = [{"id": source_id, "times": asked} for source_id, asked in taken.items()]
    connection.execute(text("DELETE FROM pending_refreshes WHERE source_id = :id AND asked = :times"), rows)
    connection.execute(
        update(pending_refreshes).where(pending_refreshes.c.source_id.in_(sorted(taken))).values(taken_until_ms=0)
    )


def locations_like(connection: Connection, source_ids: Collection[str], part: str) -> list[tuple[str, str]]:
    """Return (source, location) of the files of sources whose location has a part in it, in any case of letters."""
    statement = select(files.c.source_id, files.c.location).where(
        files.c.source_id.in_(sorted(source_ids)), func.lower(files.c.location).contains(part.lower(), autoescape=True)
    )
    return [(row.source_id, row.location) for row in connection.execute(statement)]
