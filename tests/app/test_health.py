"""Whether requests should be sent to a server; what a worker tells those who watch it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from catalogs import component
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from repositories import MakeRepository
from werkzeug.test import TestResponse

from portal.app import Portal, build
from portal.app.health import HealthServer, create_health_app
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.model.audit import AuditQuery

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


def test_a_worker_tells_the_figures_that_its_server_would(portal: Portal, repo: MakeRepository) -> None:
    portal.ingest([("url", repo({"catalog-info.yaml": component("a")}).url)])

    told = [make(portal).test_client().get("/metrics") for make in (create_app, create_health_app)]

    server, worker = map(figures, told)
    assert worker.keys() == server.keys()
    assert {"portal_source_lag_seconds", "portal_tasks", "portal_entities"} <= {name for name, *_ in worker}
    assert worker["portal_refresh_duration_seconds_count", "changed"] == 1
    assert told[0].content_type == told[1].content_type


def test_a_worker_tells_its_figures_as_openmetrics_where_that_is_asked_for(portal: Portal) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    told = create_health_app(portal).test_client().get("/metrics", headers=accept)

    assert told.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert "portal_sources" in {family.name for family in openmetrics.text_string_to_metric_families(told.text)}


def test_a_worker_of_a_portal_without_guests_asks_who_scrapes(tmp_path: Path, database_url: str) -> None:
    known = {"type": "static", "options": {"token": "long-enough-to-be-one", "subject": "prometheus"}}
    overrides = {"data": str(tmp_path / "data"), "database": database_url, "guests": False, "external_access": [known]}
    with build(load_settings(environment={}, overrides=overrides)) as portal:
        portal.migrate()
        client = create_health_app(portal).test_client()
        assert client.get(f"{BASE}/readiness").status_code == 200
        for headers in ({}, {"Authorization": "Bearer another"}, {"Cookie": "portal-7007=x"}):
            refused = client.get("/metrics", headers=headers)
            assert (refused.status_code, refused.json["error"]["name"]) == (401, "AuthenticationError")
            assert "portal_" not in refused.text
        good = client.get("/metrics", headers={"Authorization": "Bearer long-enough-to-be-one"})
        assert good.status_code == 200
        records = portal.audit.find(AuditQuery(), before=None, limit=10).records
        assert [(record.target, record.result) for record in records] == [("/metrics", "refused")] * 3


def test_a_worker_answers_those_who_watch_it_and_nobody_else(portal: Portal) -> None:
    server = HealthServer("127.0.0.1", 0, create_health_app(portal))
    with closing(server):
        assert ask(server.port, f"{BASE}/liveness") == (200, b'{"status":"ok"}')
        assert ask(server.port, f"{BASE}/readiness") == (200, b'{"status":"ok"}')
        assert b"portal_refresh_duration_seconds" in ask(server.port, "/metrics")[1]
        for path in ("/", "/api/catalog/entities", f"{BASE}/readiness/..", "/%00", "/metrics/"):
            status, content = ask(server.port, path)
            assert (status, orjson.loads(content)["error"]["name"]) == (404, "NotFoundError")
        assert ask(server.port, "/metrics?odd=1")[0] == 400
        assert ask(server.port, "/metrics", method="POST")[0] == 405

        portal.begin_to_stop()
        status, content = ask(server.port, f"{BASE}/readiness")
        assert (status, orjson.loads(content)) == (503, {"message": "Portal is stopping", "status": "error"})
    with pytest.raises(ConnectionRefusedError):
        ask(server.port, f"{BASE}/liveness")


@pytest.mark.skipif(not socket.has_ipv6, reason="this system has no IPv6")
def test_it_listens_on_an_ipv6_address(portal: Portal) -> None:
    with closing(HealthServer("::1", 0, create_health_app(portal))) as server:
        assert ask(server.port, f"{BASE}/liveness", host="::1")[0] == 200


def ask(port: int, path: str, *, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, bytes]:
    """Return status and body of an answer, which does not say what it is answered by."""
    with closing(http.client.HTTPConnection(host, port, timeout=60)) as connection:
        connection.request(method, path)
        response = connection.getresponse()
        assert response.getheader("Server") == "portal"
        assert response.getheader("X-Request-ID")
        return response.status, response.read()


def figures(answer: TestResponse) -> dict[tuple[str, ...], float]:
    """Return the figures by name and the values of labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
