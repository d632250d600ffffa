from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogs import component, documents
from flask.testing import FlaskClient
from repositories import MakeRepository, Repository

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings

A = "/catalog/default/component/a"
HISTORY = f"{A}/history"


@pytest.fixture
def made(repo: MakeRepository) -> Repository:
    return repo({"catalog-info.yaml": documents(component("a"), component("b"))})


@pytest.fixture
def portal(tmp_path: Path, database_url: str, made: Repository) -> Iterator[Portal]:
    overrides = {"data": str(tmp_path / "data"), "database": database_url}
    with build(load_settings(environment={}, overrides=overrides)) as opened:
        opened.migrate()
        opened.ingest([("url", made.url)])
        yield opened


@pytest.fixture
def client(portal: Portal) -> FlaskClient:
    return create_app(portal).test_client()


def _commit(portal: Portal, made: Repository, *texts: str) -> None:
    made.commit({"catalog-info.yaml": documents(*texts)})
    portal.refresh.refresh()


def _page(client: FlaskClient, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.get_data(as_text=True)


def test_what_changed_is_shown_as_text(client: FlaskClient, portal: Portal, made: Repository) -> None:
    more = "'<b>new</b>': ['<script>'], long: '" + "x" * 1_000 + "'"
    _commit(portal, made, component("a", owner="'<i>b</i>'", more=more))

    for path in (A, HISTORY):
        page = _page(client, path)
        assert "<del>team-a</del>" in page
        assert "<ins>&lt;i&gt;b&lt;/i&gt;</ins>" in page
        assert "<code>spec.&lt;b&gt;new&lt;/b&gt;</code>" in page
        assert "<script>" not in page
        assert f"<ins>{'x' * 300}…</ins>" in page


def test_many_fields_are_cut_and_the_rest_counted(client: FlaskClient, portal: Portal, made: Repository) -> None:
    _commit(portal, made, component("a", more=", ".join(f"f{number}: 1" for number in range(25))))

    page = _page(client, A)

    assert page.count("<ins>") == 20
    assert "and 5 more fields" in page


def test_one_that_is_gone_still_has_its_history(client: FlaskClient, portal: Portal, made: Repository) -> None:
    _commit(portal, made, component("b"))

    assert client.get(A).status_code == 404
    page = _page(client, HISTORY)
    assert "It is not in the catalog any more." in page
    assert 'class="change removed"' in page
    assert 'class="change added"' in page


def test_a_long_history_has_pages(client: FlaskClient, portal: Portal, made: Repository) -> None:
    for number in range(30):
        _commit(portal, made, component("a", owner=f"team-{number}"))

    first = _page(client, HISTORY)
    link = first.partition('class="older"><a href="')[2].partition('"')[0]
    rest = _page(client, link)

    assert first.count('<span class="change') == 30
    assert rest.count('<span class="change') == 1
    assert "added" in rest
    assert 'class="older"' not in rest


@pytest.mark.parametrize(
    "path", [HISTORY.replace("/a/", "/never/"), f"{HISTORY}?before=x", f"{HISTORY}?before={'9' * 30}"]
)
def test_a_history_that_is_not_there_is_a_page_that_says_so(client: FlaskClient, path: str) -> None:
    response = client.get(path)

    assert (response.status_code, response.mimetype) == (404, "text/html")
