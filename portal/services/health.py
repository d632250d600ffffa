"""Tells whether this process can do its work."""

from __future__ import annotations

from collections.abc import Callable

from portal.model.sentence import Sentence
from portal.store import schema
from portal.store.catalog import is_reachable
from portal.store.database import Database


class HealthService:
    """Whether requests should be sent here."""

    def __init__(self, database: Database, *, is_stopping: Callable[[], bool] = lambda: False) -> None:
        self._database = database
        self._is_stopping = is_stopping
        self._needed = schema.newest_version()

    def hindrance(self) -> str | None:
        """Return why no request should be sent here now, None where nothing speaks against it.

        A database of another shape is one that another process brings to a new shape, or has: what this one would read
        there is not known.
        """
        if self._is_stopping():
            return Sentence("Portal is stopping")
        if not is_reachable(self._database):
            return Sentence("The database does not answer")
        with self._database.reading() as connection:
            version = schema.version_of(connection)
        if version != self._needed:
            return Sentence(
                'The database has the shape "%(version)s"; this Portal needs "%(needed)s"',
                version=version,
                needed=self._needed,
            )
        return None
