"""Routes come into an application that has answered already, and nobody finds it half made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    """A Portal with nothing in it."""
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as built:
        built.migrate()
        yield built


def test_routes_come_when_they_are_asked_for(portal: Portal) -> None:
    app = create_app(portal, is_whole=False)
    assert _blueprints(app) == {"catalog", "health"}
    client = app.test_client()
    assert client.get("/api/catalog/entities").status_code == 200
    answers: list[int] = []
    ended = threading.Event()

    def ask() -> None:
        own = app.test_client()
        while not ended.is_set():
            answers.append(own.get("/api/catalog/entities").status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        assert client.get("/api/ownership/layers").status_code == 200
        assert "web" not in _blueprints(app)
        assert client.get("/").status_code == 200
    finally:
        ended.set()
        asking.join()
    assert set(answers) == {200}
    assert client.get("/nowhere").status_code == 404
    assert client.get("/api/nowhere").json["error"]["name"] == "NotFoundError"
    whole = create_app(portal)
    assert {str(rule) for rule in app.url_map.iter_rules()} == {str(rule) for rule in whole.url_map.iter_rules()}
    options = client.options("/api/catalog/entities")
    assert options.headers["Allow"] == whole.test_client().options("/api/catalog/entities").headers["Allow"]


def test_no_late_route_has_a_path_that_is_answered_before_it_comes(portal: Portal) -> None:
    app, whole = create_app(portal, is_whole=False), create_app(portal)
    first = {rule.endpoint for rule in app.url_map.iter_rules()}
    known, urls = app.url_map.bind(""), whole.url_map.bind("")
    late = [rule for rule in whole.url_map.iter_rules() if rule.endpoint not in first]
    assert len(late) > 100
    for rule in late:
        path = urls.build(rule.endpoint, dict.fromkeys(rule.arguments, "1"), method=next(iter(rule.methods)))
        assert not any(known.test(path.partition("?")[0], method) for method in rule.methods), path


def _blueprints(app: Flask) -> set[str]:
    return {rule.endpoint.partition(".")[0] for rule in app.url_map.iter_rules()}
