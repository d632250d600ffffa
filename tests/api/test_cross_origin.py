"""Pages of other origins: a frontend that the settings name reads and writes, any other one is told nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import needs_chromium
from flask.testing import FlaskClient
from identity_providers import portal_at
from servers import free_port
from webservers import WebServer
from worlds import world

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FRONTEND = "http://localhost:3000"
V6 = "http://[::1]:3000"
ENTITY = "/api/catalog/entities/by-name/component/default/thing"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    with world(tmp_path_factory.mktemp("world"), app_origins=[FRONTEND, V6]) as opened:
        yield opened.client


@pytest.mark.parametrize("origin", [FRONTEND, V6])
@pytest.mark.parametrize("path", [ENTITY, "/api/catalog/entities/by-query", "/api/catalog/entities/by-uid/gone"])
def test_the_page_of_an_origin_that_is_named_may_read(client: FlaskClient, origin: str, path: str) -> None:
    for _ in range(2):
        found = client.get(path, headers={"origin": origin}).headers

        assert found["access-control-allow-origin"] == origin
        assert found["access-control-allow-credentials"] == "true"
        assert "origin" in found["vary"].lower()


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:30000",
        "http://localhost:3000.evil.example",
        "https://localhost:3000",
        "null",
        "http://localhos",
    ],
)
def test_the_page_of_any_other_origin_is_told_nothing(client: FlaskClient, origin: str) -> None:
    asking = {"origin": origin, "access-control-request-method": "DELETE"}
    for answer in (client.get(ENTITY, headers=asking), client.options(ENTITY, headers=asking)):
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control-")]


def test_a_browser_is_told_what_a_page_may_send(client: FlaskClient) -> None:
    asking = {
        "origin": FRONTEND,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, x-requested-with",
    }

    found = client.options("/api/catalog/refresh", headers=asking)

    assert found.status_code == 204
    assert "POST" in found.headers["access-control-allow-methods"]
    allowed = {name.strip() for name in found.headers["access-control-allow-headers"].split(",")}
    assert allowed == {"authorization", "content-type", "x-requested-with"}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A Portal that lets no guests in."""
    with world(tmp_path_factory.mktemp("world"), app_origins=[FRONTEND], guests=False) as opened:
        yield opened.client


@pytest.mark.parametrize("path", ["/api/catalog/refresh", "/api/kubernetes/services/x", "/api/search/query"])
def test_a_browser_may_ask_before_anybody_is_known_and_whatever_the_route(closed: FlaskClient, path: str) -> None:
    # Browsers send no credentials with this question, and take 401 and 404 alike for a no: what stock plugins do
    # without a backend, which is to go on where the answer is 404, they could not.
    asking = {"origin": FRONTEND, "access-control-request-method": "POST"}

    found = closed.options(path, headers=asking)

    assert found.status_code == 204
    assert found.headers["access-control-allow-origin"] == FRONTEND
    assert closed.options(path, headers=asking | {"origin": "http://localhost:4000"}).status_code == 401
    assert closed.post(path, headers={"origin": FRONTEND}).headers["access-control-allow-origin"] == FRONTEND


_ASK = """async ([url, options]) => {
  try { const found = await fetch(url, options); return [found.status, Object.keys(await found.json())]; }
  catch (error) { return [0, error.name]; }
}"""


@needs_chromium
def test_a_browser_lets_a_frontend_read_and_no_other_page(browser: Browser, tmp_path: Path, web: WebServer) -> None:
    web.pages["/"] = b"<!doctype html><title>A frontend</title>"
    port = free_port()
    frontend, other = f"http://127.0.0.1:{web.port}", f"http://localhost:{web.port}"
    database = f"sqlite:///{tmp_path / 'portal.db'}"
    with portal_at(port, folder=tmp_path, database=database, providers=[], app_origins=[frontend]):
        asked = {"method": "POST", "headers": {"content-type": "application/json"}, "body": '{"items": []}'}
        url = f"http://127.0.0.1:{port}/api/catalog"
        found = {}
        for origin in (frontend, other):
            page = browser.new_page()
            page.goto(f"{origin}/")
            found[origin] = [
                page.evaluate(_ASK, [f"{url}/entities/by-query", {"credentials": "include"}]),
                page.evaluate(_ASK, [f"http://127.0.0.1:{port}/api/permission/authorize", asked]),
                page.evaluate(_ASK, [f"http://127.0.0.1:{port}/api/no-such-plugin/thing", asked]),
            ]
            page.close()

    missing = [404, ["error", "request", "response"]]
    assert found[frontend] == [[200, ["items", "totalItems", "pageInfo"]], [200, ["items"]], missing]
    assert found[other] == [[0, "TypeError"]] * 3
