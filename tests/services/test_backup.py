"""Backups of a whole Portal, restored on either database."""

from __future__ import annotations

import os
import resource
import tracemalloc
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from catalogs import component
from full_catalogs import PROBLEMS, QUESTIONS, TASKS, fill, opened, served
from repositories import MakeRepository
from sqlalchemy import insert, text

from portal.app import Portal
from portal.errors import ConflictError, InputError, PortalError, SettingsError
from portal.model.secret import Secret
from portal.services.archive import ArchiveWriter
from portal.services.backup import back_up
from portal.services.restoring import RestoreReport, restore
from portal.store import schema
from portal.store.database import Database
from portal.store.tables import refs
from portal.vcs.publish import create_bare

pytestmark = pytest.mark.slow

EVERYTHING = (*QUESTIONS, *PROBLEMS, *TASKS)
PHRASE = Secret("a long enough passphrase")


def untold(stage: str, done: int, total: int) -> None:
    """Nobody looks at the progress."""


def restored(url: str, file: Path, folder: Path, **options: Any) -> RestoreReport:
    with Database(url) as database:
        return restore(database, file, repositories=folder / "repositories", progress=untold, **options)


def contents(file: Path) -> Mapping[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}


@pytest.fixture
def portal(tmp_path: Path, database_url: str, repo: MakeRepository) -> Iterator[Portal]:
    """A Portal with something in every table."""
    with opened(tmp_path / "data", database_url) as made:
        made.migrate()
        fill(made, repo)
        yield made


@pytest.fixture
def embedded(tmp_path: Path, repo: MakeRepository) -> Iterator[Portal]:
    """The same, on SQLite alone."""
    with opened(tmp_path / "data", f"sqlite:///{tmp_path / 'embedded.db'}") as made:
        made.migrate()
        fill(made, repo)
        yield made


def end_tasks(portal: Portal) -> None:
    """Leave no task under way: nothing changes then when it is restored."""
    with portal.database.writing() as connection:
        connection.execute(text("UPDATE tasks SET status = 'completed', secrets = NULL"))


def test_a_restored_catalog_answers_alike_and_its_backup_is_the_same(
    portal: Portal, other_database_url: str, tmp_path: Path
) -> None:
    end_tasks(portal)
    report = back_up(portal.database, tmp_path / "one.zip", progress=untold)
    restored(other_database_url, tmp_path / "one.zip", tmp_path / "other")

    with opened(tmp_path / "other", other_database_url) as other:
        assert served(other, EVERYTHING) == served(portal, EVERYTHING)
        back_up(other.database, tmp_path / "two.zip", progress=untold)

    assert contents(tmp_path / "one.zip") == contents(tmp_path / "two.zip")
    assert [*report.rows] == [name for name in schema.table_names() if name not in schema.FORMER_TABLES]


def test_a_restored_catalog_goes_on(
    embedded: Portal, other_database_url: str, tmp_path: Path, repo: MakeRepository
) -> None:
    """Counters go on behind what was restored, terms and references keep their numbers."""
    back_up(embedded.database, tmp_path / "one.zip", progress=untold)
    restored(other_database_url, tmp_path / "one.zip", tmp_path / "other")
    more = repo({"more.yaml": component("more")}, name="three")

    for here in (embedded, opened(tmp_path / "other", other_database_url)):
        with here:
            report = here.ingest([("url", f"{more.url}#main:*.yaml")])
            assert [changes.added for changes in report.changes.values()] == [2]
            assert here.refresh.refresh().unchanged == {source.id for source in here.sources.list()}
            found = served(here, ("/api/catalog/entities?filter=metadata.name=more", "/api/search/query?term=more"))
            assert len(found["/api/catalog/entities?filter=metadata.name=more"]) == 1
            assert len(found["/api/search/query?term=more"]["results"]) == 1


def test_the_file_tells_no_secret(embedded: Portal, tmp_path: Path) -> None:
    """Secrets of tasks are not in it at all; of signing keys there is ciphertext, whose key is not in it."""
    key = (embedded.settings.data / "instance.key").read_bytes().strip()
    back_up(embedded.database, tmp_path / "one.zip", progress=untold)
    back_up(
        embedded.database, tmp_path / "two.zip", progress=untold, key=(embedded.settings.data / "instance.key", PHRASE)
    )

    assert (tmp_path / "one.zip").stat().st_mode & 0o777 == 0o600
    for name in ("one.zip", "two.zip"):
        with zipfile.ZipFile(tmp_path / name) as archive:
            unpacked = b"".join(archive.read(part) for part in archive.namelist())
        rows = [orjson.loads(line) for line in contents(tmp_path / name)["tables/tasks.jsonl"].splitlines()]
        assert key not in unpacked
        assert PHRASE.reveal().encode() not in unpacked
        assert b'"d":' not in contents(tmp_path / name)["tables/signing_keys.jsonl"]
        assert {row[3] for portion in rows for row in portion} == {None}


