"""Shares the looks at sources out among all workers of a database."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

import orjson

from portal.store import looks
from portal.store.database import Database
from portal.store.slots import living_slots

#: So many sources are looked at together: enough to ask their remotes side by side, few enough to share.
_PORTION = 32
_RETRY_SECONDS = 60.0
#: A source that is looked at by hand only is due then.
_NEVER_MS = 1 << 62


class Schedule:
    """When each source is looked at next: every so many `seconds`, or when somebody wants it; by one worker.

    What a worker has taken is free again when that is not there any more.
    """

    def __init__(self, database: Database, *, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._wanted = threading.Event()

    def want(self, wanted: Mapping[str, Collection[str]]) -> None:
        """Let a worker look at sources, by id, as soon as one can, and read these of their files though unchanged.

        Asked for many times before that, it is done once; asked for during a look, it is done after that.
        """
        with self._database.recording() as connection:
            looks.want(connection, wanted, due_at_ms=looks.clock_ms(connection))
        self._wanted.set()

    def want_all(self) -> None:
        """Let workers look at all sources that are looked at regularly."""
        if self._seconds:
            with self._database.recording() as connection:
                looks.bring_forward(connection, due_at_ms=looks.clock_ms(connection))

    def take(self, number: int) -> dict[str, str]:
        """Take a portion of what is due for the worker of a number; empty when nothing is.

        The values are for `done` and `failed`; see also `files`.
        """
        # What is due is asked for often, and seldom something is: writing waits for others on SQLite.
        with self._database.reading() as connection:
            living = living_slots(connection, own=number)
            if not looks.is_any_due(connection, living=living, now_ms=looks.clock_ms(connection)):
                return {}
        with self._database.recording() as connection:
            now_ms = looks.clock_ms(connection)
            looks.plan(connection, due_at_ms=now_ms if self._seconds else _NEVER_MS)
            return looks.take(
                connection,
                holder=number,
                living=living_slots(connection, own=number),
                now_ms=now_ms,
                next_due_ms=now_ms + int(self._seconds * 1000) if self._seconds else _NEVER_MS,
                limit=_PORTION,
            )

    def done(self, number: int, taken: Mapping[str, str]) -> None:
        """Say that a worker has looked at what it took."""
        with self._database.recording() as connection:
            looks.give_back(connection, taken, holder=number)

    def failed(self, number: int, taken: Mapping[str, str]) -> None:
        """Say that a worker could not look at what it took; it is due again in a minute at the latest."""
        with self._database.recording() as connection:
            due_at_ms = looks.clock_ms(connection) + int((self._seconds or _RETRY_SECONDS) * 1000)
            looks.put_off(connection, taken, holder=number, due_at_ms=due_at_ms)

    def wait(self, seconds: float) -> None:
        """Wait so long, or until something is wanted within this process, or `wake`."""
        self._wanted.wait(seconds)
        self._wanted.clear()

    def wake(self) -> None:
        """End a wait."""
        self._wanted.set()


def files(taken: Mapping[str, str]) -> set[str]:
    """Return the files to read though unchanged of what was taken."""
    return {location for again in taken.values() for location in orjson.loads(again)}
