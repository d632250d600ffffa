"""Writes down what happens in tasks, telling those who wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TypeVar

from portal.errors import JobStoppedError
from portal.scaffolder.task import TaskEvent
from portal.store import task_records, tasks
from portal.store.database import Database
from portal.store.jobs import JobClaim
from portal.store.task_records import Outcome
from portal.store.tasks import EventRow, TaskRow

Found = TypeVar("Found")

#: How often a waiting reader looks at what other processes have written, should it not hear of it.
_LOOK_SECONDS = 1.0
_CALL = "tasks"
#: How long a reader that follows a task is left without a sign of life.
_SILENCE_SECONDS = 5.0


class Journal:
    """The events of tasks; every event is stored before anybody sees it."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._changed = threading.Condition()
        self._generation = 0
        self._closed = False
        self._hears = False

    def now_ms(self) -> int:
        """Return the time."""
        return int(self._clock() * 1000)

    def append(self, task_id: str, events: Sequence[TaskEvent], *, claim: JobClaim | None = None) -> None:
        """Store events of a task. Raises `JobStoppedError` where the claim of whoever says so does not hold."""
        if not events:
            return
        with self._database.noting() as connection:
            outcome = task_records.append(
                connection, task_id, _pairs(events), now_ms=self.now_ms(), claim=claim, call=_CALL
            )
        self._told(outcome)

    def change(
        self,
        task_id: str,
        status: str,
        *,
        attempt: int,
        previous: Collection[str],
        events: Sequence[TaskEvent] = (),
        claim: JobClaim | None = None,
        template_commit: str = "",
    ) -> bool:
        """Set a task's status where it is one of `previous`, with events; return whether it was.

        It is left as it is when this `attempt` at it is not the last. Done twice, it happens once: the end of a task
        clears its secrets, and is told once. Raises `JobStoppedError` where the claim does not hold.
        """
        with self._database.noting() as connection:
            outcome = task_records.change(
                connection,
                task_id,
                status,
                _pairs(events),
                attempt=attempt,
                previous=previous,
                now_ms=self.now_ms(),
                claim=claim,
                call=_CALL,
                template_commit=template_commit,
            )
        return self._told(outcome)

    def cancel(self, task_id: str, event: TaskEvent) -> None:
        """Say that a task is cancelled, and forget its secrets."""
        now_ms = self.now_ms()
        with self._database.recording() as connection:
            tasks.clear_secrets(connection, [task_id])
            tasks.append_events(connection, task_id, _pairs([event]), now_ms=now_ms)
            self._database.calls.call(connection, _CALL)
        self._notify()

    def retry(self, task_id: str, *, secrets: str | None, recovered: TaskEvent) -> int | None:
        """Open a task again that is over, with `secrets` as ciphertext; return the attempt's number, from 1.

        Its end is not told any more, `recovered` is. None: it is not over, or not there. Rule: scaffolder-backend 4.2
        `retryTask`.
        """
        now_ms = self.now_ms()
        with self._database.recording() as connection:
            (event,) = _pairs([recovered])
            if not tasks.reopen_task(connection, task_id, secrets=secrets, event=event, now_ms=now_ms):
                return None
            attempt = tasks.attempts_of(connection, [task_id])[task_id]
            self._database.calls.call(connection, _CALL)
        self._notify()
        return attempt

    def over(self, ids: Collection[str]) -> list[str]:
        """Return those of some tasks that are not under way."""
        if not ids:
            return []
        with self._database.reading() as connection:
            found = tasks.get_tasks(connection, ids)
        return [task for task in ids if task not in found or found[task].status not in tasks.LIVE]

    def task(self, task_id: str) -> TaskRow | None:
        """Return a task, None when there is none."""
        with self._database.reading() as connection:
            return tasks.get_tasks(connection, [task_id]).get(task_id)

    def attempt(self, task_id: str) -> int:
        """Return the number of the attempt at a task that counts, from 0."""
        return self._database.lookup.attempt_at(task_id)

    def events(self, task_id: str, *, after: int = 0, types: Collection[str] = ()) -> list[EventRow]:
        """Return a task's events with an id above `after`, and its completion whatever its id."""
        with self._database.reading() as connection:
            return tasks.read_events(connection, task_id, after=after, types=types)

    def wait_for_events(self, task_id: str, *, after: int, seconds: float, starts_over: bool = False) -> list[EventRow]:
        """Return events as `events` does, waiting for the first at most so long.

        Of a task that `starts_over`, what was before it began anew is not told.
        """

        def look() -> list[EventRow]:
            found = self.events(task_id, after=after)
            return _since_recovery(found) if starts_over else found

        return next(self._looks(look, seconds), [])

    def stream(self, task_id: str, *, after: int = 0) -> Iterator[EventRow]:
        """Yield a task's events as they come, until its completion."""
        for portion in self.follow(task_id, after=after):
            yield from portion

    def follow(self, task_id: str, *, after: int = 0, starts_over: bool = False) -> Iterator[list[EventRow]]:
        """Yield a task's events as they come, in portions: an empty one where none has come for a while.

        The completion is the last, and told whatever its id; only a task that `starts_over` is followed beyond it.
        Rule: scaffolder-backend 4.2.
        """
        seen: set[int] = set()
        while not self._closed:
            portion = self._next(task_id, after=after, seen=seen, starts_over=starts_over)
            yield portion
            seen.update(event.id for event in portion)
            after = max([after, *seen])
            if not starts_over and any(event.type == "completion" for event in portion):
                return

    def _next(self, task_id: str, *, after: int, seen: Collection[int], starts_over: bool) -> list[EventRow]:
        def look() -> list[EventRow]:
            found = self.events(task_id, after=after)
            return [item for item in (_since_recovery(found) if starts_over else found) if item.id not in seen]

        return next(self._looks(look, _SILENCE_SECONDS), [])

    def is_cancelled(self, task_id: str, *, seconds: float = 0) -> bool:
        """Return whether a task was cancelled, waiting for it at most so long."""

        def look() -> list[bool]:
            return [True] if self._database.lookup.is_cancelled(task_id) else []

        return bool(next(self._looks(look, seconds), None))

    @property
    def is_closed(self) -> bool:
        """Whether all waiting has ended, as Portal stops."""
        return self._closed

    def close(self) -> None:
        """End all waiting."""
        self._closed = True
        self._notify()

    def _looks(self, look: Callable[[], list[Found]], seconds: float) -> Iterator[list[Found]]:
        """Yield what `look` finds, as soon as it finds something, until the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            with self._changed:
                seen = self._generation
            found = look()
            if found:
                yield found
            remaining = deadline - time.monotonic()
            if remaining <= 0 or self._closed:
                return
            self._hear()
            with self._changed:
                self._changed.wait_for(lambda: self._generation != seen, min(remaining, _LOOK_SECONDS))  # noqa: B023

    def _hear(self) -> None:
        """Wait for what other processes write too, from the first wait on."""
        if not self._hears:
            self._hears = True
            self._database.calls.hear(_CALL, self._notify)

    def _told(self, outcome: Outcome) -> bool:
        if outcome == "lost":
            raise JobStoppedError
        self._notify()
        return outcome == "written"

    def _notify(self) -> None:
        with self._changed:
            self._generation += 1
            self._changed.notify_all()


def _since_recovery(events: list[EventRow]) -> list[EventRow]:
    """Return the events since a task began anew, that one with them; none while nothing has come after it.

    Rule: scaffolder-backend 4.2 `trimEventsTillLastRecovery`.
    """
    begins = [index for index, event in enumerate(events) if event.type == "recovered"]
    if not begins:
        return events
    return [] if begins[-1] == len(events) - 1 else events[begins[-1] :]


def _pairs(events: Sequence[TaskEvent]) -> list[tuple[str, dict[str, object]]]:
    return [(event.type, dict(event.body)) for event in events]
