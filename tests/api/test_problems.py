"""Problems over HTTP: lists, badges, what Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from catalogs import component, documents, entity, group
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from repositories import Repository

from portal.api.badge import GREEN, RED, YELLOW, badge
from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings

SVG = "{http://www.w3.org/2000/svg}"
ROOT = "/api/ownership/problems"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("problems")
    made = Repository(folder / "repository")
    strict = "rank: 2, owner: team-b, ownerRoles: [builder], enforcement: {portal/owner-role: enforce}"
    made.commit(
        {
            "catalog-info.yaml": documents(
                group("team-a"),
                group("team-b", more="roles: [builder]"),
                entity("Layer", "low", "rank: 1, owner: team-b, ownerRoles: [builder]", version="portal/v1alpha1"),
                entity("Layer", "high", strict, version="portal/v1alpha1"),
                component("a", more="layer: low"),
                component("b.c", more="layer: high"),
                component("good", owner="team-b", more="layer: low"),
                component("broken", owner="''"),
            )
        }
    )
    with build(load_settings(environment={}, overrides={"data": str(folder / "data")})) as portal:
        portal.migrate()
        portal.ingest([("url", made.url)])
        portal.survey.take()
        yield create_app(portal).test_client()


def test_problems_are_filtered_counted_and_told_in_pages(client: FlaskClient) -> None:
    whole = client.get(ROOT).json
    joined = client.get(f"{ROOT}?layer=low,high&rule=portal/owner-role").json
    repeated = client.get(f"{ROOT}?layer=high&layer=layer:default/low&rule=portal/owner-role").json
    page = client.get(f"{ROOT}?limit=1&offset=1").json

    assert set(whole) == {"revision", "since", "total", "counts", "problems", "findings"}
    assert whole["total"] == len(whole["problems"]) + len(whole["findings"]) == 3
    assert whole["counts"]["severity"] == {"enforce": 1, "error": 1, "warn": 1}
    assert joined == repeated
    assert [finding["ref"] for finding in joined["findings"]] == ["component:default/a", "component:default/b.c"]
    assert joined["counts"]["layer"] == {"layer:default/high": 1, "layer:default/low": 1}
    assert (page["problems"], page["findings"]) == ([], whole["findings"][:1])
    assert page["counts"] == whole["counts"]
    assert client.get(f"{ROOT}?since=1").json | {"revision": 1} == {
        "revision": 1,
        "since": {"revision": 1, "isExact": True},
        "total": 0,
        "counts": {"rule": {}, "layer": {}, "owner": {}, "severity": {}},
        "problems": [],
        "findings": [],
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{ROOT}?rule=none", 400),
        (f"{ROOT}?rule=", 400),
        (f"{ROOT}?layer=x", 400),
        (f"{ROOT}?severity=bad", 400),
        (f"{ROOT}?since=99", 400),
        (f"{ROOT}?since=-1", 400),
        (f"{ROOT}?since=99999999999999999999", 400),
        (f"{ROOT}?limit=-1", 400),
        (f"{ROOT}/badge.svg?rule=none", 400),
        (f"{ROOT}/badge.svg?limit=1", 400),
        (f"{ROOT}/badge.svg?label=", 400),
        (f"{ROOT}/badge.svg?label={'x' * 101}", 400),
        ("/api/ownership/badge/component/default/none.svg", 404),
        ("/api/ownership/badge/component/default/a.svg?odd=1", 400),
        ("/api/ownership/badge/component/default/a", 404),
        ("/metrics?odd=1", 400),
    ],
)
def test_what_cannot_be_answered_says_why(path: str, status: int, client: FlaskClient) -> None:
    response = client.get(path)

    assert response.status_code == status
    if path.startswith("/api"):
        assert response.json["error"]["message"]


@pytest.mark.parametrize(
    ("path", "title", "colour"),
    [
        (f"{ROOT}/badge.svg", "catalog: 3 problems", RED),
        (f"{ROOT}/badge.svg?layer=low", "low: 1 problem", YELLOW),
        (f"{ROOT}/badge.svg?rule=portal/owner-role&layer=high", "portal/owner-role, high: 1 problem", RED),
        (f"{ROOT}/badge.svg?owner=team-b&label=Team+B", "Team B: no problems", GREEN),
        (f"{ROOT}/badge.svg?since=1", "catalog: no problems", GREEN),
        ("/api/ownership/badge/component/default/a.svg", "a: 1 problem", YELLOW),
        ("/api/ownership/badge/component/default/b.c.svg", "b.c: 1 problem", RED),
        ("/api/ownership/badge/component/default/good.svg", "good: no problems", GREEN),
        ("/api/ownership/badge/layer/default/high.svg", "high: 1 problem", RED),
        ("/api/ownership/badge/group/default/team-a.svg", "team-a: 2 problems", RED),
    ],
)
def test_a_badge_tells_in_a_colour_how_much_is_wrong(path: str, title: str, colour: str, client: FlaskClient) -> None:
    response = client.get(path)

    assert response.status_code == 200, response.data
    assert response.content_type == "image/svg+xml; charset=utf-8"
    root = ET.fromstring(response.data)
    assert root.findtext(f"{SVG}title") == root.get("aria-label") == title
    assert colour in {found.get("fill") for found in root.iter(f"{SVG}rect")}
    label, message = (found.text for found in root.iter(f"{SVG}text"))
    assert f"{label}: {message}" == title


def test_a_badge_is_asked_for_again_and_sent_only_when_it_has_changed(client: FlaskClient) -> None:
    first = client.get(f"{ROOT}/badge.svg")
    same = client.get(f"{ROOT}/badge.svg", headers={"If-None-Match": first.headers["ETag"]})
    other = client.get(f"{ROOT}/badge.svg?layer=low", headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "no-cache"
    assert (same.status_code, same.data) == (304, b"")
    assert other.status_code == 200


@given(label=st.text(min_size=1), message=st.text())
def test_a_badge_is_well_formed_whatever_it_says(label: str, message: str) -> None:
    root = ET.fromstring(badge(label, message, GREEN).encode())

    assert len(list(root.iter())) == 10
    if label.isprintable() and label.strip() == label:
        assert next(root.iter(f"{SVG}text")).text == label


def test_a_badge_runs_nothing_that_its_label_says(client: FlaskClient) -> None:
    hostile = "</title><script>alert(1)</script>{{ message }}&\x01\"'"

    response = client.get(f"{ROOT}/badge.svg", query_string={"label": hostile})

    root = ET.fromstring(response.data)
    assert b"<script" not in response.data
    assert root.findtext(f"{SVG}title") == f"{hostile.replace(chr(1), chr(0xFFFD))}: 3 problems"


def test_figures_are_scraped_as_text(client: FlaskClient) -> None:
    response = client.get("/metrics")

    assert response.content_type.startswith("text/plain; version=0.0.4")
    found = {family.name: family for family in text_string_to_metric_families(response.text)}
    whole = client.get(ROOT).json
    problems = {
        (sample.labels["rule"], sample.labels["layer"], sample.labels["severity"]): sample.value
        for sample in found["portal_problems"].samples
    }
    assert sum(problems.values()) == whole["total"]
    assert problems["portal/owner-role", "layer:default/high", "enforce"] == 1
    owners = found["portal_problems_by_owner"].samples
    assert {sample.labels["owner"] for sample in owners} == {"", "group:default/team-a"}
    entities = {(item.labels["kind"], item.labels["layer"]): item.value for item in found["portal_entities"].samples}
    assert entities["component", "layer:default/low"] == 2
    assert [sample.value for sample in found["portal_layer_coverage_ratio"].samples] == [1, 1]
    assert [sample.value for sample in found["portal_revision"].samples] == [whole["revision"]]
    assert found["portal_revision_timestamp_seconds"].samples[0].value > 1e9
    about_the_catalog = {"portal_revision", "portal_problems", "portal_entities", "portal_layer_coverage_ratio"}
    assert {found[name].type for name in about_the_catalog} == {"gauge"}


def test_figures_are_scraped_as_openmetrics_where_that_is_asked_for(client: FlaskClient) -> None:
    response = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert response.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert "portal_problems" in {family.name for family in openmetrics.text_string_to_metric_families(response.text)}


def test_figures_follow_the_catalog(tmp_path: Path) -> None:
    made = Repository(tmp_path / "repository")
    made.commit({"catalog-info.yaml": component("a", owner="''")})
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as portal:
        portal.migrate()
        client = create_app(portal).test_client()
        nothing = client.get("/metrics").text
        portal.ingest([("url", made.url)])
        faulty = client.get("/metrics").text
        made.commit({"catalog-info.yaml": component("a")})
        portal.refresh.refresh()
        mended = client.get("/metrics").text

    assert "portal_revision 0.0\n" in nothing
    assert 'portal_problems{layer="",rule="field-invalid",severity="error"} 1.0' in faulty
    assert "portal_problems{" not in mended
    assert "portal_revision 2.0\n" in mended


def test_a_portal_without_guests_asks_who_scrapes(tmp_path: Path) -> None:
    settings = load_settings(environment={}, overrides={"data": str(tmp_path), "guests": False})
    with build(settings) as portal:
        portal.migrate()
        assert create_app(portal).test_client().get("/metrics").status_code == 401
