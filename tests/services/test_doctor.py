"""The doctor, each of its checks by what it is there to find."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from catalogs import component
from cryptography.fernet import Fernet
from full_catalogs import opened
from repositories import MakeRepository, Repository
from sqlalchemy import insert, text
from waiting import eventually

from portal.app import Portal
from portal.app.examination import examine
from portal.config import Settings, load_settings
from portal.services.doctor import Check, Doctor, Limits
from portal.store import schema, tasks
from portal.store.database import Database
from portal.store.tables import refs


@pytest.fixture
def source(repo: MakeRepository) -> Repository:
    return repo({"catalog-info.yaml": component("a")}, name="source")


@pytest.fixture
def portal(tmp_path: Path, database_url: str, source: Repository) -> Iterator[Portal]:
    """A Portal that is well: it has read a source, and signed somebody in."""
    with opened(tmp_path / "data", database_url) as made:
        made.migrate()
        made.ingest([("url", source.url)])
        made.access.identity.sign_in_guest()
        yield made


@pytest.fixture
def embedded(tmp_path: Path, source: Repository) -> Iterator[Portal]:
    """The same on SQLite alone."""
    with opened(tmp_path / "data", f"sqlite:///{tmp_path / 'portal.db'}") as made:
        made.migrate()
        made.ingest([("url", source.url)])
        made.access.identity.sign_in_guest()
        yield made


def examined(portal: Portal, *, limits: Limits | None = None, ahead_seconds: float = 0) -> Mapping[str, Check]:
    doctor = Doctor(
        portal.database,
        data=portal.settings.data,
        providers=portal.providers,
        integrations=portal.integrations,
        limits=limits,
        clock=lambda: time.time() + ahead_seconds,
    )
    return {check.name: check for check in doctor.examine()}


def faults(checks: Mapping[str, Check]) -> dict[str, str]:
    """Return the status of each check that found something; all of them tell the mend, the others none."""
    assert all(bool(check.mend) == (check.status in {"warning", "failed"}) for check in checks.values()), checks
    return {name: check.status for name, check in checks.items() if check.status not in {"ok", "skipped"}}


def test_a_portal_that_is_well(portal: Portal) -> None:
    checks = examined(portal)

    assert faults(checks) == {}
    assert {"disk", "git", "instance key", "database", "schema", "size", "content", "statistics"} <= checks.keys()
    assert {"signing keys", "tasks", "sources", "clock", "locks"} <= checks.keys()


def test_a_full_disk(portal: Portal) -> None:
    free = 1 << 50
    assert faults(examined(portal, limits=Limits(free_bytes=free))) == {"disk": "failed"}


def test_a_disk_that_fills(portal: Portal) -> None:
    stat = os.statvfs(portal.settings.data)
    free = stat.f_bavail * stat.f_frsize
    assert faults(examined(portal, limits=Limits(free_bytes=2 * free))) == {"disk": "warning"}


def test_git_that_is_missing_or_too_old(embedded: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "bin"
    place.mkdir()
    (place / "git").write_text("#!/bin/sh\necho git version 2.20.1\n")
    (place / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    assert examined(embedded)["git"].status == "failed"
    assert examined(embedded)["git"].found == "git 2.20.1"

    (place / "git").unlink()
    monkeypatch.setenv("PATH", str(place))
    found = examined(embedded)
    assert found["git"].status == "failed"
    assert "not installed" in found["git"].found
    assert found["sources"].status == "failed"


def expose(key: Path) -> None:
    key.chmod(0o644)


def spoil(key: Path) -> None:
    key.write_text("no key")


def exchange(key: Path) -> None:
    key.write_bytes(Fernet.generate_key())


def lose(key: Path) -> None:
    key.unlink()


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (expose, {"instance key": "failed"}),
        (spoil, {"instance key": "failed", "signing keys": "failed"}),
        (exchange, {"signing keys": "failed"}),
        (lose, {"signing keys": "failed"}),
    ],
)
def test_keys_that_are_seen_spoilt_exchanged_or_lost(
    harm: Callable[[Path], None], expected: Mapping[str, str], embedded: Portal
) -> None:
    harm(embedded.settings.data / "instance.key")
    assert faults(examined(embedded)) == expected


def test_a_schema_that_is_older_newer_or_none(portal: Portal) -> None:
    for version, told in (("0001", "Run portal db upgrade"), ("9999", "Install the Portal"), ("", "Run portal serve")):
        with portal.database.writing() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
        found = examined(portal)
        assert found["schema"].status in {"failed", "warning"}
        assert told in found["schema"].mend
        assert found["content"].status == "skipped"


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    with opened(tmp_path / "data", "postgresql://portal:hunter2@127.0.0.1:1/portal") as portal:
        found = examined(portal)
    assert faults(found) == {"database": "failed"}
    assert "hunter2" not in found["database"].found


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with opened(tmp_path / "data", f"sqlite:///{tmp_path / 'none.db'}") as portal:
        assert faults(examined(portal)) == {"database": "warning"}
    assert not (tmp_path / "none.db").exists()


def test_rows_that_do_not_fit_together(portal: Portal) -> None:
    with portal.database.writing() as connection:
        connection.execute(text("UPDATE entities SET document_id = 999999"))
        connection.execute(text("DELETE FROM versions"))
    found = examined(portal)
    assert faults(found) == {"content": "failed"}
    assert "entities without the document" in found["content"].found
    assert "entities without a version" in found["content"].found


def test_a_damaged_file(embedded: Portal, tmp_path: Path) -> None:
    with embedded.database.writing() as connection:
        connection.execute(insert(refs), [{"id": 1000 + n, "ref": f"a:b/{n}-{'x' * 500}"} for n in range(2_000)])
    embedded.database.engine.dispose()
    with sqlite3.connect(tmp_path / "portal.db") as direct:
        direct.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    direct.close()
    with (tmp_path / "portal.db").open("r+b") as file:
        file.seek(0, os.SEEK_END)
        middle = file.tell() * 3 // 4
        file.seek(middle)
        file.write(os.urandom(64_000))

    found = faults(examined(embedded))
    assert "failed" in (found.get("content"), found.get("database"))

    (tmp_path / "portal.db").write_bytes(b"no database at all" * 1_000)
    embedded.database.engine.dispose()
    assert faults(examined(embedded)) == {"database": "failed"}


def test_tables_that_postgresql_has_not_taken_stock_of(postgres_database: Portal) -> None:
    database = postgres_database.database
    with database.writing() as connection:
        connection.execute(insert(refs), [{"id": 1000 + n, "ref": f"a:b/{n}"} for n in range(5_000)])
    database.engine.dispose()
    # What it counts it tells a moment later.
    eventually(lambda: examined(postgres_database)["statistics"].status == "warning", "the server to have counted")
    assert "refs" in examined(postgres_database)["statistics"].found


@pytest.fixture
def postgres_database(portal: Portal) -> Portal:
    if portal.database.engine.dialect.name != "postgresql":
        pytest.skip("PostgreSQL alone")
    return portal


def test_a_file_that_is_mostly_empty(embedded: Portal, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "portal.db") as direct:
        direct.execute("CREATE TABLE much AS SELECT zeroblob(80000000) AS content")
        direct.execute("DROP TABLE much")
    direct.close()
    found = examined(embedded)
    assert faults(found) == {"size": "warning"}
    assert "VACUUM" in found["size"].mend


def test_tasks_that_rest(portal: Portal) -> None:
    with portal.database.writing() as connection:
        now_ms = int((time.time() - 3600) * 1000)
        tasks.create_task(connection, "t", spec={}, secrets=None, created_by=None, now_ms=now_ms)
    found = examined(portal)
    assert faults(found) == {"tasks": "warning"}
    assert ": t" in found["tasks"].found


def test_sources_that_are_gone_and_that_were_never_read(portal: Portal, source: Repository, tmp_path: Path) -> None:
    portal.sources.add([("url", f"{source.url}#main:other.yaml")])
    assert faults(examined(portal)) == {"sources": "warning"}

    source.path.rename(tmp_path / "elsewhere")
    found = examined(portal)
    assert faults(found) == {"sources": "failed"}
    assert found["sources"].found.startswith("2 of 2 not reachable")


def test_clocks_that_disagree(portal: Portal) -> None:
    """Behind: on both databases there are rows from the future. Ahead: PostgreSQL's own clock tells."""
    assert faults(examined(portal, ahead_seconds=-600)).get("clock") == "failed"
    is_postgresql = portal.database.engine.dialect.name == "postgresql"
    assert faults(examined(portal, ahead_seconds=600)).get("clock") == ("failed" if is_postgresql else None)


