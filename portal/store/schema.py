"""Brings a database to the present shape of the tables, by Alembic."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from portal.store.database import Database


def upgrade(database: Database) -> tuple[str, str]:
    """Run the migrations that are missing; return the version before (empty: none) and after."""
    config = _config()
    before = _version(database)
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, _version(database)


def newest_version() -> str:
    """Return the version that this code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    return head or ""


def _version(database: Database) -> str:
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("portal.store") / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
