from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from flask.testing import FlaskClient
from servers import ROOT

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings

ROUTE = "/api/ownership/reorg/plan"
PLAN: dict[str, Any] = {
    "reorganisation": "close-mlops",
    "reason": "Engineers run what they build.",
    "groups": {"close": [{"ref": "group:default/mlops", "heir": "group:default/ml-engineering"}]},
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder: Path = tmp_path_factory.mktemp("reorg")
    with build(load_settings(environment={}, overrides={"data": str(folder)})) as portal:
        portal.migrate()
        portal.ingest([("file", str(ROOT / "catalog-info.yaml"))])
        yield create_app(portal).test_client()


def test_a_plan_is_answered_with_what_it_would_change(client: FlaskClient) -> None:
    response = client.post(ROUTE, json=PLAN)

    assert response.status_code == 200
    answer = response.json
    assert (answer["branch"], answer["closed"]) == ("portal/reorg-close-mlops", ["group:default/mlops"])
    assert answer["moved"] == [{"from": "group:default/mlops", "to": "group:default/ml-engineering", "count": 19}]
    assert {
        "ref": "dataset:default/sales-raw",
        "field": "spec.owner",
        "old": "mlops",
        "new": "ml-engineering",
    } in answer["changes"]
    assert "-  owner: mlops\n+  owner: ml-engineering\n" in "".join(file["diff"] for file in answer["files"])
    assert all("no repository" in file["refusal"] for file in answer["files"])
    description = client.get("/api/openapi.json").json
    schema = {"components": description["components"], "$ref": "#/components/schemas/Reorganisation"}
    jsonschema_rs.validator_for(schema).validate(answer)


def test_a_plan_may_be_yaml(client: FlaskClient) -> None:
    text = "# why\n" + orjson.dumps(PLAN).decode().replace("{", "{ ")

    assert client.post(ROUTE, data=text, content_type="application/yaml").json == client.post(ROUTE, json=PLAN).json


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"", "application/json", "found 0 documents; expected one plan"),
        (b"{", "application/json", "request/body:2:1: The YAML cannot be parsed"),
        (b"\xff", "application/yaml", "UTF-8"),
        (orjson.dumps(PLAN), "image/png", "Illegal Content-Type"),
        (orjson.dumps(PLAN | {"odd": 1}), "application/json", "odd: expected a field that plans have"),
        (
            b"reorganisation: a\nreason: b\nusers: [{ref: nobody, from: mlops, to: devops}]\n",
            "application/yaml",
            "request/body:3:10 users.0.ref: user:default/nobody is not in the catalog",
        ),
    ],
)
def test_a_faulty_plan_is_refused(body: bytes, content_type: str, message: str, client: FlaskClient) -> None:
    response = client.post(ROUTE, data=body, content_type=content_type)

    assert response.status_code == 400
    assert message in response.json["error"]["message"]


def test_the_route_takes_no_query(client: FlaskClient) -> None:
    assert client.post(f"{ROUTE}?write=true", json=PLAN).status_code == 400