def test_tasks_under_way_are_ended(embedded: Portal, other_database_url: str, tmp_path: Path) -> None:
    back_up(embedded.database, tmp_path / "one.zip", progress=untold)

    report = restored(other_database_url, tmp_path / "one.zip", tmp_path / "other")

    assert report.ended == ("live",)
    with opened(tmp_path / "other", other_database_url) as other:
        found = served(other, ("/api/scaffolder/v2/tasks/live", "/api/scaffolder/v2/tasks/live/events"))
    assert found["/api/scaffolder/v2/tasks/live"]["status"] == "failed"
    assert "start it anew" in found["/api/scaffolder/v2/tasks/live/events"][-1]["body"]["error"]["message"]


def test_a_backup_is_one_state_of_the_catalog(portal: Portal, tmp_path: Path, repo: MakeRepository) -> None:
    """What is committed while a backup reads is not in it, and need not wait for its end."""
    end_tasks(portal)
    more = repo({"more.yaml": component("more")}, name="three")
    back_up(portal.database, tmp_path / "before.zip", progress=untold)
    begun = []

    def write_meanwhile(stage: str, done: int, total: int) -> None:
        if stage == "rows" and not begun:
            begun.append(done)
            portal.ingest([("url", f"{more.url}#main:*.yaml")])

    during = back_up(portal.database, tmp_path / "during.zip", progress=write_meanwhile)
    after = back_up(portal.database, tmp_path / "after.zip", progress=untold)

    assert contents(tmp_path / "during.zip") == contents(tmp_path / "before.zip")
    assert after.revision == during.revision + 1


def test_a_database_that_holds_a_catalog_stays_unless_forced(
    embedded: Portal, other_database_url: str, tmp_path: Path, repo: MakeRepository
) -> None:
    end_tasks(embedded)
    back_up(embedded.database, tmp_path / "one.zip", progress=untold)
    more = repo({"more.yaml": component("more")}, name="three")
    with opened(tmp_path / "other", other_database_url) as other:
        other.migrate()
        other.ingest([("url", f"{more.url}#main:*.yaml")])
        before = served(other, QUESTIONS[:1])

        with pytest.raises(ConflictError, match="is not empty"):
            restored(other_database_url, tmp_path / "one.zip", tmp_path / "other")
        # Its servers would go on with what they remember.
        with pytest.raises(ConflictError, match="has the database open"):
            restored(other_database_url, tmp_path / "one.zip", tmp_path / "other", is_forced=True)
        assert served(other, QUESTIONS[:1]) == before

    restored(other_database_url, tmp_path / "one.zip", tmp_path / "other", is_forced=True)
    with opened(tmp_path / "other", other_database_url) as other:
        assert served(other, EVERYTHING) == served(embedded, EVERYTHING)


def test_a_restore_that_fails_half_way_leaves_what_was_there(
    embedded: Portal, other_database_url: str, tmp_path: Path, repo: MakeRepository
) -> None:
    end_tasks(embedded)
    back_up(embedded.database, tmp_path / "one.zip", progress=untold)
    more = repo({"more.yaml": component("more")}, name="three")
    with opened(tmp_path / "other", other_database_url) as other:
        other.migrate()
        other.ingest([("url", f"{more.url}#main:*.yaml")])
        before = served(other, QUESTIONS[:1])

    class PulledPlugError(Exception):
        pass

    def fail(stage: str, done: int, total: int) -> None:
        if stage == "rows" and done > total // 2:
            raise PulledPlugError

    with Database(other_database_url) as database, pytest.raises(PulledPlugError):
        restore(
            database,
            tmp_path / "one.zip",
            repositories=tmp_path / "other" / "repositories",
            is_forced=True,
            progress=fail,
        )

    with opened(tmp_path / "other", other_database_url) as other:
        assert other.migrate() == (schema.newest_version(), schema.newest_version())
        assert served(other, QUESTIONS[:1]) == before
        assert other.refresh.refresh().unchanged


