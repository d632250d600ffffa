"""Gathers what a step tells for a moment, so that a short step costs one transaction for all that it tells."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from portal.scaffolder.task import TaskEvent

#: As quick as people who watch a task could wish.
_MOMENT_SECONDS = 0.1
_MOST_EVENTS = 500


class Telling:
    """Writes events in their order, each a moment after it was told at the latest; `seconds` 0: at once.

    What `write` raises is raised where the next event is told, or at `flush`: then nothing more is written.
    """

    def __init__(self, write: Callable[[Sequence[TaskEvent]], None], *, seconds: float = _MOMENT_SECONDS) -> None:
        self._write = write
        self._seconds = seconds
        self._waiting: list[TaskEvent] = []
        self._timer: threading.Timer | None = None
        self._fault: BaseException | None = None
        self._lock = threading.Lock()

    def tell(self, events: Sequence[TaskEvent]) -> None:
        """Take events, to be written soon."""
        with self._lock:
            self._raise()
            self._waiting += events
            if not self._seconds or len(self._waiting) >= _MOST_EVENTS:
                self._put()
                self._raise()
            elif self._timer is None:
                self._timer = threading.Timer(self._seconds, self._due)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what has been told."""
        with self._lock:
            self._raise()
            self._put()
            self._raise()

    def close(self) -> None:
        """Write what has been told, where that may be, as nothing more will be: no thread is left behind."""
        with self._lock:
            if self._fault is None:
                self._put()

    def _due(self) -> None:
        with self._lock:
            if self._fault is None:
                self._put()

    def _put(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        events, self._waiting = self._waiting, []
        if events:
            try:
                self._write(events)
            except BaseException as fault:  # noqa: BLE001  # raised again where the step goes on
                self._fault = fault

    def _raise(self) -> None:
        if self._fault is not None:
            raise self._fault
