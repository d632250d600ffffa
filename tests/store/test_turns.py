"""Who stops in the middle of writing loses its turn: others write, and what it had written is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from portal.store.database import Database

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 4
_STOPS = {
    "between two statements": """
with database.writing() as connection:
    connection.execute(text("INSERT INTO said VALUES ('early')"))
    print("in", flush=True)
    sys.stdin.readline()
""",
    "between two statements of a record": """
with database.recording() as connection:
    connection.execute(text("LOCK TABLE said"))
    connection.execute(text("INSERT INTO said VALUES ('early')"))
    print("in", flush=True)
    sys.stdin.readline()
""",
    "in the middle of sending rows": """
with database.writing() as connection:
    driver = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy("COPY said FROM STDIN") as copy:
        copy.write("early\\n" * 100_000)
        print("in", flush=True)
        sys.stdin.readline()
""",
}


def script(database_url: str, rest: str) -> str:
    """Return a program that opens the database first."""
    return f"""
import sys
from sqlalchemy import text
from portal.store.database import Database
database = Database({database_url!r}, lease_seconds={LEASE_SECONDS})
{rest}
"""


@pytest.mark.slow
@pytest.mark.parametrize("stop", _STOPS)
def test_others_write_past_a_process_that_has_stopped(database_url: str, stop: str) -> None:
    plain = create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    with plain.begin() as connection:
        connection.execute(text("CREATE TABLE said (what text)"))
    process = subprocess.Popen(
        [sys.executable, "-c", script(database_url, _STOPS[stop])],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process, Database(database_url, lease_seconds=LEASE_SECONDS) as database:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        process.send_signal(signal.SIGSTOP)
        with database.writing() as connection:
            connection.execute(text("INSERT INTO said VALUES ('late')"))
        process.send_signal(signal.SIGCONT)
        _, told = process.communicate(b"\n", timeout=60)

        assert process.returncode != 0
        assert b"terminat" in told
        with plain.connect() as connection:
            assert list(connection.execute(text("SELECT what FROM said")).scalars()) == ["late"]
    plain.dispose()


_GOES_ON = {
    "the server is busy for it": f"connection.execute(text('SELECT pg_sleep({3 * LEASE_SECONDS})'))",
    "it computes": f"""
    end = time.monotonic() + {3 * LEASE_SECONDS}
    while time.monotonic() < end:
        sum(range(1000))
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("goes_on", _GOES_ON)
def test_a_long_turn_of_a_process_that_goes_on_is_waited_for(database_url: str, goes_on: str) -> None:
    long = f"""
import time
with database.writing() as connection:
    connection.execute(text("INSERT INTO said VALUES ('first')"))
    print("in", flush=True)
    {_GOES_ON[goes_on].strip()}
"""
    plain = create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    with plain.begin() as connection:
        connection.execute(text("CREATE TABLE said (what text)"))
    process = subprocess.Popen(
        [sys.executable, "-c", script(database_url, long)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    with process, Database(database_url, lease_seconds=LEASE_SECONDS) as database:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        with database.writing() as connection:
            connection.execute(text("INSERT INTO said VALUES ('second')"))
        assert process.wait(60) == 0
        with plain.connect() as connection:
            assert list(connection.execute(text("SELECT what FROM said")).scalars()) == ["first", "second"]
    plain.dispose()
