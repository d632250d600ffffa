"""The page of problems: all that is wrong, chosen in the url."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from catalogs import component, documents, entity, group
from flask.testing import FlaskClient

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings

HOSTILE = (
    "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: bad}\nspec: {type: '<b>', owner: makers}\n"
)
FILES = {
    "frame.yaml": documents(
        group("makers", more="roles: [maker]"),
        group("others"),
        entity("Role", "maker", version="portal/v1alpha1"),
        entity("Layer", "ground", "rank: 1, owner: makers, ownerRoles: [maker]", version="portal/v1alpha1"),
    ),
    "stones.yaml": documents(*(component(f"stone-{n:03}", owner="others", more="layer: ground") for n in range(60))),
    "sand.yaml": component("sand", owner="gone", more="layer: ground"),
    "bad.yaml": HOSTILE,
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("problems")
    catalog = folder / "catalog"
    catalog.mkdir()
    for name, text in FILES.items():
        (catalog / name).write_text(text)
    with build(load_settings(environment={}, overrides={"data": str(folder / "data")})) as portal:
        portal.migrate()
        portal.ingest([("file", f"{catalog}#:*.yaml")])
        yield create_app(portal).test_client()


def text_of(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True)))


def test_each_problem_tells_its_place_what_was_found_and_how_to_mend_it(client: FlaskClient) -> None:
    errors = text_of(client, "/problems?severity=error")
    rules = text_of(client, "/problems?rule=portal/owner-exists")

    assert "1 problem " in errors
    assert re.search(r"bad\.yaml:\d+", errors)
    assert "spec.lifecycle" in errors
    assert "expected" in errors
    assert re.search(r"sand\.yaml:1\b", rules)
    assert "group:default/gone" in rules
    assert "in ground" in rules


def test_what_is_chosen_is_in_the_url_and_facets_count_what_the_others_leave(client: FlaskClient) -> None:
    page = client.get("/problems?owner=group:default/others&severity=warn").get_data(as_text=True)
    text = text_of(client, "/problems?owner=group:default/others&severity=warn")

    assert "60 problems" in text
    assert "1 to 50 of 60" in text
    assert "stone-049" in text
    assert "stone-050" not in text
    assert "group:default/gone" in page[: page.index('id="found"')]  # another owner could be chosen beside
    assert "/api/ownership/problems?owner=group%3Adefault%2Fothers&amp;severity=warn" in page
    second = text_of(client, "/problems?owner=group:default/others&severity=warn&page=2")
    assert "51 to 60 of 60" in second
    assert "stone-050" in second


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("page=9", "nothing on this page any more"),
        ("owner=group:default/makers&severity=warn", "Nothing is wrong with what was chosen"),
        ("layer=none&owner=none", "problem"),
    ],
)
def test_what_gives_nothing_says_so(client: FlaskClient, query: str, told: str) -> None:
    assert told in text_of(client, f"/problems?{query}")


@pytest.mark.parametrize(
    ("query", "status"),
    [("rule=<script>", 400), ("layer=x", 400), ("page=0", 404), ("page=x", 200), ("owner=::", 400)],
)
def test_names_that_mean_nothing_are_told_on_a_page(client: FlaskClient, query: str, status: int) -> None:
    answer = client.get(f"/problems?{query}")

    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert "<script>" not in answer.get_data(as_text=True)
