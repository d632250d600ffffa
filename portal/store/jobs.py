"""Says where the tables of durable execution are, with whose a job is now."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text

from portal.store.database import Database
from portal.store.dialect import ping_idle
from portal.store.slots import jobs_file

_BUSY_SECONDS = 30
#: To a server, of one process: for those that hand jobs in, and for the jobs.
_CONNECTIONS = 10
_OWNER = text("SELECT owner_xid FROM dbos.workflow_status WHERE workflow_uuid = :id FOR SHARE")
#: The statements, by their first letters, with which the driver begins a transaction.
_BEGINNING = frozenset({"INSERT", "UPDATE", "DELETE", "REPLAC", "BEGIN "})


def prepare_jobs_database(database: Database, *, idle_seconds: float) -> str:
    """Return the url at which DBOS keeps its tables.

    On PostgreSQL it is Portal's own database (DBOS has the schema `dbos` there), and the server ends a transaction in
    which a process has been silent for `idle_seconds`. On SQLite it is a file beside Portal's, `<name>-jobs.db`:
    DBOS's tables have no prefix there (`queues`, `notifications`, `streams`), and a refresh that writes for seconds
    would hold up every step that is recorded.
    """
    url = make_url(database.url)
    if url.get_backend_name() != "sqlite":
        silence = f"-c idle_in_transaction_session_timeout={int(idle_seconds * 1000)}"
        given = url.query.get("options", "")
        options = " ".join([*([given] if isinstance(given, str) else given), silence]).strip()
        url = url.set(drivername="postgresql").update_query_dict({"options": options})
        return url.render_as_string(hide_password=False)
    path = jobs_file(database)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")  # stays with the file: readers wait for no writer
    finally:
        connection.close()
    return url.set(database=str(path)).render_as_string()


def jobs_engine(url: str) -> Engine:
    """Return the engine that DBOS works with, for its own SQLite file or PostgreSQL.

    All that is not told here is as DBOS 3 sets its own engine up.
    """
    return _file_engine(url) if make_url(url).get_backend_name() == "sqlite" else _server_engine(url)


def _server_engine(url: str) -> Engine:
    """Return an engine that asks whether a connection lives when it has had a rest alone, unlike DBOS's."""
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        connect_args={"application_name": "dbos_transact", "connect_timeout": 10},
        pool_timeout=30,
        max_overflow=0,
        pool_size=_CONNECTIONS,
    )
    ping_idle(engine)
    return engine


def _file_engine(url: str) -> Engine:
    """Return the engine of a SQLite file.

    What it records outlives the process, not a machine that loses power: it waits for no disk. As with Portal's own
    tables, what is lost there is the record of steps, which bear being run again; a task makes a dozen of these
    transactions.
    """
    line = threading.Lock()
    engine = create_engine(url, connect_args={"factory": _InLine})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in (f"busy_timeout={_BUSY_SECONDS * 1000}", "foreign_keys=ON", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "before_cursor_execute")
    def _line_up(_connection: Connection, cursor: Any, statement: str, *_: object) -> None:
        if statement.lstrip()[:6].upper() in _BEGINNING:
            cursor.connection.line_up(line)

    return engine


class _InLine(sqlite3.Connection):
    """Waits at a lock before it writes, which it lets go when its transaction ends.

    SQLite itself looks again and again, with ever longer pauses, whether another connection still writes: ten jobs that
    record their steps slept longer than they worked (measured). One that holds the lock for too long is left to SQLite.
    """

    _held: threading.Lock | None = None

    def line_up(self, line: threading.Lock) -> None:
        """Wait for the other connections of this process that write, unless this one does already."""
        if self._held is None and not self.in_transaction and line.acquire(timeout=_BUSY_SECONDS):
            self._held = line

    def commit(self) -> None:
        """End the transaction."""
        super().commit()
        self._leave()

    def rollback(self) -> None:
        """Undo the transaction."""
        try:
            super().rollback()
        finally:
            self._leave()

    def close(self) -> None:
        """Close."""
        try:
            super().close()
        finally:
            self._leave()

    def _leave(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.release()


def forget_jobs(database: Database) -> None:
    """Forget all work under way, as the tasks that it belongs to are gone; no process may work on it now."""
    if make_url(database.url).get_backend_name() != "sqlite":
        with database.writing() as connection:
            connection.execute(text("DROP SCHEMA IF EXISTS dbos CASCADE"))
        return
    path = jobs_file(database)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class JobClaim:
    """That a run of a job, by its token, is the one that counts.

    On PostgreSQL another worker takes a job over by taking the token away (DBOS's `owner_xid`). On SQLite nobody takes
    over from a process that lives.
    """

    job_id: str
    token: str

    def holds(self, connection: Connection) -> bool:
        """Return whether it holds; who takes the job over waits until the transaction ends."""
        if connection.dialect.name == "sqlite":
            return True
        return bool(connection.execute(_OWNER, {"id": self.job_id}).scalar_one_or_none() == self.token)
