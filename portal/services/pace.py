"""Lets few of many threads begin at once, so that those that compute do not get in each other's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: More threads of one interpreter than these only take turns at it (measured: ten tasks at once took a third longer).
_AT_ONCE = 3
#: Who takes longer mostly waits, for a host or a person, and holds nobody up.
_LONGEST_SECONDS = 0.25


class Pace:
    """A place for each of `at_once` threads; one that is held for longer than `longest_seconds` counts no more."""

    def __init__(
        self,
        *,
        at_once: int = _AT_ONCE,
        longest_seconds: float = _LONGEST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_once = at_once
        self._longest_seconds = longest_seconds
        self._clock = clock
        self._changed = threading.Condition()
        #: When each of those that hold a place took it, the longest ago first.
        self._begun: list[float] = []

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for the block, waiting until there is one."""
        with self._changed:
            while (rest := self._rest()) > 0:
                self._changed.wait(rest)
            begun = self._clock()
            self._begun.append(begun)
        try:
            yield
        finally:
            with self._changed:
                self._begun.remove(begun)
                self._changed.notify()

    def _rest(self) -> float:
        """Return how long to wait for a place if nobody leaves; 0 where there is one."""
        if len(self._begun) < self._at_once:
            return 0.0
        return self._begun[-self._at_once] + self._longest_seconds - self._clock()
