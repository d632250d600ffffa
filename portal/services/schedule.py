"""Shares the looks at sources out among all workers of a database."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

import orjson

from portal.store import looks
from portal.store.database import Connection, Database
from portal.store.slots import living_slots

#: So many sources are looked at together: enough to ask their remotes side by side, few enough to share.
_PORTION = 32
_RETRY_SECONDS = 60.0
#: Pushes seldom come alone: those of so long make one look.
_GATHER_SECONDS = 0.2
#: A source that is looked at by hand only is due then.
_NEVER_MS = 1 << 62


class Looks:
    """The looks at sources of one kind: each is one worker's, until that is not there any more.

    `seconds` is the time between two looks at a source, 0 for none; None for looks that somebody wants.
    """

    def __init__(self, database: Database, *, seconds: float | None) -> None:
        self._database = database
        self._seconds = seconds
        self._turn = looks.WANTED if seconds is None else looks.REGULAR
        self._woken = threading.Event()
        self._due_in_seconds: float | None = None

    def want_all(self) -> None:
        """Let workers look at all sources, if they do so regularly."""
        if self._seconds:
            with self._database.recording() as connection:
                looks.bring_forward(connection, due_at_ms=looks.clock_ms(connection))

    def take(self, number: int) -> dict[str, str]:
        """Take a portion of what is due for the worker of a number; empty when nothing is.

        The values are for `done` and `failed`; see also `files`.
        """
        self._due_in_seconds = None
        # What is due is asked for often, and seldom something is: writing waits for others on SQLite.
        with self._database.reading() as connection:
            now_ms, next_ms, has_held, has_unplanned = looks.outlook(connection, self._turn, own=number)
            is_due = next_ms is not None and next_ms <= now_ms
            if has_held and not is_due:
                is_due = looks.has_orphans(connection, self._turn, living=living_slots(connection, own=number))
        if not is_due and not (has_unplanned and self._seconds is not None):
            self._due_in_seconds = None if next_ms is None else (next_ms - now_ms) / 1000
            return {}
        with self._database.recording() as connection:
            now_ms = looks.clock_ms(connection)
            if self._seconds is not None:
                looks.plan(connection, due_at_ms=_planned_ms(now_ms, self._seconds))
            return looks.take(
                connection,
                self._turn,
                holder=number,
                living=living_slots(connection, own=number),
                now_ms=now_ms,
                next_due_ms=self._following_ms(now_ms),
                limit=_PORTION,
            )

    def done(self, number: int, taken: Mapping[str, str]) -> None:
        """Say that a worker has looked at what it took."""
        with self._database.recording() as connection:
            looks.give_back(connection, self._turn, taken, holder=number)

    def failed(self, number: int, taken: Mapping[str, str]) -> None:
        """Say that a worker could not look at what it took; it is due again in a minute at the latest."""
        with self._database.recording() as connection:
            seconds = min(self._seconds or _RETRY_SECONDS, _RETRY_SECONDS)
            due_at_ms = looks.clock_ms(connection) + int(seconds * 1000)
            looks.put_off(connection, self._turn, taken, holder=number, due_at_ms=due_at_ms)

    def wait(self, seconds: float) -> None:
        """Wait so long, or until what `take` did not find due yet is, or `wake`."""
        due = self._due_in_seconds
        self._woken.wait(seconds if due is None else min(seconds, due))
        self._woken.clear()

    def wake(self) -> None:
        """End a wait, or the next one."""
        self._woken.set()

    def _following_ms(self, now_ms: int) -> int | None:
        if self._seconds is None:
            return None
        return now_ms + int(self._seconds * 1000) if self._seconds else _NEVER_MS


class Schedule:
    """When each source is looked at next: every so many `seconds`, and when somebody wants it.

    The two are apart: a regular look may wait for a host that does not answer, and wanted ones do not wait for it. Of
    two that write the same source one reads it again.
    """

    def __init__(self, database: Database, *, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self.regular = Looks(database, seconds=seconds)
        self.wanted = Looks(database, seconds=None)

    def want(self, wanted: Mapping[str, Collection[str]]) -> None:
        """Let a worker look at sources, by id, as soon as one can, and read these of their files though unchanged.

        Asked for many times before that, it is done once; asked for during a look, it is done after that.
        """
        with self._database.recording() as connection:
            self._want(connection, wanted)
        self.wanted.wake()

    def want_soon(self, connection: Connection, ids: Collection[str]) -> None:
        """Let a worker look at sources in a moment, in a transaction that records; the same look is for all until then.

        What is recorded is found without a word, and sooner with `wanted.wake`.
        """
        self._want(connection, dict.fromkeys(ids, ()), in_seconds=_GATHER_SECONDS)

    def _want(self, connection: Connection, wanted: Mapping[str, Collection[str]], *, in_seconds: float = 0) -> None:
        now_ms = looks.clock_ms(connection)
        looks.plan(connection, due_at_ms=_planned_ms(now_ms, self._seconds))
        looks.want(connection, wanted, due_at_ms=now_ms + int(in_seconds * 1000))


def _planned_ms(now_ms: int, seconds: float) -> int:
    """Return when a source is regularly looked at first, every so many `seconds` or never."""
    return now_ms if seconds else _NEVER_MS


def files(taken: Mapping[str, str]) -> set[str]:
    """Return the files to read though unchanged of what was taken."""
    return {location for again in taken.values() for location in orjson.loads(again)}
