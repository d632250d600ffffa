"""Whether requests should be sent to a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings

BASE = "/.backstage/health/v1"


@pytest.fixture
def portal(tmp_path: Path, database_url: str) -> Iterator[Portal]:
    overrides = {"data": str(tmp_path / "data"), "database": database_url}
    with build(load_settings(environment={}, overrides=overrides)) as opened:
        opened.migrate()
        yield opened


def test_a_server_that_has_been_asked_to_end_wants_no_more_requests(portal: Portal) -> None:
    client = create_app(portal).test_client()
    assert client.get(f"{BASE}/readiness").json == {"status": "ok"}

    portal.begin_to_stop()

    told = client.get(f"{BASE}/readiness")
    assert (told.status_code, told.json) == (503, {"message": "Portal is stopping", "status": "error"})
    assert client.get(f"{BASE}/liveness").status_code == 200
    # Who asks all the same is answered as long as the server is there.
    assert client.get("/api/catalog/entities").status_code == 200


@pytest.mark.parametrize("version", ["0009", "9999"])
def test_a_server_waits_until_its_database_has_the_shape_that_it_needs(portal: Portal, version: str) -> None:
    client = create_app(portal).test_client()
    with portal.database.writing() as connection:
        kept = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{version}'")

    told = client.get(f"{BASE}/readiness")
    assert told.status_code == 503
    assert version in told.json["message"]
    assert kept in told.json["message"]

    with portal.database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{kept}'")
    assert client.get(f"{BASE}/readiness").status_code == 200
