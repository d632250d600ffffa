from importlib.resources import files

import orjson
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, text

from portal.model.words import phrases
from portal.store import schema, search
from portal.store.database import Database
from portal.store.tables import entities, metadata


def _migrated(connection: Connection, version: str) -> None:
    """Run the migrations up to a version."""
    config = Config()
    config.set_main_option("script_location", str(files("portal.store") / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, version)


@pytest.mark.parametrize("is_migrated", [False, True], ids=["at once", "by all migrations"])
def test_a_new_database_has_the_tables_that_are_declared(database_url: str, is_migrated: bool) -> None:
    with Database(database_url) as database:
        if is_migrated:
            with database.writing() as connection:
                _migrated(connection, "0001")
        before, after = schema.upgrade(database)
        assert (before, after) == ("0001" if is_migrated else "", schema.newest_version())
        with database.reading() as connection:
            # SQLAlchemy has no words for full-text tables: each database has its own.
            options = {"compare_type": True, "include_name": lambda name, *_: "search_words" not in (name or "")}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, metadata) == []
            assert context.get_current_revision() == schema.newest_version()
            assert connection.execute(text("SELECT count(*) FROM search_words")).scalar() == 0


def test_a_database_with_other_tables_is_migrated(database_url: str) -> None:
    """Tables that are not Portal's do not keep it from making its own."""
    with Database(database_url) as database:
        with database.writing() as connection:
            connection.execute(text("CREATE TABLE others (id INTEGER)"))

        assert schema.upgrade(database) == ("", schema.newest_version())


def test_an_upgrade_of_the_newest_schema_changes_nothing(database_url: str) -> None:
    with Database(database_url) as database:
        schema.upgrade(database)

        assert schema.upgrade(database) == (schema.newest_version(), schema.newest_version())


def test_an_upgrade_finds_the_words_of_entities_that_are_there(database_url: str) -> None:
    body = orjson.dumps({"kind": "Model", "metadata": {"name": "m", "description": "finds fraud"}}).decode()
    row = {"id": 1, "ref": "model:default/m", "uid": "u", "etag": "", "kind": "model", "title": "m", "body": body}
    held = {"document_id": 1, "source_id": "s", "location": "url:x", "digest": ""}
    with Database(database_url) as database:
        with database.writing() as connection:
            _migrated(connection, "0005")
            connection.execute(insert(entities), row | held)

        schema.upgrade(database)

        with database.reading() as connection:
            found = search.find(connection, phrases("fraud"), None, term="fraud", offset=0, limit=9)
        assert found.bodies == [body]
