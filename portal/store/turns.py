"""Lets processes write one after another, past those that stop in the middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from portal.store.dialect import BUSY_TIMEOUT_SECONDS, lasting_lock

_WRITE_LOCK = 7_007_001
_PULSE_LOCK = 7_007_003
_LOCK_NOT_AVAILABLE = "55P03"
#: Evaluated from left to right: the lock is waited for so long, rows later without end.
_TURN = text(
    "SELECT set_config('lock_timeout', :wait, true), pg_advisory_xact_lock(:key),"
    " set_config('lock_timeout', '0', true), pg_backend_pid()"
)
_SILENCE = text("SELECT set_config('idle_in_transaction_session_timeout', :silence, true)")
#: Whose turn it is, and whether that process lives.
_HOLDER = text(
    "SELECT held.pid, activity.xact_start, EXISTS (SELECT 1 FROM pg_locks AS pulse"
    " WHERE pulse.locktype = 'advisory' AND pulse.granted AND pulse.database = held.database"
    " AND pulse.classid = :pulse AND pulse.objid = held.pid::bigint AND pulse.objsubid = 2)"
    " FROM pg_locks AS held JOIN pg_stat_activity AS activity ON activity.pid = held.pid"
    " WHERE held.locktype = 'advisory' AND held.granted AND held.classid = 0 AND held.objid = :key"
    " AND held.objsubid = 1 AND activity.datname = current_database()"
)


@contextmanager
def writing(engine: Engine, *, exclusive: bool, lease_seconds: float, within: threading.Lock) -> Iterator[Connection]:
    """Open a transaction that writes; of the `exclusive` ones only one is open at a time over all processes.

    SQLite takes its write lock at once (a deferred one could fail half-way); who waits for that looks again and again,
    with ever longer pauses, so the threads of one process line up at the lock `within` it before. PostgreSQL takes an
    advisory lock. There a
    process that stops in the middle is not waited for much longer than `lease_seconds`: the server ends its
    transaction as if it had never begun. The exclusive ones compute for long between their statements, so a process
    shows by a pulse that it lives, and who waits for one without ends it; the others are ended for their silence.
    """
    line = _line(within) if engine.dialect.name == "sqlite" else nullcontext()
    with line, engine.connect() as plain:
        connection = plain.execution_options(portal_mode="IMMEDIATE")
        pulse: AbstractContextManager[None] = nullcontext()
        if engine.dialect.name == "sqlite":
            begun = connection.begin()
        elif exclusive:
            begun, pid = _turn(connection, lease_seconds)
            pulse = _pulse(engine, pid, lease_seconds)
        else:
            begun = connection.begin()
            connection.execute(_SILENCE, {"silence": _milliseconds(lease_seconds)})
        with pulse, begun:
            yield connection


@contextmanager
def _line(lock: threading.Lock) -> Iterator[None]:
    """Wait for the other threads of this process; one that holds the lock for too long is left to SQLite to tell."""
    is_first = lock.acquire(timeout=BUSY_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        if is_first:
            lock.release()


def _turn(connection: Connection, lease_seconds: float) -> tuple[RootTransaction, int]:
    """Begin a transaction as soon as no other process is in one of these; return it with the server's process."""
    dead: Sequence[Any] | None = None
    while True:
        begun = connection.begin()
        try:
            asked = {"key": _WRITE_LOCK, "wait": _milliseconds(lease_seconds / 2)}
            return begun, connection.execute(_TURN, asked).one()[3]
        except DBAPIError as error:
            begun.rollback()
            if getattr(error.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                raise
            dead = _end_dead(connection, dead)


def _end_dead(connection: Connection, before: Sequence[Any] | None) -> Sequence[Any] | None:
    """End the transaction that has no pulse, if it had none `before` either; return which has none now."""
    with connection.begin():
        found = connection.execute(_HOLDER, {"key": _WRITE_LOCK, "pulse": _PULSE_LOCK}).first()
        if found is None or found[2]:
            return None
        now = tuple(found)
        if now == before:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": now[0]})
    return now


@contextmanager
def _pulse(engine: Engine, pid: int, lease_seconds: float) -> Iterator[None]:
    """Show that this process lives as long as the block lasts; a short block needs no more than the thread."""
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(engine, pid, lease_seconds, ended), name="portal-pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(engine: Engine, pid: int, lease_seconds: float, ended: threading.Event) -> None:
    faults = (SQLAlchemyError, engine.dialect.loaded_dbapi.Error)
    connection: Any = None
    while not ended.wait(lease_seconds / 8):
        try:
            if connection is None:
                connection = lasting_lock(engine, _PULSE_LOCK, pid, silence_seconds=lease_seconds / 2)
            else:
                connection.execute("SELECT 1")
        except faults:
            # The transaction itself will tell whether the database is gone.
            if connection is not None:
                connection.close()
            connection = None
    if connection is not None:
        connection.close()


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
