"""Keeps what users set for themselves in front ends, as JSON texts."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, func, select, text, tuple_

from portal.model.ref import EntityRef
from portal.store.dialect import in_chunks
from portal.store.tables import user_settings

#: A bucket with a key in it.
Place = tuple[str, str]
#: As both databases have it: SQLAlchemy's own is of each of them apart, and to load them takes a tenth of a second.
_PUT = text(
    "INSERT INTO user_settings (user_ref, bucket, key, value) VALUES (:user_ref, :bucket, :key, :value)"
    " ON CONFLICT (user_ref, bucket, key) DO UPDATE SET value = excluded.value"
)
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
    connection.execute(_PUT, {"user_ref": user, "bucket": bucket, "key": key, "value": value})


def drop_setting(connection: Connection, user: EntityRef, place: Place) -> None:
    """Remove a setting; none is there afterwards."""
    bucket, key = place
    columns = user_settings.c
    connection.execute(
        delete(user_settings).where(columns.user_ref == user, columns.bucket == bucket, columns.key == key)
    )