def test_somebody_who_does_not_let_go(portal: Portal) -> None:
    is_postgresql = portal.database.engine.dialect.name == "postgresql"
    limits = Limits(transaction_seconds=0, lock_seconds=0)
    with Database(portal.database.url) as other, other.writing() as connection:
        connection.execute(text("DELETE FROM problems"))
        assert faults(examined(portal, limits=limits)) == {"locks" if is_postgresql else "write lock": "warning"}
    assert faults(examined(portal, limits=limits)) == {}


def looked(**overrides: Any) -> dict[str, Check]:
    def load() -> Settings:
        return load_settings(environment={}, overrides=overrides)

    return {check.name: check for check in examine(load)}


def test_settings_that_cannot_be_used() -> None:
    found = looked(port="none", yaml_depth="x")
    assert faults(found) == {"settings": "failed"}
    assert "port" in found["settings"].found
    assert "yaml_depth" in found["settings"].found


def test_guests_where_others_reach_portal(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    found = faults(looked(host="0.0.0.0", data=str(tmp_path / "data"), guests=True))
    assert found == {"settings": "warning", "database": "warning"}
    assert "settings" not in faults(looked(host="0.0.0.0", data=str(tmp_path / "data")))


def test_a_data_folder_that_is_not_there_or_none(tmp_path: Path) -> None:
    assert faults(looked(data=str(tmp_path / "data"))) == {"data folder": "warning"}
    assert not (tmp_path / "data").exists()
    (tmp_path / "data").write_text("a file")
    assert faults(looked(data=str(tmp_path / "data"))) == {"data folder": "failed"}


def test_nothing_is_changed_by_looking(embedded: Portal, tmp_path: Path) -> None:
    with embedded.database.reading() as connection:
        before = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        examined(embedded)
        assert connection.exec_driver_sql("PRAGMA data_version").scalar_one() == before
    assert schema.newest_version() == examined(embedded)["schema"].found
