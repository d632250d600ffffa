"""The tables of durable execution in SQLite: connections that write wait in line."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from portal.store.database import Database
from portal.store.jobs import jobs_engine, prepare_jobs_database


@pytest.fixture
def engine(tmp_path):
    with Database(f"sqlite:///{tmp_path / 'portal.db'}") as database:
        engine = jobs_engine(prepare_jobs_database(database, idle_seconds=1))
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE said (word TEXT PRIMARY KEY)"))
        yield engine
        engine.dispose()


def say(engine, word):
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO said VALUES (:word)"), {"word": word})


def test_many_threads_write_one_after_another(engine):
    with ThreadPoolExecutor(8) as threads:
        for written in [threads.submit(say, engine, str(number)) for number in range(80)]:
            written.result(60)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM said")).scalar() == 80


def test_who_writes_waits_until_the_other_has_ended_while_readers_do_not(engine):
    begun, gate = threading.Event(), threading.Event()

    def hold():
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO said VALUES ('first')"))
            begun.set()
            assert gate.wait(60)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(hold)
        assert begun.wait(60)
        second = threads.submit(say, engine, "second")
        with engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM said")).scalar() == 0
        assert not second.done()
        gate.set()
        first.result(60)
        second.result(60)


def test_a_transaction_that_fails_or_is_lost_holds_nobody_up(engine):
    say(engine, "a")
    with pytest.raises(IntegrityError):
        say(engine, "a")
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO said VALUES ('b')"))
        connection.invalidate()
    with ThreadPoolExecutor(1) as threads:
        # Far less than SQLite would wait for a connection that holds its lock.
        threads.submit(say, engine, "c").result(10)
