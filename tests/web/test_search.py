"""The page of search, without scripts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogs import component, documents, entity, group
from flask.testing import FlaskClient
from outlines import outline
from repositories import MakeRepository

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings

HOSTILE = (
    "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: hostile\n"
    "  title: '<script>alert(1)</script>'\n  description: '<img src=x onerror=alert(1)>'\n"
    "spec: {type: '<b>', lifecycle: x, owner: team-b}\n"
)


@pytest.fixture
def client(tmp_path: Path, repo: MakeRepository) -> Iterator[FlaskClient]:
    long = f"{'much before it ' * 40}payments {'after it ' * 200}"
    files = documents(
        HOSTILE,
        group("team-a"),
        entity("System", "payments", "owner: team-a"),
        component("deep").replace("{name: deep}", f"{{name: deep, description: {long}}}"),
        *(component(f"payments-{number}") for number in range(45)),
    )
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as portal:
        portal.migrate()
        portal.ingest([("url", repo({"catalog-info.yaml": files}).url)])
        yield create_app(portal).test_client()


def text(client: FlaskClient, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.get_data(as_text=True)


def hits(page: str) -> list[str]:
    return [found["title"] for tag, found in outline(page) if tag == "a" and ":default/" in found.get("title", "")]


def test_the_best_comes_first_with_what_was_asked_for_marked(client: FlaskClient) -> None:
    page = text(client, "/search?q=payments")

    assert hits(page)[0] == "system:default/payments"
    assert len(hits(page)) == 20
    assert "<mark>payments</mark>" in page
    assert "47 entities" in page
    assert "team-a" in page


def test_a_long_text_is_shown_around_what_was_asked_for(client: FlaskClient) -> None:
    page = text(client, "/search?q=payments+before")

    assert hits(page) == ["component:default/deep"]
    assert "<mark>payments</mark> after it" in text(client, "/search?q=payments&kind=component&page=3") or "…" in page
    assert len(page) < 12_000


def test_kinds_narrow_and_pages_go_on_by_plain_links(client: FlaskClient) -> None:
    systems = text(client, "/search?q=payments&kind=system")
    third = text(client, "/search?q=payments&page=3")

    assert hits(systems) == ["system:default/payments"]
    assert "/search?q=payments&amp;kind=component" in systems
    assert len(hits(third)) == 7
    assert [found["href"] for tag, found in outline(third) if found.get("rel") == "prev"] == [
        "/search?q=payments&page=2"
    ]


@pytest.mark.parametrize(
    "query", ["", "q=", "q=%00", "q=%22", "q=***&page=-1", "q=payments&page=9999999", "q=a&kind=%00", "page=x"]
)
def test_odd_questions_are_answered_with_a_page(query: str, client: FlaskClient) -> None:
    assert "search-q" in text(client, f"/search?{query}")


def test_what_a_catalog_says_is_shown_as_text_among_the_hits(client: FlaskClient) -> None:
    page = text(client, "/search?q=script")

    assert hits(page) == ["component:default/hostile"]
    assert "&lt;<mark>script</mark>&gt;" in page
    assert "<script>" not in page