def test_a_damaged_file_changes_nothing(tmp_path: Path, repo: MakeRepository) -> None:
    """Damage is found before the database is touched, but for bytes that say nothing of what is in the file."""
    with opened(tmp_path / "data", f"sqlite:///{tmp_path / 'portal.db'}") as portal:
        portal.migrate()
        fill(portal, repo)
        back_up(portal.database, tmp_path / "one.zip", progress=untold)
    content = (tmp_path / "one.zip").read_bytes()
    target = f"sqlite:///{tmp_path / 'target.db'}"
    places = [*range(0, len(content), max(1, len(content) // 100)), *range(len(content) - 60, len(content), 2)]
    files = {f"bit {place}": content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :] for place in places}
    files |= {"cut": content[: len(content) // 2], "short": content[:-1], "no zip": b"x" * 99, "empty": b""}
    accepted = []
    for name, damaged in files.items():
        (tmp_path / "damaged.zip").write_bytes(damaged)
        try:
            restored(target, tmp_path / "damaged.zip", tmp_path / "target")
        except InputError:
            with Database(target) as database, database.reading() as connection:
                assert schema.version_of(connection) == "", name
        else:
            accepted.append(name)
            # Times, for example.
            assert contents(tmp_path / "damaged.zip") == contents(tmp_path / "one.zip"), name
            (tmp_path / "target.db").unlink()
    assert len(accepted) < len(files) // 4, accepted


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"formatVersion": 2}, "has format 2"),
        ({"format": "other"}, "is no backup"),
        ({"schema": "9999"}, "has schema 9999; this Portal knows schemas up to"),
        ({"tables": {"users": {"columns": [], "rows": 0}}}, "names what no Portal has: users"),
        ({"repositories": {"../up.git": {}}}, r"names what no Portal has: \.\./up\.git"),
        ({"parts": {}}, "is damaged"),
    ],
)
def test_a_file_that_this_portal_cannot_know_is_refused(change: Mapping[str, Any], told: str, tmp_path: Path) -> None:
    with opened(tmp_path, f"sqlite:///{tmp_path / 'portal.db'}") as portal:
        portal.migrate()
        back_up(portal.database, tmp_path / "one.zip", progress=untold)
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        manifest = orjson.loads(archive.read("manifest.json"))
    with zipfile.ZipFile(tmp_path / "changed.zip", "w") as archive:
        for name, content in contents(tmp_path / "one.zip").items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", orjson.dumps(manifest | change))

    with pytest.raises(InputError, match=told):
        restored(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "changed.zip", tmp_path)


def test_a_backup_does_not_overwrite_and_leaves_no_half_file(tmp_path: Path) -> None:
    with opened(tmp_path / "data", f"sqlite:///{tmp_path / 'portal.db'}") as portal:
        with pytest.raises(ConflictError, match="nothing to back up"):
            back_up(portal.database, tmp_path / "one.zip", progress=untold)
        portal.migrate()
        back_up(portal.database, tmp_path / "one.zip", progress=untold)
        with pytest.raises(ConflictError, match="exists already"):
            back_up(portal.database, tmp_path / "one.zip", progress=untold)

    assert sorted(path.name for path in tmp_path.glob("*.zip*")) == ["one.zip"]
    assert not list(tmp_path.glob(".*"))


def test_a_database_of_a_newer_portal_is_not_half_backed_up(database_url: str, tmp_path: Path) -> None:
    with opened(tmp_path / "data", database_url) as portal:
        portal.migrate()
        with portal.database.writing() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(ConflictError, match="has schema 9999"):
            back_up(portal.database, tmp_path / "one.zip", progress=untold)


