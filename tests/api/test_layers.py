from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from servers import ROOT

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("layers")
    with build(load_settings(environment={}, overrides={"data": str(folder)})) as portal:
        portal.migrate()
        portal.ingest([("file", str(ROOT / "catalog-info.yaml"))])
        yield create_app(portal).test_client()


def test_the_layers_tell_coverage_and_reuse(client: FlaskClient) -> None:
    answer = client.get("/api/ownership/layers?limit=1").json

    project, shared, backbone = answer["layers"]
    assert [found["layer"] for found in (project, shared, backbone)] == [
        "layer:default/project",
        "layer:default/shared",
        "layer:default/backbone",
    ]
    assert all(found["coverage"]["percent"] == 100 for found in answer["layers"])
    assert project["reuse"] is None
    assert shared["reuse"]["items"][0] | {"title": ""} == {
        "ref": "component:default/experiment-tracking",
        "kind": "component",
        "title": "",
        "layer": "layer:default/shared",
        "owner": "group:default/mlops",
        "projects": 2,
        "projectRefs": ["project:default/demand-forecast", "project:default/support-assistant"],
        "dependents": 5,
    }
    assert [item["ref"] for item in shared["unused"]["items"]] == ["notebook:default/spark-kernel"]
    one = client.get("/api/ownership/layers?layer=shared&limit=1").json
    assert one["layers"] == [shared]


def test_a_balance_tells_roles_and_what_is_lent(client: FlaskClient) -> None:
    project = client.get("/api/ownership/balance/project/default/support-assistant").json
    dataset = client.get("/api/ownership/balance/Dataset/Default/Sales-Daily").json

    assert project["balanced"]
    assert [role["ref"] for role in project["roles"] if role["single"]] == [
        "role:default/fullstack-engineer",
        "role:default/project-manager",
    ]
    assert {(item["ref"], item["roles"][0]["layers"][0]) for item in dataset["lent"]} == {
        ("user:default/amara.okafor", "layer:default/backbone"),
        ("user:default/jonas.weber", "layer:default/backbone"),
        ("user:default/li.wei", "layer:default/backbone"),
        ("user:default/sara.lind", "layer:default/backbone"),
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("layers?limit=0", 400),
        ("layers?offset=-1", 400),
        ("layers?layer=none", 400),
        ("layers?layer=", 400),
        ("layers?other=1", 400),
        ("balance/project/default/gone", 404),
        ("balance/project/default/demand-forecast?other=1", 400),
        ("balance/user/default/li.wei", 400),
    ],
)
def test_bad_questions_are_refused(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(f"/api/ownership/{path}")

    assert answer.status_code == status
    assert answer.json["error"]["message"]
