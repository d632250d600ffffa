"""Lets processes write one after another, past those that stop in the middle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction, text
from sqlalchemy.exc import DBAPIError

_WRITE_LOCK = 7_007_001
_LOCK_NOT_AVAILABLE = "55P03"
#: Evaluated from left to right: the lock is waited for so long, rows later without end.
_TURN = text(
    "SELECT set_config('idle_in_transaction_session_timeout', :silence, true),"
    " set_config('lock_timeout', :silence, true), pg_advisory_xact_lock(:key), set_config('lock_timeout', '0', true)"
)
_SILENCE = text("SELECT set_config('idle_in_transaction_session_timeout', :silence, true)")
#: Who has the lock and is in the middle of a COPY, with how far that is.
_COPYING = text(
    "SELECT activity.pid, activity.xact_start, activity.query_start, progress.bytes_processed FROM pg_locks AS held"
    " JOIN pg_stat_activity AS activity ON activity.pid = held.pid"
    " JOIN pg_stat_progress_copy AS progress ON progress.pid = held.pid"
    " WHERE held.locktype = 'advisory' AND held.granted AND held.classid = 0 AND held.objid = :key"
    " AND held.objsubid = 1 AND activity.datname = current_database() AND activity.wait_event = 'ClientRead'"
)


@contextmanager
def writing(engine: Engine, *, exclusive: bool, silence_seconds: float) -> Iterator[Connection]:
    """Open a transaction that writes; of the `exclusive` ones only one is open at a time over all processes.

    SQLite takes its write lock at once (a deferred one could fail half-way); PostgreSQL an advisory lock. There a
    process that has been silent in its transaction for `silence_seconds` loses it, as if it had never begun: others
    need not wait until it is started again.
    """
    with engine.connect() as plain:
        connection = plain.execution_options(portal_mode="IMMEDIATE")
        if engine.dialect.name == "sqlite":
            begun = connection.begin()
        else:
            silence = str(int(silence_seconds * 1000))
            begun = _turn(connection, silence) if exclusive else _heard(connection, silence)
        with begun:
            yield connection


def _heard(connection: Connection, silence: str) -> RootTransaction:
    begun = connection.begin()
    connection.execute(_SILENCE, {"silence": silence})
    return begun


def _turn(connection: Connection, silence: str) -> RootTransaction:
    """Begin a transaction as soon as no other process is in one of these."""
    stuck: Sequence[Any] | None = None
    while True:
        begun = connection.begin()
        try:
            connection.execute(_TURN, {"key": _WRITE_LOCK, "silence": silence})
        except DBAPIError as error:
            begun.rollback()
            if getattr(error.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                raise
            stuck = _end_stuck(connection, stuck)
        else:
            return begun


def _end_stuck(connection: Connection, before: Sequence[Any] | None) -> Sequence[Any] | None:
    """End the transaction of who sends rows, but has sent none since `before`; return who does now, and how far it is.

    To PostgreSQL who has stopped in the middle of a COPY is not silent, but busy, however long it takes.
    """
    with connection.begin():
        found = connection.execute(_COPYING, {"key": _WRITE_LOCK}).first()
        now = None if found is None else tuple(found)
        if now is not None and now == before:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": now[0]})
    return now
