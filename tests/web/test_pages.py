from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogs import component, documents
from flask.testing import FlaskClient
from repositories import MakeRepository

from portal.app import build, create_app
from portal.config import load_settings

HOSTILE = (
    "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: hostile\n"
    "  title: '<script>alert(1)</script>'\n  description: '<img src=x onerror=alert(1)>'\n"
    "  links: [{url: 'javascript:alert(1)', title: bad}, {url: 'https://example.com/ok', title: good}]\n"
    "spec: {type: service, lifecycle: x, owner: team-a, stewards: [1, {ref: x}]}\n"
)


@pytest.fixture
def client(tmp_path: Path, repo: MakeRepository) -> Iterator[FlaskClient]:
    made = repo({"catalog-info.yaml": documents(HOSTILE, component("broken", owner="''"))})
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as portal:
        portal.migrate()
        portal.ingest([("url", made.url)])
        yield create_app(portal).test_client()


def test_what_a_catalog_says_is_shown_as_text(client: FlaskClient) -> None:
    page = client.get("/catalog/default/component/hostile").get_data(as_text=True)

    assert "<script>" not in page
    assert "<img" not in page
    assert "javascript:" not in page
    assert 'href="https://example.com/ok"' in page


def test_every_page_forbids_scripts(client: FlaskClient) -> None:
    for path in ("/", "/catalog/default/component/hostile"):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_the_home_page_tells_problems_with_their_place(client: FlaskClient) -> None:
    page = client.get("/").get_data(as_text=True)

    assert "problems, 0 findings" in page
    assert "catalog-info.yaml:13" in page
    assert "spec.owner" in page


def test_what_is_not_there_is_a_page_that_says_so(client: FlaskClient) -> None:
    for path in ("/catalog/default/component/nothing", "/nowhere"):
        response = client.get(path)
        assert response.status_code == 404
        assert response.mimetype == "text/html"


def test_the_style_is_cached_for_ever_under_its_content(client: FlaskClient) -> None:
    page = client.get("/").get_data(as_text=True)
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]

    response = client.get(style)

    assert response.status_code == 200
    assert "immutable" in response.headers["Cache-Control"]
