from importlib.resources import files

import orjson
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import insert

from portal.model.words import phrases
from portal.store import schema, search
from portal.store.database import Database
from portal.store.tables import entities, metadata


def test_migrations_make_the_tables_that_are_declared(database_url: str) -> None:
    with Database(database_url) as database:
        before, after = schema.upgrade(database)
        assert (before, after) == ("", schema.newest_version())
        with database.reading() as connection:
            # SQLAlchemy has no words for full-text tables: each database has its own.
            options = {"compare_type": True, "include_name": lambda name, *_: "search_words" not in (name or "")}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, metadata) == []
            assert context.get_current_revision() == schema.newest_version()


def test_an_upgrade_of_the_newest_schema_changes_nothing(database_url: str) -> None:
    with Database(database_url) as database:
        schema.upgrade(database)

        assert schema.upgrade(database) == (schema.newest_version(), schema.newest_version())


def test_an_upgrade_finds_the_words_of_entities_that_are_there(database_url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("portal.store") / "migrations"))
    config.set_main_option("path_separator", "os")
    body = orjson.dumps({"kind": "Model", "metadata": {"name": "m", "description": "finds fraud"}}).decode()
    row = {"id": 1, "ref": "model:default/m", "uid": "u", "etag": "", "kind": "model", "title": "m", "body": body}
    held = {"document_id": 1, "source_id": "s", "location": "url:x", "digest": ""}
    with Database(database_url) as database:
        with database.writing() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0005")
            connection.execute(insert(entities), row | held)

        schema.upgrade(database)

        with database.reading() as connection:
            found = search.find(connection, phrases("fraud"), None, term="fraud", offset=0, limit=9)
        assert found.bodies == [body]
