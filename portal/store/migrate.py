"""Runs the migrations, by Alembic."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def run_migrations(connection: Connection, to: str = "head") -> None:
    """Bring the tables of a database to the shape of a version, in the transaction that is open."""
    config = Config()
    config.set_main_option("script_location", str(files("portal.store") / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
