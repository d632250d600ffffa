"""Says where the tables of durable execution are, with who may work on them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import make_url, text

from portal.store.database import Database

_SLOT_LOCK = 7_007_002


@dataclass(frozen=True, slots=True)
class WorkerSlot:
    """A number that one living process holds; the system frees it when the process ends, however it ends."""

    number: int
    release: Callable[[], None]


def prepare_jobs_database(database: Database) -> str:
    """Return the url at which DBOS keeps its tables.

    On PostgreSQL it is Portal's own database (DBOS has the schema `dbos` there). On SQLite it is a file beside
    Portal's, `<name>-jobs.db`: DBOS's tables have no prefix there (`queues`, `notifications`, `streams`), and a
    refresh that writes for seconds would hold up every step that is recorded.
    """
    url = make_url(database.url)
    if url.get_backend_name() != "sqlite":
        return url.set(drivername="postgresql").render_as_string(hide_password=False)
    path = _jobs_file(database)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")  # stays with the file: readers wait for no writer
    finally:
        connection.close()
    return url.set(database=str(path)).render_as_string()


def forget_jobs(database: Database) -> None:
    """Forget all work under way, as the tasks that it belongs to are gone; no process may work on it now."""
    if make_url(database.url).get_backend_name() != "sqlite":
        with database.writing() as connection:
            connection.execute(text("DROP SCHEMA IF EXISTS dbos CASCADE"))
        return
    path = _jobs_file(database)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


def claim_slot(database: Database, numbers: range) -> WorkerSlot | None:
    """Take the first of these slots that no living process holds; return None when all are held.

    There is one slot, 0, on SQLite (a lock on a file); any number on PostgreSQL (advisory locks).
    """
    if make_url(database.url).get_backend_name() == "sqlite":
        return _claim_file(database) if 0 in numbers else None
    # Not from the pool: the lock lives as long as the connection, which must not serve anything else.
    connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    connection.detach()
    for number in numbers:
        statement = text("SELECT pg_try_advisory_lock(:key, :number)")
        if connection.execute(statement, {"key": _SLOT_LOCK, "number": number}).scalar_one():
            return WorkerSlot(number, connection.close)
    connection.close()
    return None


def _claim_file(database: Database) -> WorkerSlot | None:
    path = _jobs_file(database)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_suffix(".lock"), timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return WorkerSlot(0, lock.release)


def _jobs_file(database: Database) -> Path:
    path = Path(make_url(database.url).database or "portal.db")
    return path.with_name(f"{path.stem}-jobs.db")
