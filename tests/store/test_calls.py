"""What one process commits is heard by others that wait, on PostgreSQL; on SQLite nobody is called."""

import threading

import pytest
from sqlalchemy import text
from waiting import eventually

from portal.store.database import Database

POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@POSTGRESQL
def test_a_call_is_heard_when_it_is_committed_and_by_those_who_listen_for_it(database: Database) -> None:
    heard, other = threading.Event(), threading.Event()
    with Database(database.url) as listening:
        listening.calls.hear("tasks", heard.set)
        listening.calls.hear("jobs", other.set)
        assert heard.wait(30)  # of what may have been said before
        assert other.wait(30)
        heard.clear()
        other.clear()
        with database.recording() as connection:
            database.calls.call(connection, "tasks")
            assert not heard.is_set()
        assert heard.wait(30)
        assert not other.is_set()
        database.calls.say("jobs")
        assert other.wait(30)


@POSTGRESQL
def test_who_listens_does_so_again_after_the_connection_was_lost(database: Database) -> None:
    heard = threading.Event()
    with Database(database.url) as listening:
        listening.calls.hear("tasks", heard.set)
        assert heard.wait(30)
        heard.clear()
        ended = text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query = 'LISTEN portal'")
        with database.engine.connect() as connection:
            eventually(lambda: connection.execute(ended).scalar_one() >= 1, "the connection to end")
        assert heard.wait(30)  # as it listens again


def test_nobody_is_called_on_sqlite(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        database.calls.hear("tasks", pytest.fail)
        database.calls.say("tasks")
