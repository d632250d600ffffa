"""Full databases of every schema that there was, brought to today's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from full_catalogs import PROBLEMS, QUESTIONS, TASKS, fill, opened, served
from old_schemas import Rows, make_old, rows_of
from repositories import Repository
from sqlalchemy import inspect

from portal.services.backup import back_up
from portal.services.restoring import restore
from portal.store import schema
from portal.store.database import Database
from portal.store.migrate import run_migrations

pytestmark = pytest.mark.slow

VERSIONS = sorted(
    entry.name[:4]
    for entry in files("portal.store").joinpath("migrations", "versions").iterdir()
    if entry.name[0] == "0"
)
#: Not kept before these versions.
SINCE = {"/api/auth/.well-known/jwks.json": "0004", "/api/ownership/problems?since=1": "0010"}


@dataclass(frozen=True)
class Full:
    """A full catalog of today: its rows, what was served of it, and where it was read from."""

    rows: Rows
    answers: Mapping[str, Any]
    repositories: Path


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Full]:
    folder = tmp_path_factory.mktemp("full")

    def repo(contents: Mapping[str, str], *, name: str) -> Repository:
        made = Repository(folder / name)
        made.commit(contents)
        return made

    with opened(folder / "data", f"sqlite:///{folder / 'portal.db'}") as portal:
        portal.migrate()
        fill(portal, repo)
        with portal.database.reading() as connection:
            rows = rows_of(connection)
        yield Full(rows, served(portal, (*QUESTIONS, *PROBLEMS, *TASKS)), folder)


def answers_since(full: Full, version: str) -> Mapping[str, Any]:
    return {asked: answer for asked, answer in full.answers.items() if SINCE.get(asked, "") <= version}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_full_database_of_each_version_is_upgraded(
    version: str, full: Full, database_url: str, tmp_path: Path
) -> None:
    with Database(database_url) as database, database.writing() as connection:
        make_old(connection, full.rows, version)
    expected = answers_since(full, version)

    with opened(tmp_path / "data", database_url) as portal:
        assert portal.migrate() == (version, schema.newest_version())
        assert served(portal, tuple(expected)) == expected
        # The next refresh begins from what was there: it reads all again, and nothing has changed.
        ours = [source.id for source in portal.sources.list() if not source.registered]
        assert [changes.revisions for changes in portal.refresh.refresh(ours, anew=True).changes.values()] == [()]


@pytest.mark.parametrize("version", ["0001", "0006", "0008"])
def test_a_backup_of_an_older_version_is_restored_by_this_one(
    version: str, full: Full, database_url: str, tmp_path: Path
) -> None:
    """It can be taken before the upgrade, and need not be thrown away after it."""
    with Database(f"sqlite:///{tmp_path / 'old.db'}") as old:
        with old.writing() as connection:
            make_old(connection, full.rows, version)
        back_up(old, tmp_path / "old.zip", progress=lambda *_: None)
    with Database(database_url) as database:
        report = restore(
            database, tmp_path / "old.zip", repositories=tmp_path / "repositories", progress=lambda *_: None
        )

    assert report.schema == (version, schema.newest_version())
    expected = {asked: answer for asked, answer in answers_since(full, version).items() if asked not in TASKS}
    with opened(tmp_path / "data", database_url) as portal:
        assert served(portal, tuple(expected)) == expected


def test_no_table_of_any_version_is_left_out_of_backups(tmp_path: Path) -> None:
    """A migration that drops a table leaves it in databases of earlier versions."""
    found: set[str] = set()
    with Database(f"sqlite:///{tmp_path / 'portal.db'}") as database:
        for version in VERSIONS:
            with database.writing() as connection:
                run_migrations(connection, version)
                found |= set(inspect(connection).get_table_names())
    theirs = {name for name in found if name.startswith("search_words")} | {"alembic_version"}

    assert found - theirs == set(schema.table_names())


def test_an_upgrade_that_fails_leaves_the_old_schema(full: Full, database_url: str, tmp_path: Path) -> None:
    with Database(database_url) as database:
        with database.writing() as connection:
            make_old(connection, full.rows, "0005")
            # In the way of what 0007 makes.
            connection.exec_driver_sql("CREATE TABLE relation_types (name TEXT)")
        with database.reading() as connection:
            before = rows_of(connection)

        with pytest.raises(Exception, match="relation_types"):
            schema.upgrade(database)

        with database.reading() as connection:
            assert schema.version_of(connection) == "0005"
            assert rows_of(connection) == before
            connection.exec_driver_sql("SELECT origin FROM relations")
