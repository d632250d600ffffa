"""Keeps what users set for themselves in front ends: stars, themes, what they have folded away."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from portal.errors import ConflictError, InputError, NotFoundError
from portal.model.ref import EntityRef
from portal.store import user_settings
from portal.store.database import Database
from portal.store.user_settings import Place

#: Characters of a bucket, and of a key. Rule: user-settings-backend 0.4, whose columns hold as many.
LONGEST_NAME = 255
#: The stars of a thousand entities.
MOST_BYTES = 64 * 1024
MOST_SETTINGS = 500


class UserSettings:
    """The settings of all users, each of whom sees their own alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def values(self, user: EntityRef, places: Collection[Place]) -> dict[Place, Any]:
        """Return the values of a user's settings, by bucket and key, of those that are there."""
        known = [place for place in places if "\0" not in "".join(place)]
        with self._database.reading() as connection:
            found = user_settings.settings_at(connection, user, known)
        return {place: orjson.loads(text) for place, text in found.items()}

    def value(self, user: EntityRef, place: Place) -> Any:
        """Return the value of one setting. Raises `NotFoundError`."""
        found = self.values(user, [place])
        if place not in found:
            bucket, key = place
            raise NotFoundError(f"Unable to find '{key[:LONGEST_NAME]}' in bucket '{bucket[:LONGEST_NAME]}'")
        return found[place]

    def put(self, user: EntityRef, place: Place, value: Any) -> None:
        """Set a setting, which may be there. Raises `InputError`, `ConflictError` for one too many."""
        for name in place:
            if not 1 <= len(name) <= LONGEST_NAME or "\0" in name:
                raise InputError(f"A bucket and a key have 1 to {LONGEST_NAME} characters, without NUL")
        text = orjson.dumps(value)
        if len(text) > MOST_BYTES:
            raise InputError(f"A setting has at most {MOST_BYTES} bytes")
        with self._database.recording() as connection:
            if user_settings.count_settings(connection, user, beside=place) >= MOST_SETTINGS:
                raise ConflictError(f"{user} has {MOST_SETTINGS} settings already")
            user_settings.put_setting(connection, user, place, text.decode())

    def remove(self, user: EntityRef, place: Place) -> None:
        """Remove a setting, if it is there."""
        if "\0" in "".join(place):
            return
        with self._database.recording() as connection:
            user_settings.drop_setting(connection, user, place)
