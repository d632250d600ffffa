"""Answers that those who ask together share."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from waiting import eventually

from portal.errors import InputError
from portal.services.shared_answers import SharedAnswers


def test_those_who_come_meanwhile_share_the_next_answer() -> None:
    shared: SharedAnswers[int] = SharedAnswers()
    numbers, begun, gate = count(1), threading.Event(), threading.Event()

    def find() -> int:
        number = next(numbers)
        begun.set()
        assert gate.wait(60)
        return number

    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(shared.of, "a", find)
        assert begun.wait(60)
        others = [threads.submit(shared.of, "a", find) for _ in range(5)]
        eventually(lambda: len(shared._next) == 1 and all(other.running() for other in others), "the others to wait")
        assert threads.submit(shared.of, "b", lambda: 0).result(60) == 0
        gate.set()
        assert first.result(60) == 1
        # Whoever was not yet in line when the second began shares the third.
        assert {other.result(60) for other in others} <= {2, 3}
    assert shared.of("a", find) == next(numbers) - 1


def test_what_is_raised_is_raised_to_all_and_the_next_asks_anew() -> None:
    shared: SharedAnswers[int] = SharedAnswers()

    def fail() -> int:
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        shared.of("a", fail)
    assert shared.of("a", lambda: 1) == 1


def test_an_answer_asked_for_after_a_moment_will_do_for_a_while() -> None:
    now = 100.0
    shared: SharedAnswers[int] = SharedAnswers(clock=lambda: now)
    numbers = count(1)
    assert shared.of("a", lambda: next(numbers), since=99.0) == 1
    assert shared.of("a", lambda: next(numbers), since=99.5) == 1
    # Asked for at that moment, it may not know what happened in it; who names no moment asks anew.
    assert shared.of("a", lambda: next(numbers), since=100.0) == 2
    assert shared.of("a", lambda: next(numbers)) == 3
    assert shared.of("b", lambda: next(numbers), since=99.0) == 4
    now = 110.0
    assert shared.of("a", lambda: next(numbers), since=99.0) == 5


def test_a_fault_is_not_kept() -> None:
    shared: SharedAnswers[int] = SharedAnswers()

    def fail() -> int:
        raise InputError("no")

    with pytest.raises(InputError):
        shared.of("a", fail, since=0.0)
    assert shared.of("a", lambda: 1, since=0.0) == 1


def test_only_so_many_answers_are_kept() -> None:
    shared: SharedAnswers[int] = SharedAnswers()
    for number in range(1000):
        shared.of(number, lambda: 0)
    assert len(shared._kept) == 256
