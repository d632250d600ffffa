"""Wakes what looks into the queue of jobs, as it would look in vain or too late by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Bell(threading.Event):
    """Ends a wait before its time: for good when it is set, once when it is rung; it never ends without room."""

    def __init__(
        self, *, gather: Callable[[], None], await_room: Callable[[], None], rest_seconds: Callable[[], float]
    ) -> None:
        """Each look that was rung for waits with `gather` for others to be rung for, any other for `rest_seconds`."""
        super().__init__()
        self._gather = gather
        self._await_room = await_room
        self._rest_seconds = rest_seconds
        self._called = threading.Event()

    def ring(self) -> None:
        """End the wait that goes on, or the next."""
        self._called.set()

    def set(self) -> None:
        """End all waits."""
        super().set()
        self._called.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, for the time that is given or for a longer rest, then for room; return whether the bell is set."""
        if self._called.wait(None if timeout is None else max(timeout, self._rest_seconds())):
            self._gather()
        self._await_room()
        # Whoever rings now has written what the next look sees.
        self._called.clear()
        return self.is_set()
