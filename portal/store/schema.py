"""Brings a database to the present shape of the tables, where it has another."""

from __future__ import annotations

from importlib.resources import files

from sqlalchemy import inspect, text

from portal.store.database import Connection, Database
from portal.store.tables import metadata

#: Tables that databases of earlier versions have, and the newest has no more: name them when a migration drops them.
FORMER_TABLES: tuple[str, ...] = ("finding_marks", "pending_refreshes")


def upgrade(database: Database) -> tuple[str, str]:
    """Run the migrations that are missing; return the version before (empty: none) and after.

    An empty database gets the tables at once: a test compares them with what all migrations make.
    """
    newest = newest_version()
    with database.reading() as connection:
        before = version_of(connection)
    if before == newest:
        return before, before
    with database.writing() as connection:
        # Another process may have been faster: several servers begin at once.
        if version_of(connection) == newest:
            return before, newest
        if not inspect(connection).get_table_names():
            create(connection)
        else:
            # Alembic takes as long to import as SQLAlchemy.
            from portal.store.migrate import run_migrations  # noqa: PLC0415

            run_migrations(connection)
        return before, version_of(connection)


def newest_version() -> str:
    """Return the version that this code needs: the number that the last migration's name begins with."""
    names = (entry.name for entry in files("portal.store").joinpath("migrations", "versions").iterdir())
    return max(name.partition("_")[0] for name in names if name[:4].isdigit())


def table_names() -> list[str]:
    """Return the names of Portal's tables, of earlier versions too; those that others refer to come first."""
    return [*(str(table.name) for table in metadata.sorted_tables), *FORMER_TABLES]


def version_of(connection: Connection) -> str:
    """Return the version that a database has; empty: none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def create(connection: Connection) -> None:
    """Make the tables of the newest version where there are none."""
    metadata.create_all(connection)
    # What Alembic keeps, as it keeps it.
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": newest_version()})
