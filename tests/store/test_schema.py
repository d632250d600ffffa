from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from portal.store import schema
from portal.store.database import Database
from portal.store.tables import metadata


def test_migrations_make_the_tables_that_are_declared(database_url: str) -> None:
    with Database(database_url) as database:
        before, after = schema.upgrade(database)
        assert (before, after) == ("", schema.newest_version())
        with database.reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
            assert context.get_current_revision() == schema.newest_version()


def test_an_upgrade_of_the_newest_schema_changes_nothing(database_url: str) -> None:
    with Database(database_url) as database:
        schema.upgrade(database)

        assert schema.upgrade(database) == (schema.newest_version(), schema.newest_version())