def test_repositories_come_along_where_they_are_asked_for(tmp_path: Path, repo: MakeRepository) -> None:
    made = repo({"README.md": "x"}, name="work")
    made.git("branch", "other")
    made.git("tag", "v1")
    data = tmp_path / "data"
    create_bare(data / "repositories" / "full.git", default_branch="trunk")
    create_bare(data / "repositories" / "empty.git")
    made.git("push", "--quiet", str(data / "repositories" / "full.git"), "main:trunk", "other", "v1")
    with opened(data, f"sqlite:///{tmp_path / 'portal.db'}") as portal:
        portal.migrate()
        report = back_up(
            portal.database, tmp_path / "one.zip", repositories=portal.settings.repositories, progress=untold
        )
    (tmp_path / "other" / "repositories" / "empty.git").mkdir(parents=True)

    done = restored(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "one.zip", tmp_path / "other")

    assert report.repositories == ("empty.git", "full.git")
    assert (done.repositories, done.kept) == (("full.git",), ("empty.git",))
    there = f"--git-dir={tmp_path / 'other' / 'repositories' / 'full.git'}"
    shown = made.git(there, "for-each-ref", "--format=%(refname) %(objectname)")
    head = made.git("rev-parse", "HEAD")
    assert shown.splitlines() == [f"refs/heads/other {head}", f"refs/heads/trunk {head}", f"refs/tags/v1 {head}"]
    assert made.git(there, "symbolic-ref", "HEAD") == "refs/heads/trunk"
    assert sorted(path.name for path in (tmp_path / "other" / "repositories").iterdir() if path.is_dir()) == [
        "empty.git",
        "full.git",
    ]


def test_the_instance_key_comes_along_under_its_passphrase(embedded: Portal, tmp_path: Path) -> None:
    key = embedded.settings.data / "instance.key"
    back_up(embedded.database, tmp_path / "with.zip", key=(key, PHRASE), progress=untold)
    back_up(embedded.database, tmp_path / "without.zip", progress=untold)
    place = tmp_path / "other" / "instance.key"
    target = f"sqlite:///{tmp_path / 'other.db'}"

    with pytest.raises(InputError, match="passphrase does not open"):
        restored(target, tmp_path / "with.zip", tmp_path / "other", key=(place, Secret("another passphrase")))
    with pytest.raises(SettingsError, match="holds no instance key"):
        restored(target, tmp_path / "without.zip", tmp_path / "other", key=(place, PHRASE))
    assert not place.exists()

    assert restored(target, tmp_path / "with.zip", tmp_path / "other", key=(place, PHRASE)).has_key
    assert place.read_bytes() == key.read_bytes()
    assert place.stat().st_mode & 0o777 == 0o600
    token = embedded.access.identity.sign_in_guest().token
    with opened(tmp_path / "other", target) as other:
        assert other.access.identity.sign_in_guest().token.claims["iss"] == token.claims["iss"]
        with other.database.reading() as connection:
            assert len(connection.execute(text("SELECT id FROM signing_keys")).all()) == 1

    place.write_bytes(b"another")
    with pytest.raises(ConflictError, match="another key"):
        restored(target, tmp_path / "with.zip", tmp_path / "other", key=(place, PHRASE), is_forced=True)


@pytest.mark.parametrize("phrase", ["", "short"])
def test_a_passphrase_that_can_be_guessed_is_refused(phrase: str, tmp_path: Path) -> None:
    with opened(tmp_path, f"sqlite:///{tmp_path / 'portal.db'}") as portal:
        portal.migrate()
        portal.access.identity.sign_in_guest()
        with pytest.raises(InputError, match="too short"):
            back_up(
                portal.database, tmp_path / "x.zip", key=(tmp_path / "instance.key", Secret(phrase)), progress=untold
            )
    assert not (tmp_path / "x.zip").exists()


def test_memory_does_not_grow_with_the_catalog(database_url: str, other_database_url: str, tmp_path: Path) -> None:
    """40 MB of rows pass through fewer."""
    with Database(database_url) as database:
        schema.upgrade(database)
        with database.writing() as connection:
            rows = [{"id": number, "ref": f"component:default/{number:06}-{'x' * 4_000}"} for number in range(1_000)]
            for start in range(0, 10_000, 1_000):
                moved = [{"id": start + row["id"], "ref": f"{start}/{row['ref']}"} for row in rows]
                connection.execute(insert(refs), moved)
            del rows, moved
        tracemalloc.start()
        try:
            back_up(database, tmp_path / "one.zip", progress=untold)
            restored(other_database_url, tmp_path / "one.zip", tmp_path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 24_000_000
    with Database(other_database_url) as other, other.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM refs")).scalar_one() == 10_000


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """What a system does at a limit of file sizes is what it does on a full disk, with another name."""

    def write_much() -> None:
        with ArchiveWriter(tmp_path / "x.zip") as made, made.part("tables/x.jsonl") as write:
            for _ in range(100):
                write(os.urandom(100_000))

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(PortalError, match="cannot be written: File too large"):
            write_much()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
