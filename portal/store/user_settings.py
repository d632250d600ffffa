"""Keeps what users set for themselves in front ends, as JSON texts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from sqlalchemy import Connection, Table, delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from portal.model.ref import EntityRef
from portal.store.dialect import in_chunks
from portal.store.tables import user_settings

#: A bucket with a key in it.
Place = tuple[str, str]
#: Both databases have it, and know a list of pairs.
_INSERT: Mapping[str, Callable[[Table], postgresql.Insert | sqlite.Insert]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}
_PLACE = (user_settings.c.bucket, user_settings.c.key)


def settings_at(connection: Connection, user: EntityRef, places: Collection[Place]) -> dict[Place, str]:
    """Return the JSON texts of those of a user's settings that are there."""
    found: dict[Place, str] = {}
    for chunk in in_chunks(sorted(set(places))):
        statement = select(user_settings).where(user_settings.c.user_ref == user, tuple_(*_PLACE).in_(chunk))
        for row in connection.execute(statement):
            found[(row.bucket, row.key)] = row.value
    return found


def count_settings(connection: Connection, user: EntityRef, *, beside: Place) -> int:
    """Return how many settings a user has beside that of one place."""
    is_other = tuple_(*_PLACE) != tuple_(*beside)
    statement = select(func.count()).select_from(user_settings).where(user_settings.c.user_ref == user, is_other)
    return connection.execute(statement).scalar_one()


def put_setting(connection: Connection, user: EntityRef, place: Place, value: str) -> None:
    """Set a setting to a JSON text, whether it is there or not."""
    bucket, key = place
    insert = _INSERT[connection.dialect.name](user_settings)
    statement = insert.on_conflict_do_update(index_elements=["user_ref", "bucket", "key"], set_={"value": value})
    connection.execute(statement, {"user_ref": user, "bucket": bucket, "key": key, "value": value})


def drop_setting(connection: Connection, user: EntityRef, place: Place) -> None:
    """Remove a setting; none is there afterwards."""
    bucket, key = place
    columns = user_settings.c
    connection.execute(
        delete(user_settings).where(columns.user_ref == user, columns.bucket == bucket, columns.key == key)
    )
