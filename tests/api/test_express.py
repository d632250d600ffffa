from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents
from flask.testing import FlaskClient
from repositories import MakeRepository
from werkzeug.test import Client

from portal.api.express import Express
from portal.api.remembered import AnswerMemory
from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.model.visibility import ALL

PATH = "/api/catalog/entities/by-name/component/default/a"


def _portal(folder: Path, **overrides: object) -> Portal:
    portal = build(load_settings(environment={}, overrides={"data": str(folder / "data"), **overrides}))
    portal.migrate()
    return portal


@pytest.fixture
def portal(tmp_path: Path, repo: MakeRepository) -> Iterator[Portal]:
    with _portal(tmp_path) as made:
        made.ingest([("url", repo({"catalog-info.yaml": documents(component("a"))}).url)])
        yield made


@pytest.fixture
def client(portal: Portal) -> FlaskClient:
    return create_app(portal).test_client()


@pytest.mark.parametrize("path", [PATH, PATH.replace("component", "Component")])
def test_the_answer_is_the_one_that_the_application_gives(portal: Portal, client: FlaskClient, path: str) -> None:
    # A query that says nothing is not the express's.
    fast, usual = (client.get(f"{path}{query}", headers={"X-Request-ID": "one"}) for query in ("", "?&"))

    assert (fast.status, fast.data, sorted(fast.headers)) == (usual.status, usual.data, sorted(usual.headers))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", PATH.replace("/a", "/b", 2)),
        ("GET", f"{PATH}/b/c"),
        ("GET", f"{PATH}?at=revision:1"),
        ("GET", f"{PATH}?colour=red"),
        ("GET", f"{PATH}%00"),
        ("GET", f"{PATH}ü"),
        ("HEAD", PATH),
        ("POST", PATH),
        ("GET", "/api/catalog/entities"),
    ],
)
def test_everything_else_is_the_applications(portal: Portal, method: str, path: str) -> None:
    def application(environ: object, start_response: object) -> list[bytes]:
        start_response("418 I'm a teapot", [])
        return [b""]

    client = Client(_express(application, portal.catalog.body_for, portal))

    assert client.open(path, method=method).status_code == 418


def test_whoever_names_a_token_is_asked_for_a_good_one(client: FlaskClient) -> None:
    assert client.get(PATH, headers={"authorization": "Bearer nonsense"}).status_code == 401


def test_nobody_is_answered_without_credentials_where_guests_are_not_allowed(
    tmp_path: Path, repo: MakeRepository
) -> None:
    with _portal(tmp_path / "closed", guests=False) as closed:
        closed.ingest([("url", repo({"catalog-info.yaml": documents(component("a"))}).url)])

        assert create_app(closed).test_client().get(PATH).status_code == 401


def test_a_database_that_fails_is_told_by_the_application(client: FlaskClient, portal: Portal) -> None:
    def application(environ: object, start_response: object) -> list[bytes]:
        start_response("500 Oh", [])
        return [b"told"]

    def fail(_seen: object, ref: str) -> str:
        raise RuntimeError(ref)

    assert Client(_express(application, fail, portal)).get(PATH).text == "told"


def _express(application: Any, body_for: Any, portal: Portal) -> Express:
    return Express(
        application,
        lambda _revision: ALL,
        body_for=body_for,
        revision=portal.catalog.revision,
        memory=AnswerMemory(),
    )
