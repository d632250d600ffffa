"""Says which processes work: each holds a numbered lock that the database, or the system, lets go when it dies."""

from __future__ import annotations

import logging
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from portal.store.database import Database
from portal.store.dialect import lasting_lock, let_go

if TYPE_CHECKING:
    from filelock import FileLock

_log = logging.getLogger(__name__)

_SLOT_LOCK = 7_007_002
_NUMBERS = 1 << 31


class WorkerSlot:
    """The place of one process among those that work on a database.

    On PostgreSQL it is an advisory lock under a random number, which is lost after a silence of `silence_seconds`. On
    SQLite it is a lock on a file, of which there is one: the system frees
    it when the process ends, and a process that is only stopped keeps it.
    """

    def __init__(self, database: Database, *, silence_seconds: float) -> None:
        self.number = secrets.randbelow(_NUMBERS)
        self._database = database
        self._silence_seconds = silence_seconds
        self._lock = threading.Lock()
        self._connection: Any = None
        self._file: FileLock | None = None

    def hold(self) -> bool:
        """Take the place, or say that it is still held, and return whether it is."""
        with self._lock:
            if make_url(self._database.url).get_backend_name() == "sqlite":
                return self._hold_file()
            try:
                return self._is_heard() or self._hold_lock()
            except (SQLAlchemyError, self._database.engine.dialect.loaded_dbapi.Error):
                _log.warning("the database does not answer a worker", exc_info=True)
                return False

    def others(self) -> bool:
        """Whether any other process works."""
        with self._database.reading() as connection:
            return bool(living_slots(connection, own=self.number) - {self.number})

    def release(self) -> None:
        """Leave the place to others."""
        with self._lock:
            if self._connection is not None:
                let_go(self._database.engine, self._connection)
                self._connection = None
            if self._file is not None:
                self._file.release()
                self._file = None

    def _is_heard(self) -> bool:
        if self._connection is None:
            return False
        try:
            self._connection.execute("SELECT 1")
        except self._database.engine.dialect.loaded_dbapi.Error:
            self._connection.close()
            self._connection = None
        return self._connection is not None

    def _hold_lock(self) -> bool:
        engine, silence = self._database.engine, self._silence_seconds
        self._connection = lasting_lock(engine, _SLOT_LOCK, self.number, silence_seconds=silence)
        return self._connection is not None

    def _hold_file(self) -> bool:
        if self._file is None:
            path = jobs_file(self._database)
            path.parent.mkdir(parents=True, exist_ok=True)
            from filelock import FileLock, Timeout  # noqa: PLC0415  # a server on PostgreSQL needs none

            lock = FileLock(path.with_suffix(".lock"), timeout=0, thread_local=False)
            try:
                lock.acquire()
            except Timeout:
                return False
            self._file = lock
        return True


def living_slots(connection: Connection, *, own: int) -> frozenset[int]:
    """Return the numbers of all processes that work now; on SQLite at most one does, which is the one that asks."""
    if connection.dialect.name == "sqlite":
        return frozenset({own})
    statement = text(
        "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = :key AND objsubid = 2 AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return frozenset(connection.execute(statement, {"key": _SLOT_LOCK}).scalars())


def count_working(database: Database) -> int:
    """Return how many processes work on a database now, this one among them."""
    if make_url(database.url).get_backend_name() != "sqlite":
        with database.reading() as connection:
            return len(living_slots(connection, own=0))
    path = jobs_file(database).with_suffix(".lock")
    if not path.exists():
        return 0
    from filelock import FileLock, Timeout  # noqa: PLC0415  # as above

    try:
        with FileLock(path, timeout=0, thread_local=False):
            return 0
    except Timeout:
        return 1


def jobs_file(database: Database) -> Path:
    """Return the file beside a SQLite database that keeps the steps of jobs."""
    path = Path(make_url(database.url).database or "portal.db")
    return path.with_name(f"{path.stem}-jobs.db")
