"""Asks a database how it is: version, size, faults in what it holds, who holds it up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, exists, func, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError

from portal.errors import ServiceUnavailableError
from portal.store.database import Database
from portal.store.schema import version_of
from portal.store.tables import documents, entities, refs, relations, revisions, tasks, versions
from portal.store.tasks import LIVE

#: Rows from which on PostgreSQL chooses badly without having taken stock.
_MANY_ROWS = 1_000
_FAULTS_TOLD = 5


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a database is. `clock_ms` is its own time, None where it has none; `unused_bytes` are within its size."""

    version: str
    schema: str
    size_bytes: int
    unused_bytes: int
    clock_ms: int | None
    newest_row_ms: int | None


def file_of(database: Database) -> Path | None:
    """Return the file of a SQLite database, None for another."""
    url = make_url(database.url)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


@contextmanager
def asking(database: Database) -> Iterator[Connection]:
    """Open a transaction that reads. Raises `ServiceUnavailableError` where the database does not answer."""
    try:
        with database.reading() as connection:
            yield connection
    except SQLAlchemyError as error:
        # The first line: the others may show what was sent.
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise ServiceUnavailableError(f"The database does not answer: {reason}") from error


def vitals(connection: Connection) -> Vitals:
    """Return what the database is."""
    schema = version_of(connection)
    newest = connection.execute(select(func.max(revisions.c.recorded_at_ms))).scalar() if schema else None
    if connection.dialect.name == "postgresql":
        row = connection.execute(
            text(
                "SELECT current_setting('server_version'), pg_database_size(current_database()), "
                "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
            )
        ).one()
        return Vitals(f"PostgreSQL {row[0]}", schema, int(row[1]), 0, int(row[2]), newest)
    page, pages, free = (_pragma(connection, name) for name in ("page_size", "page_count", "freelist_count"))
    return Vitals(f"SQLite {sqlite3.sqlite_version}", schema, page * pages, page * free, None, newest)


def faults(connection: Connection) -> list[str]:
    """Return what is wrong with what the database holds, a sentence each; it must have the newest schema."""
    found: list[str] = []
    if connection.dialect.name == "sqlite":
        told = connection.exec_driver_sql(f"PRAGMA quick_check({_FAULTS_TOLD})").scalars().all()
        found += [str(line) for line in told if line != "ok"]
        if found:
            # What reads through damaged pages fails, or finds anything.
            return found
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        found += [f"{row[0]} refers to rows of {row[2]} that are gone" for row in broken[:_FAULTS_TOLD]]
    lost = {
        "entities without the document that declares them": ~exists().where(documents.c.id == entities.c.document_id),
        "entities whose number is not that of their reference": ~exists().where(
            refs.c.id == entities.c.id, refs.c.ref == entities.c.ref
        ),
        "entities without a version that tells their text": ~exists().where(versions.c.ref == entities.c.ref),
    }
    for what, condition in lost.items():
        count = connection.execute(select(func.count()).select_from(entities).where(condition)).scalar_one()
        found += [f"{count} {what}"] if count else []
    loose = ~exists().where(refs.c.id == relations.c.target_id)
    count = connection.execute(select(func.count()).select_from(relations).where(loose)).scalar_one()
    return [*found, *([f"{count} relations to references without a name"] if count else [])]


def without_statistics(connection: Connection) -> list[str]:
    """Return the tables that PostgreSQL has not yet taken stock of, sorted; SQLite needs none."""
    if connection.dialect.name != "postgresql":
        return []
    statement = text(
        "SELECT relname FROM pg_stat_user_tables WHERE n_live_tup >= :many AND last_analyze IS NULL "
        "AND last_autoanalyze IS NULL AND schemaname = current_schema() ORDER BY relname"
    )
    return list(connection.execute(statement, {"many": _MANY_ROWS}).scalars())


def resting_tasks(connection: Connection, *, before_ms: int) -> list[str]:
    """Return the ids of tasks that are not over and have not moved since then, the oldest first."""
    moved = func.coalesce(tasks.c.last_heartbeat_at_ms, tasks.c.created_at_ms)
    statement = select(tasks.c.id).where(tasks.c.status.in_(LIVE), moved < before_ms).order_by(moved, tasks.c.id)
    return list(connection.execute(statement).scalars())


def long_transactions(connection: Connection, *, seconds: float) -> list[str]:
    """Return who has kept a transaction open for so long, a sentence each; PostgreSQL alone can tell."""
    if connection.dialect.name != "postgresql":
        return []
    statement = text(
        "SELECT pid, application_name, extract(epoch FROM clock_timestamp() - xact_start) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' "
        "AND xact_start < clock_timestamp() - make_interval(secs => :seconds) ORDER BY xact_start"
    )
    rows: Sequence[Any] = connection.execute(statement, {"seconds": seconds}).all()
    return [f"session {pid} of {name or 'a program'} for {int(age)} s" for pid, name, age in rows]


def can_write(path: Path, *, seconds: float) -> bool:
    """Return whether the write lock of a SQLite file can be had within so many seconds; nothing is written."""
    connection = sqlite3.connect(path, timeout=seconds, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
