"""What every request goes through: its id, its headers, its place in the figures and in the log."""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from catalogs import component, documents
from flask import g
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from repositories import MakeRepository

from portal.api.request_id import RequestIds
from portal.api.rights import OPEN, RIGHTS
from portal.app import Portal, build
from portal.app.logs import configure_logs
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.model.secret import Secret

ENTITY = "/api/catalog/entities/by-name/component/default/a"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    """A Portal on one database: nothing here is the database's affair."""
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def client(portal: Portal, repo: MakeRepository) -> FlaskClient:
    portal.ingest([("url", repo({"catalog-info.yaml": documents(component("a"))}).url)])
    return create_app(portal).test_client()


def _figures(client: FlaskClient) -> dict[tuple[str, str, str], float]:
    """Return how many requests there were by route, method, status."""
    return {
        (sample.labels["route"], sample.labels["method"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if sample.name == "portal_http_request_duration_seconds_count"
    }


@pytest.mark.parametrize(
    "path", [ENTITY, "/api/catalog/entities", "/", "/gone", "/api/gone", "/api/catalog/locations/x"]
)
def test_an_answer_tells_the_id_that_its_client_gave(client: FlaskClient, path: str) -> None:
    told = client.get(path, headers={"X-Request-ID": "Root=1-67891233:abc/def+x"})

    assert told.headers.getlist("X-Request-ID") == ["Root=1-67891233:abc/def+x"]
    assert told.headers.getlist("X-Content-Type-Options") == ["nosniff"]


@pytest.mark.parametrize("odd", ["", " ", "a b", "a\tb", "-a", '"a"', "a" * 129, "ä", "{x}"])
def test_an_id_that_could_be_read_as_something_else_is_not_taken(client: FlaskClient, odd: str) -> None:
    told = client.get(ENTITY, headers={"X-Request-ID": odd.encode().decode("latin-1")})

    assert re.fullmatch(r"[0-9a-f]{12}-[0-9]+", told.headers["X-Request-ID"])


def test_every_request_has_an_id_of_its_own() -> None:
    one, other = RequestIds(), RequestIds()
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda ids=ids: made.extend(ids.begin(None) for _ in range(2_000)))
        for ids in (one, one, other, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == len(made) == 8_000


def test_those_who_answer_know_the_id(portal: Portal) -> None:
    app = create_app(portal)
    seen: list[str] = []
    app.before_request(lambda: seen.append(g.portal_request_id))

    told = app.test_client().get("/gone")

    assert seen == [told.headers["X-Request-ID"]]


def test_one_who_is_refused_is_told_the_id_too(client: FlaskClient) -> None:
    told = client.get(ENTITY, headers={"authorization": "Bearer nonsense", "X-Request-ID": "mine"})

    assert (told.status_code, told.headers["X-Request-ID"]) == (401, "mine")
    assert "mine" not in told.text


def test_pages_are_not_framed_and_tell_others_nothing(client: FlaskClient) -> None:
    told = client.get("/", headers={"accept": "text/html"})

    assert (told.headers["X-Frame-Options"], told.headers["Referrer-Policy"]) == ("DENY", "same-origin")
    assert "frame-ancestors 'none'" in told.headers["Content-Security-Policy"]


def test_requests_are_counted_by_the_route_as_it_is_declared(client: FlaskClient) -> None:
    named = "/api/catalog/entities/by-name/<kind>/<namespace>/<name>"
    for name in ("a", "a", "b", "c"):
        client.get(f"/api/catalog/entities/by-name/component/default/{name}")
    client.get(ENTITY, headers={"authorization": "Bearer nonsense"})
    client.post("/api/catalog/refresh", json={})
    client.open("/", method="BREW")
    client.open("/", method="STIR")

    found = _figures(client)

    assert found[named, "GET", "200"] == 2
    assert found[named, "GET", "404"] == 2
    assert found[named, "GET", "401"] == 1
    assert found["/api/catalog/refresh", "POST", "400"] == 1
    assert found["(none)", "other", "405"] == 2


def test_no_client_can_make_series(client: FlaskClient) -> None:
    client.get("/metrics")
    for number in range(50):
        client.get(f"/odd/{number}?token={number}")
        client.get(f"/api/odd/{number}", headers={"X-Request-ID": str(number)})
        client.open(f"/odd/{number}", method=f"M{number}")

    assert len(_figures(client)) < 6
    assert "token" not in client.get("/metrics").text


def test_the_figures_are_whole_when_many_threads_ask(client: FlaskClient) -> None:
    application = client.application
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=lambda: [application.test_client().get(ENTITY) for _ in range(50)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)

    assert _figures(client)["/api/catalog/entities/by-name/<kind>/<namespace>/<name>", "GET", "200"] == 400


# The log


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged while a test runs; the process's own logging comes back afterwards."""
    root = logging.getLogger()
    kept = (root.handlers[:], root.level, logging.getLogger("portal").level, sys.excepthook, threading.excepthook)
    yield io.StringIO()
    logging.captureWarnings(False)
    root.handlers[:], root.level, logging.getLogger("portal").level, sys.excepthook, threading.excepthook = kept
    logging.getLogger("portal").setLevel(kept[2])
    root.setLevel(kept[1])


def _configure(written: io.StringIO, **overrides: str) -> None:
    configure_logs(load_settings(environment={}, overrides=overrides), written)


def _lines(written: io.StringIO) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_of_json_has_the_id_of_its_request(
    portal: Portal, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RIGHTS, "broken", OPEN)
    app = create_app(portal)

    @app.get("/api/broken")
    def broken() -> str:
        raise RuntimeError("postgresql://portal:s3cret-word@db/portal does not answer")

    _configure(written, log_format="json")
    told = app.test_client().get("/api/broken", headers={"X-Request-ID": "this-one"})

    assert (told.status_code, told.headers["X-Request-ID"]) == (500, "this-one")
    (line,) = _lines(written)
    assert (line["level"], line["message"], line["request_id"]) == ("error", "a request failed", "this-one")
    assert (line["method"], line["path"], line["logger"]) == ("GET", "/api/broken", "portal.api.errors")
    assert "RuntimeError: postgresql://***@db/portal does not answer" in str(line["exception"])
    assert "s3cret-word" not in written.getvalue() + told.text


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_requests_are_logged_where_that_is_wanted(portal: Portal, written: io.StringIO, log_format: str) -> None:
    _configure(written, log_format=log_format)
    for wanted in (False, True):
        portal.settings = replace(portal.settings, log_requests=wanted)
        create_app(portal).test_client().get("/api/catalog/locations/x?token=hidden", headers={"X-Request-ID": "r1"})

    (line,) = written.getvalue().splitlines()
    assert "hidden" not in line
    if log_format == "json":
        told = orjson.loads(line)
        assert (told["route"], told["status"], told["request_id"]) == (
            "/api/catalog/locations/<location_id>",
            400,
            "r1",
        )
    else:
        assert "a request was answered" in line
        assert "request_id='r1'" in line


def test_outside_of_requests_a_line_has_no_id(written: io.StringIO) -> None:
    _configure(written, log_format="json")
    thread = threading.Thread(target=lambda: logging.getLogger("portal.x").warning("beside"))
    thread.start()
    thread.join()

    assert "request_id" not in _lines(written)[0]


@pytest.mark.parametrize("log_format", ["text", "json"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hidden=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=12, max_size=30)
)
def test_no_secret_is_written_however_it_is_told(written: io.StringIO, log_format: str, hidden: str) -> None:
    secret = Secret(hidden)
    _configure(written, log_format=log_format)
    log = logging.getLogger("portal.x")
    for place in (f"told {hidden}", "%s"):
        log.warning(place, *([hidden] if place == "%s" else []), extra={"of": {"it": [hidden]}, "and": hidden})
    try:
        int(hidden + "x")
    except ValueError:
        log.exception("failed")

    text = written.getvalue()
    assert secret.reveal() not in text
    if log_format == "json":
        assert all(hidden not in str(line) for line in map(orjson.loads, text.splitlines()))


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("https://user:s3cret@h/p", "https://***@h/p"),
        ("ssh://git@h/p", "ssh://***@h/p"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer ***"),
        ("basic YWJjOmRlZmdo", "basic ***"),
        ("eyJhbGciOi.eyJzdWIi.c2ln", "***"),
        ("https://h/p@v1", "https://h/p@v1"),
        ("a basic thing", "a basic thing"),
    ],
)
def test_what_looks_like_credentials_is_not_written(written: io.StringIO, told: str, shown: str) -> None:
    _configure(written, log_format="json")
    logging.getLogger("portal.x").warning("%s", told)

    assert _lines(written)[0]["message"] == shown


def test_nobody_writes_lines_of_their_own_into_the_log(written: io.StringIO) -> None:
    _configure(written)
    logging.getLogger("portal.x").warning("path %s", "a\n2026-01-01 ERROR all is lost", extra={"field": "b\nc"})

    assert len(written.getvalue().splitlines()) == 1


def test_a_thread_that_fails_is_told_in_the_log(written: io.StringIO) -> None:
    _configure(written, log_format="json")

    def fail() -> None:
        raise RuntimeError("postgresql://a:s3cret-word@b/c")

    thread = threading.Thread(target=fail, name="portal-test")
    thread.start()
    thread.join()

    (line,) = _lines(written)
    assert (line["level"], line["thread_name"]) == ("critical", "portal-test")
    assert "s3cret-word" not in written.getvalue()


def test_others_are_heard_from_warnings_on(written: io.StringIO) -> None:
    _configure(written, log_format="json", log_level="debug")
    logging.getLogger("httpx").info("https://h/p?token=1")
    logging.getLogger("portal.x").debug("mine")

    assert [line["message"] for line in _lines(written)] == ["mine"]
