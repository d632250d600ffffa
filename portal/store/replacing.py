"""Replaces all that a database holds by rows from elsewhere, in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, MetaData, Table, column, func, inspect, make_url, select, table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import DropTable

from portal.errors import ConflictError, ServiceUnavailableError
from portal.model.searchable import searchable
from portal.store.bulk import insert_tuples
from portal.store.database import Database
from portal.store.dialect import APPLICATION
from portal.store.jobs import forget_jobs
from portal.store.schema import FORMER_TABLES, create, newest_version, table_names, version_of
from portal.store.search import put_words
from portal.store.tables import entities, metadata

_AT_ONCE = 500
_WAITED_SECONDS = 30


@contextmanager
def replacing(database: Database, *, version: str, is_forced: bool) -> Iterator[Connection]:
    """Open a transaction in which there are the tables of a schema's version, without a row, and nothing else.

    What was there before is there again if the block raises. An empty database may be in use meanwhile. One that holds
    rows is replaced only where that is `is_forced`, and nobody else has it open: servers remember what they have read
    by the number of a revision, which would mean something else afterwards. Raises `ConflictError` otherwise.
    """
    holds_rows = _holds_rows(database)
    if holds_rows and not is_forced:
        raise ConflictError(
            "The database is not empty; nothing was changed. Restore into one that is, without upgrading it first, or "
            "with --force, which drops all that it holds"
        )
    if holds_rows:
        _refuse_company(database)
    try:
        with database.writing() as connection:
            if connection.dialect.name == "postgresql":
                # Whoever reads would be waited for without end.
                connection.execute(text(f"SET LOCAL lock_timeout = '{_WAITED_SECONDS}s'"))
            if not holds_rows and _any_row(connection):
                raise ConflictError("Somebody else has just filled the database; nothing was changed")
            _drop(connection)
            _create(connection, version)
            yield connection
            if holds_rows:
                _refuse_company(database, own=connection)
    except (DBAPIError, database.driver_error) as error:
        raise ServiceUnavailableError(
            f"The database did not take the rows; nothing was changed: {_reason(error)}"
        ) from error
    if holds_rows:
        forget_jobs(database)


def put_rows(connection: Connection, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows as `portal.store.dump` gave them."""
    target = table(name, *map(column, columns))
    insert_tuples(connection, target, columns, [tuple(row) for row in rows])


def complete(connection: Connection, version: str) -> None:
    """Bring rows of a schema's version to the newest one, with all that follows from them: counters, words of texts."""
    if connection.dialect.name == "postgresql":
        _count_on(connection)
    if version != newest_version():
        from portal.store.migrate import run_migrations  # noqa: PLC0415  # Alembic takes long to import

        run_migrations(connection)
    connection.execute(text("DELETE FROM search_words"))
    last = 0
    while True:
        rows = connection.execute(
            select(entities.c.id, entities.c.body).where(entities.c.id > last).order_by(entities.c.id).limit(_AT_ONCE)
        ).all()
        if not rows:
            return
        ids = [row.id for row in rows]
        put_words(connection, {row.id: searchable(orjson.loads(row.body)) for row in rows}, new=ids)
        last = ids[-1]


def _create(connection: Connection, version: str) -> None:
    if version == newest_version():
        create(connection)
        return
    from portal.store.migrate import run_migrations  # noqa: PLC0415  # as above

    run_migrations(connection, version)


def _drop(connection: Connection) -> None:
    """Drop Portal's tables, of whatever schema; others that stand beside them stay."""
    metadata.drop_all(connection)
    for name in FORMER_TABLES:
        connection.execute(DropTable(Table(name, MetaData()), if_exists=True))
    connection.execute(text("DROP TABLE IF EXISTS alembic_version"))


def _count_on(connection: Connection) -> None:
    """Let keys that count up go on behind the rows that were put in with their keys."""
    quote = connection.dialect.identifier_preparer.quote
    inspector = inspect(connection)
    for name in sorted(set(inspector.get_table_names()).intersection(table_names())):
        for key in inspector.get_pk_constraint(name)["constrained_columns"]:
            statement = text("SELECT pg_get_serial_sequence(:table, :column)")
            sequence = connection.execute(statement, {"table": quote(name), "column": key}).scalar()
            if sequence is not None:
                last = select(func.max(table(name, column(key)).c[key])).scalar_subquery()
                connection.execute(select(func.setval(sequence, func.coalesce(last, 1), last.is_not(None))))


def _reason(error: Exception) -> str:
    """Return what the database says; not the lines in which PostgreSQL shows values."""
    return str(getattr(error, "orig", error)).partition("\n")[0]


def _holds_rows(database: Database) -> bool:
    try:
        with database.reading() as connection:
            return _any_row(connection)
    except DBAPIError as error:
        raise ServiceUnavailableError(f"The database does not answer: {_reason(error)}") from error


def _any_row(connection: Connection) -> bool:
    if not version_of(connection):
        return False
    there = set(inspect(connection).get_table_names())
    names = [name for name in table_names() if name in there]
    return any(connection.execute(select(1).select_from(table(name)).limit(1)).first() for name in names)


def _refuse_company(database: Database, *, own: Connection | None = None) -> None:
    """Raise `ConflictError` where another process has the database open; `own` is the connection that replaces."""
    if _is_shared(database, own=own):
        raise ConflictError(
            "Another process has the database open; nothing was changed. Stop all servers and workers first: they "
            "remember what they have read of the catalog that is there"
        )


def _is_shared(database: Database, *, own: Connection | None = None) -> bool:
    """Return whether another process has the database open."""
    url = make_url(database.url)
    if url.get_backend_name() == "sqlite":
        # Our own connections would be taken for another's; the one that replaces holds its lock anyway.
        if own is not None:
            return False
        database.engine.dispose()
        return _is_locked(Path(url.database or ""))
    with database.engine.connect() as connection:
        ours = [connection.execute(text("SELECT pg_backend_pid()")).scalar_one()]
        if own is not None:
            ours.append(own.execute(text("SELECT pg_backend_pid()")).scalar_one())
        statement = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = :name AND NOT pid = ANY(:ours)"
        )
        return bool(connection.execute(statement, {"name": APPLICATION, "ours": ours}).scalar_one())


def _is_locked(path: Path) -> bool:
    """Return whether a SQLite file is open: in WAL mode every connection holds a shared lock on it as long as it lives.

    Rule: sqlite.org/wal.html, "Use of WAL Without Shared-Memory".
    """
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    return False
