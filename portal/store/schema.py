"""Brings a database to the present shape of the tables, where it has another."""

from __future__ import annotations

from importlib.resources import files

from sqlalchemy import inspect, text

from portal.store.database import Database
from portal.store.tables import metadata


def upgrade(database: Database) -> tuple[str, str]:
    """Run the migrations that are missing; return the version before (empty: none) and after.

    An empty database gets the tables at once: a test compares them with what all migrations make.
    """
    before = version(database)
    newest = newest_version()
    if before == newest:
        return before, before
    if _is_empty(database):
        with database.writing() as connection:
            metadata.create_all(connection)
            # What Alembic keeps, as it keeps it.
            connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
            connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": newest})
        return before, newest
    from portal.store.migrate import run_migrations  # noqa: PLC0415  # Alembic takes as long to import as SQLAlchemy

    with database.writing() as connection:
        run_migrations(connection)
    return before, version(database)


def newest_version() -> str:
    """Return the version that this code needs: the number that the last migration's name begins with."""
    names = (entry.name for entry in files("portal.store").joinpath("migrations", "versions").iterdir())
    return max(name.partition("_")[0] for name in names if name[:4].isdigit())


def version(database: Database) -> str:
    """Return the version of the shape that a database has; empty where it has none."""
    with database.reading() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return ""
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def _is_empty(database: Database) -> bool:
    with database.reading() as connection:
        return not inspect(connection).get_table_names()
