"""Lets those who ask the same at the same time share an answer that is as new as if each had asked alone."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

#: How long an answer is kept for those who ask for one since a moment that has passed; clocks may differ by as much.
_KEPT_SECONDS = 5.0
_MOST_KEPT = 256


class SharedAnswers(Generic[Answer]):
    """Answers by what is asked.

    Whoever comes while a question is under way does not take its answer, which may be older than the asking, but waits
    for it to end and shares the next one with all others who came meanwhile. Who needs one that is as new as a moment
    before, such as when a task was queued, takes one that was asked for after it.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next: dict[Hashable, Future[Answer]] = {}
        self._turns: defaultdict[Hashable, threading.Lock] = defaultdict(threading.Lock)
        #: When each was asked for, with what it was.
        self._kept: dict[Hashable, tuple[float, Answer]] = {}

    def of(self, asked: Hashable, find: Callable[[], Answer], *, since: float | None = None) -> Answer:
        """Return what `find` gives, called by one of those who ask together; what it raises all of them raise.

        An answer that was asked for after `since` (seconds since the epoch, as of any process) will do.
        """
        with self._lock:
            kept = self._kept.get(asked)
            if since is not None and kept is not None and since < kept[0] and self._clock() < kept[0] + _KEPT_SECONDS:
                return kept[1]
            is_first = asked not in self._next
            answer: Future[Answer] = self._next.setdefault(asked, Future())
            turn = self._turns[asked]
        if is_first:
            with turn:
                with self._lock:
                    # Who comes from now on has to ask again.
                    del self._next[asked]
                begun = self._clock()
                try:
                    answer.set_result(find())
                except BaseException as fault:  # noqa: BLE001  # raised below, to each of them
                    answer.set_exception(fault)
                else:
                    self._keep(asked, begun, answer.result())
        return answer.result()

    def _keep(self, asked: Hashable, begun: float, found: Answer) -> None:
        with self._lock:
            self._kept.pop(asked, None)
            self._kept[asked] = begun, found
            while len(self._kept) > _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
