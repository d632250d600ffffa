"""The table of all entities, without scripts."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from catalogs import component, documents, entity, group
from flask.testing import FlaskClient
from outlines import outline
from readers import let_read, of_kinds
from repositories import MakeRepository

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.model.permission import Conditional

HOSTILE = (
    "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: hostile\n"
    "  title: '<script>alert(1)</script>'\n  description: '<img src=x onerror=alert(1)>'\n"
    "spec: {type: '<b>', lifecycle: x, owner: team-b}\n"
)
FORMULA = component("sum").replace("{name: sum}", "{name: sum, title: '=1+2', description: '@here', tags: [a, b]}")
FILES = documents(
    HOSTILE,
    FORMULA,
    group("team-a"),
    entity("System", "shop", "owner: team-a"),
    *(component(f"part-{number:03}", more="system: shop") for number in range(120)),
)


@contextmanager
def serving(folder: Path, target: str) -> Iterator[tuple[FlaskClient, Portal]]:
    with build(load_settings(environment={}, overrides={"data": str(folder / "data")})) as portal:
        portal.migrate()
        portal.ingest([("url", target)])
        yield create_app(portal).test_client(), portal


@pytest.fixture
def client(tmp_path: Path, repo: MakeRepository) -> Iterator[FlaskClient]:
    with serving(tmp_path, repo({"catalog-info.yaml": FILES}).url) as (opened, _):
        yield opened


def text(client: FlaskClient, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.get_data(as_text=True)


def rows(page: str) -> list[str]:
    """Return the references of the rows of a page."""
    return [
        attributes["title"]
        for (tag, attributes), (before, of) in zip(outline(page)[1:], outline(page), strict=False)
        if tag == "a" and before == "th" and of.get("scope") == "row"
    ]


def link(page: str, relation: str) -> str | None:
    return next((found["href"] for tag, found in outline(page) if tag == "a" and found.get("rel") == relation), None)


def test_pages_lead_forwards_and_back_by_plain_links(client: FlaskClient) -> None:
    first = text(client, "/catalog?kind=component&system=shop&sort=-title")
    seen = [rows(first)]
    page = first
    while (following := link(page, "next")) is not None:
        page = text(client, following)
        seen.append(rows(page))
    back = text(client, link(page, "prev") or "")

    assert [len(part) for part in seen] == [50, 50, 20]
    assert [ref for part in seen for ref in part] == [
        f"component:default/part-{number:03}" for number in range(119, -1, -1)
    ]
    assert rows(back) == seen[1]
    assert link(first, "prev") is None
    assert " of 120" in first


def test_the_address_alone_says_what_is_shown(client: FlaskClient) -> None:
    page = text(client, "/catalog?kind=component&kind=SYSTEM&owner=team-a&q=shop&columns=kind&columns=owner,nonsense")

    checked = {found["value"] for tag, found in outline(page) if tag == "input" and "checked" in found}
    assert checked == {"component", "system", "group:default/team-a", "kind", "owner"}
    assert "121 entities of" in page
    assert "col-lifecycle" not in page
    assert 'href="/owners/group/default/team-a"' in page
    chips = [
        found["href"] for tag, found in outline(page) if tag == "a" and "hx-get" in found and "kind" in found["href"]
    ]
    assert any(parse_qs(urlsplit(url).query).get("kind") == ["component"] for url in chips)


@pytest.mark.parametrize(
    "query",
    [
        "after=!!!",
        "after=WzEsMl0",
        "before=WyJhIiwiYiJd",
        "sort=nonsense&wide=x&columns=,",
        "kind=%00&q=%00&owner=:/&tag=%F0%9F%90%8D",
        "q=" + "x" * 5000,
        "owner=" + "&owner=".join(map(str, range(300))),
    ],
)
def test_what_makes_no_sense_in_an_address_is_a_page_all_the_same(query: str, client: FlaskClient) -> None:
    assert "<h1>Catalog</h1>" in text(client, f"/catalog?{query}")


def test_what_a_catalog_says_is_shown_as_text_in_the_table(client: FlaskClient) -> None:
    page = text(client, "/catalog?q=hostile")

    assert rows(page) == ["component:default/hostile"]
    assert "<script>" not in page
    assert "<img" not in page
    # An owner that is not there is named without a link.
    assert "not in the catalog" in page


def test_where_nothing_matches_the_way_out_is_shown(client: FlaskClient) -> None:
    page = text(client, "/catalog?kind=component&tag=nowhere")

    assert "No entity matches all of these filters." in page
    assert 'value="nowhere" checked' in page


def test_a_script_is_told_the_shortest_address(client: FlaskClient) -> None:
    url = "/catalog?q=&kind=component&columns=,&sort=title&" + "&".join(
        f"columns={name}" for name in ("description", "kind", "type", "layer", "owner", "system", "lifecycle", "tags")
    )
    chosen = client.get(url, headers={"HX-Request": "true"})
    typed = client.get("/catalog?q=pa", headers={"HX-Request": "true", "HX-Trigger": "q"})

    assert chosen.headers["HX-Push-Url"] == "/catalog?kind=component"
    assert typed.headers["HX-Replace-Url"] == "/catalog?q=pa"
    assert "HX-Push-Url" not in client.get(url).headers


def test_all_that_is_found_comes_as_values_that_no_spreadsheet_takes_for_formulas(client: FlaskClient) -> None:
    response = client.get("/catalog.csv?kind=component&sort=title")
    found = list(csv.DictReader(io.StringIO(response.get_data().decode("utf-8-sig"))))

    assert response.mimetype == "text/csv"
    assert "attachment" in response.headers["Content-Disposition"]
    assert len(found) == 122
    by_name = {row["name"]: row for row in found}
    assert by_name["sum"] | {"ref": ""} == {
        "ref": "",
        "kind": "Component",
        "namespace": "default",
        "name": "sum",
        "title": "'=1+2",
        "type": "service",
        "layer": "",
        "owner": "group:default/team-a",
        "system": "",
        "lifecycle": "production",
        "tags": "a b",
        "description": "'@here",
    }


def test_what_somebody_may_not_read_is_in_no_row_facet_or_file(tmp_path: Path, repo: MakeRepository) -> None:
    with serving(tmp_path, repo({"catalog-info.yaml": FILES}).url) as (everybody, portal):
        assert "System" in text(everybody, "/catalog")
        let_read(portal, lambda *_: Conditional(of_kinds("component")))
        client = create_app(portal).test_client()
        page, sheet = text(client, "/catalog?q=shop"), text(client, "/catalog.csv?q=shop")

    assert len(rows(page)) == 50
    assert 'id="facet-kind-system"' not in page
    assert "/catalog/default/system/shop" not in page
    assert "\nsystem:default/shop" not in sheet
    assert sheet.count("\ncomponent:") == 120
