"""Workers share the looks at sources: each is looked at once, and what a dead one had taken is free again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select, text
from waiting import eventually

from portal.services.duty import Duty
from portal.services.schedule import Schedule, files
from portal.store.database import Database
from portal.store.looks import clock_ms
from portal.store.slots import living_slots
from portal.store.sources import Source, add_sources, delete_sources
from portal.store.tables import looks

ROOT = Path(__file__).resolve().parents[2]
POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
HOUR = 3600.0


@pytest.fixture
def worker(database: Database) -> Iterator[Callable[[], Duty]]:
    """Put another worker on duty."""
    made: list[Duty] = []

    def make() -> Duty:
        made.append(Duty(database))
        assert made[-1].hold()
        return made[-1]

    yield make
    for duty in made:
        duty.stop()


def add(database: Database, *names: str) -> None:
    with database.writing() as connection:
        add_sources(connection, [Source(name, "url", f"https://{name}", registered=False) for name in names], now_ms=0)


def test_a_source_is_looked_at_once_a_period(database: Database, worker: Callable[[], Duty]) -> None:
    one, schedule = worker(), Schedule(database, seconds=HOUR)
    add(database, "a", "b")
    assert schedule.regular.take(one.number).keys() == {"a", "b"}
    assert schedule.regular.take(one.number) == {}
    schedule.regular.done(one.number, {"a": "[]", "b": "[]"})
    assert schedule.regular.take(one.number) == {}
    add(database, "c")
    assert schedule.regular.take(one.number).keys() == {"c"}
    schedule.regular.done(one.number, {"c": "[]"})
    schedule.regular.want_all()
    assert schedule.regular.take(one.number).keys() == {"a", "b", "c"}


def test_a_period_that_is_over_brings_the_next_look(database: Database, worker: Callable[[], Duty]) -> None:
    one, schedule = worker(), Schedule(database, seconds=0.05)
    add(database, "a")
    taken = schedule.regular.take(one.number)
    assert taken == {"a": "[]"}
    schedule.regular.done(one.number, taken)
    eventually(lambda: schedule.regular.take(one.number) == taken, "the next look")


@POSTGRESQL
def test_two_workers_take_different_sources_and_one_takes_over_from_the_dead(
    database: Database, worker: Callable[[], Duty]
) -> None:
    one, two, schedule = worker(), worker(), Schedule(database, seconds=HOUR)
    add(database, *map(str, range(40)))
    first, second = schedule.regular.take(one.number), schedule.regular.take(two.number)
    assert len(first) == 32
    assert not first.keys() & second.keys()
    assert len(first) + len(second) == 40
    assert schedule.regular.take(two.number) == {}
    one.stop()
    assert schedule.regular.take(two.number).keys() == first.keys()
    # The dead one was only asleep: what it says now is nobody's business.
    schedule.regular.done(one.number, first)
    schedule.regular.failed(one.number, first)
    assert schedule.regular.take(two.number) == {}
    schedule.regular.done(two.number, first)
    schedule.regular.want_all()
    assert schedule.regular.take(two.number).keys() == first.keys()


def test_a_source_that_is_wanted_many_times_is_looked_at_once(database: Database, worker: Callable[[], Duty]) -> None:
    one, schedule = worker(), Schedule(database, seconds=0)
    add(database, "a", "b")
    assert schedule.regular.take(one.number) == {}
    assert schedule.wanted.take(one.number) == {}
    schedule.want({"a": ["url:x"]})
    schedule.want({"a": ["url:y", "url:x"]})
    taken = schedule.wanted.take(one.number)
    assert (set(taken), files(taken)) == ({"a"}, {"url:x", "url:y"})
    assert schedule.wanted.take(one.number) == {}
    schedule.wanted.done(one.number, taken)
    assert schedule.wanted.take(one.number) == {}
    schedule.want({"a": []})
    assert schedule.wanted.take(one.number) == {"a": "[]"}


def test_what_is_wanted_during_a_look_is_done_after_it(database: Database, worker: Callable[[], Duty]) -> None:
    one, schedule = worker(), Schedule(database, seconds=HOUR)
    add(database, "a")
    schedule.want({"a": ["url:x"]})
    taken = schedule.wanted.take(one.number)
    schedule.want({"a": ["url:y"]})
    assert schedule.wanted.take(one.number) == {}
    schedule.wanted.done(one.number, taken)
    again = schedule.wanted.take(one.number)
    assert files(again) == {"url:x", "url:y"}
    schedule.wanted.done(one.number, again)
    schedule.want({"a": []})
    assert schedule.wanted.take(one.number) == {"a": orjson.dumps([]).decode()}


def test_what_fails_comes_again_with_its_files(database: Database, worker: Callable[[], Duty]) -> None:
    one, schedule = worker(), Schedule(database, seconds=0.05)
    add(database, "a")
    taken = schedule.regular.take(one.number)
    schedule.regular.failed(one.number, taken)
    eventually(lambda: schedule.regular.take(one.number) == taken, "the next try")

    schedule.want({"a": ["url:x"]})
    schedule.wanted.failed(one.number, schedule.wanted.take(one.number))
    assert schedule.wanted.take(one.number) == {}
    assert wanted_at_ms(database, "a") <= now_ms(database) + 60_000
    schedule.want({"a": []})  # who wants it again need not wait so long
    assert files(schedule.wanted.take(one.number)) == {"url:x"}


def test_what_is_wanted_during_a_look_that_fails_need_not_wait(database: Database, worker: Callable[[], Duty]) -> None:
    one, schedule = worker(), Schedule(database, seconds=HOUR)
    add(database, "a")
    schedule.want({"a": []})
    taken = schedule.wanted.take(one.number)
    schedule.want({"a": []})
    schedule.wanted.failed(one.number, taken)
    assert schedule.wanted.take(one.number) == taken


def test_what_somebody_wants_waits_for_no_regular_look(database: Database, worker: Callable[[], Duty]) -> None:
    one, schedule = worker(), Schedule(database, seconds=HOUR)
    add(database, "a", "b")
    regular = schedule.regular.take(one.number)
    schedule.want({"a": ["url:x"]})
    wanted = schedule.wanted.take(one.number)
    assert (regular.keys(), files(regular)) == ({"a", "b"}, set())
    assert (wanted.keys(), files(wanted)) == ({"a"}, {"url:x"})
    # Each gives back its own.
    schedule.regular.done(one.number, regular)
    schedule.regular.want_all()
    assert schedule.wanted.take(one.number) == {}
    schedule.wanted.failed(one.number, wanted)
    assert schedule.regular.take(one.number) == regular
    schedule.wanted.done(one.number, wanted)
    assert schedule.regular.take(one.number) == {}


def test_what_is_pushed_is_looked_at_in_a_moment_with_what_is_pushed_until_then(
    database: Database, worker: Callable[[], Duty]
) -> None:
    one, schedule = worker(), Schedule(database, seconds=0)
    add(database, "a", "b")
    begun = now_ms(database)
    push(schedule, database, "a")
    first = wanted_at_ms(database, "a")
    assert begun + 200 <= first <= now_ms(database) + 200
    push(schedule, database, "a", "b")
    assert wanted_at_ms(database, "a") == first  # the second waits with the first, and does not put it off
    found: set[str] = set()

    def both() -> bool:
        found.update(schedule.wanted.take(one.number))
        return found == {"a", "b"}

    eventually(both, "the looks")
    assert schedule.wanted.take(one.number) == {}


def test_who_waits_for_work_wakes_when_it_is_due(database: Database, worker: Callable[[], Duty]) -> None:
    one, schedule = worker(), Schedule(database, seconds=0)
    add(database, "a")
    push(schedule, database, "a")
    begun, taken = time.monotonic(), schedule.wanted.take(one.number)
    while not taken:  # again where the moment is not quite there
        schedule.wanted.wait(60)
        taken = schedule.wanted.take(one.number)
    assert time.monotonic() - begun < 60


@POSTGRESQL
def test_what_is_wanted_is_one_workers_until_that_dies(database: Database, worker: Callable[[], Duty]) -> None:
    one, two, schedule = worker(), worker(), Schedule(database, seconds=HOUR)
    add(database, "a", "b")
    schedule.want({"a": ["url:x"]})
    taken = schedule.wanted.take(one.number)
    assert schedule.wanted.take(two.number) == {}
    schedule.want({"b": []})
    assert schedule.wanted.take(two.number).keys() == {"b"}
    one.stop()
    assert schedule.wanted.take(two.number) == taken
    # The dead one was only asleep: what it says now is nobody's business.
    schedule.wanted.done(one.number, taken)
    schedule.wanted.failed(one.number, taken)
    assert schedule.wanted.take(two.number) == {}
    two.stop()
    three = worker()
    assert files(schedule.wanted.take(three.number)) == {"url:x"}


def push(schedule: Schedule, database: Database, *names: str) -> None:
    with database.recording() as connection:
        schedule.want_soon(connection, names)


def wanted_at_ms(database: Database, name: str) -> int:
    """Return when a source is due that somebody wants."""
    with database.reading() as connection:
        found: int = connection.execute(select(looks.c.wanted_at_ms).where(looks.c.source_id == name)).scalar_one()
        return found


def now_ms(database: Database) -> int:
    with database.reading() as connection:
        return clock_ms(connection)


def test_a_source_that_goes_is_looked_at_no_more(database: Database, worker: Callable[[], Duty]) -> None:
    one, schedule = worker(), Schedule(database, seconds=HOUR)
    add(database, "a")
    schedule.want({"a": []})
    with database.writing() as connection:
        delete_sources(connection, ["a"])
    schedule.want({"a": []})
    assert schedule.wanted.take(one.number) == {}


@POSTGRESQL
def test_a_worker_whose_connection_is_lost_comes_back(database: Database, worker: Callable[[], Duty]) -> None:
    one = worker()
    with database.recording() as connection:
        ended = text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = :number")
        connection.execute(ended, {"number": one.number})
    eventually(lambda: one.number not in living(database), "the loss")
    eventually(lambda: one.hold() and one.number in living(database), "the return")


@POSTGRESQL
def test_a_worker_that_is_stopped_loses_its_place_until_it_wakes(database_url: str, database: Database) -> None:
    script = f"""
import threading
from portal.services.duty import Duty
from portal.store.database import Database
from portal.store.looks import clock_ms
duty = Duty(Database({database_url!r}), lease_seconds=2)
duty.start()
print(duty.number, flush=True)
threading.Event().wait()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        eventually(lambda: number in living(database), "the place")
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: number not in living(database), "the loss")
        process.send_signal(signal.SIGCONT)
        eventually(lambda: number in living(database), "the return")
        process.kill()
        eventually(lambda: number not in living(database), "the end")


def living(database: Database) -> frozenset[int]:
    with database.reading() as connection:
        return living_slots(connection, own=0)
