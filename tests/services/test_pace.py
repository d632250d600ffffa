"""Few of many threads that begin at once, whoever takes long."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from waiting import eventually

from portal.services.pace import Pace


def test_no_more_than_so_many_hold_a_place():
    pace, held, most, lock = Pace(at_once=2, longest_seconds=600), 0, 0, threading.Lock()
    twos = threading.Barrier(2, timeout=60)

    def work():
        nonlocal held, most
        with pace.place():
            with lock:
                held += 1
                most = max(most, held)
            twos.wait()
            with lock:
                held -= 1

    with ThreadPoolExecutor(6) as threads:
        for done in [threads.submit(work) for _ in range(6)]:
            done.result(60)
    assert most == 2


def test_one_that_takes_long_holds_nobody_up():
    now = 0.0
    pace = Pace(at_once=1, longest_seconds=5, clock=lambda: now)
    with pace.place():
        now = 5.0
        with pace.place():
            assert len(pace._begun) == 2
        # Those that have left are forgotten, those that take long stay so.
        with pace.place():
            pass
    assert pace._begun == []


def test_who_waits_goes_on_when_another_leaves_by_a_fault():
    pace = Pace(at_once=1, longest_seconds=600)
    is_in, gate = threading.Event(), threading.Event()

    def fail():
        with pace.place():
            is_in.set()
            assert gate.wait(60)
            raise ValueError

    def take():
        with pace.place():
            return len(pace._begun)

    with ThreadPoolExecutor(2) as threads:
        failing = threads.submit(fail)
        assert is_in.wait(60)
        waiting = threads.submit(take)
        eventually(waiting.running, "the other to wait")
        assert len(pace._begun) == 1
        gate.set()
        assert isinstance(failing.exception(60), ValueError)
        assert waiting.result(60) == 1
    assert pace._begun == []
