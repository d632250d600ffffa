"""Lets those who ask the same at the same time share an answer that is as new as if each had asked alone."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class SharedAnswers(Generic[Answer]):
    """Answers by what is asked; nothing is remembered.

    Whoever comes while a question is under way does not take its answer, which may be older than the asking, but waits
    for it to end and shares the next one with all others who came meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: dict[Hashable, Future[Answer]] = {}
        self._turns: defaultdict[Hashable, threading.Lock] = defaultdict(threading.Lock)

    def of(self, asked: Hashable, find: Callable[[], Answer]) -> Answer:
        """Return what `find` gives, called by one of those who ask together; what it raises all of them raise."""
        with self._lock:
            is_first = asked not in self._next
            answer: Future[Answer] = self._next.setdefault(asked, Future())
            turn = self._turns[asked]
        if is_first:
            with turn:
                with self._lock:
                    # Who comes from now on has to ask again.
                    del self._next[asked]
                try:
                    answer.set_result(find())
                except BaseException as fault:  # noqa: BLE001  # raised below, to each of them
                    answer.set_exception(fault)
        return answer.result()
