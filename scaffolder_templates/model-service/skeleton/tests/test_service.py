"""The API answers questions, tells what is wrong with them, and the page asks the same."""

import json
import re

import pytest
import yaml

from service.app import FOLDER, create_app
from service.model import load

SERVICE = json.loads((FOLDER / "service.json").read_text(encoding="utf-8"))
INPUTS = SERVICE["inputs"]
GOOD = {item["name"]: item["minimum"] for item in INPUTS}


@pytest.fixture
def client():
    return create_app().test_client()


def test_a_question_is_answered_by_the_model(client):
    found = client.post("/api/predict", json=GOOD)
    model = load(FOLDER / "model.json")

    assert (found.status_code, found.json) == (
        200,
        {SERVICE["output"]: pytest.approx(model.predict(GOOD)), "version": model.version},
    )


@pytest.mark.parametrize("name", GOOD)
def test_a_value_that_is_missing_wrong_or_out_of_range_is_told(client, name):
    largest = next(item["maximum"] for item in INPUTS if item["name"] == name)
    missing = {key: value for key, value in GOOD.items() if key != name}

    for question in (missing, GOOD | {name: "many"}, GOOD | {name: True}, GOOD | {name: largest + 1}):
        found = client.post("/api/predict", json=question)
        assert found.status_code == 400
        assert [fault.partition(":")[0] for fault in found.json["faults"]] == [name]


@pytest.mark.parametrize("body", ["", "[]", "{", '"text"'])
def test_what_is_no_question_is_refused(client, body):
    assert client.post("/api/predict", data=body, content_type="application/json").status_code == 400


def test_an_input_that_nobody_asked_for_is_told(client):
    found = client.post("/api/predict", json=GOOD | {"no_such_input": 1})

    assert found.json == {"faults": ["no_such_input: is not an input"]}


def test_the_page_learns_from_the_api_what_to_ask_for(client):
    page = client.get("/")
    told = client.get("/api/service").json

    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    for name in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert client.get(f"/{name}").status_code == 200, name
    assert (told["title"], told["inputs"], told["output"]) == (SERVICE["title"], INPUTS, SERVICE["output"])


def test_health_tells_the_version_of_the_model(client):
    assert client.get("/healthz").json == {"status": "ok", "version": load(FOLDER / "model.json").version}


def test_the_description_of_the_api_is_that_of_the_service(client):
    described = yaml.safe_load(client.get("/openapi.yaml").text)
    question = described["components"]["schemas"]["Question"]

    assert set(question["required"]) == set(GOOD)
    assert {(name, told["minimum"], told["maximum"]) for name, told in question["properties"].items()} == {
        (item["name"], item["minimum"], item["maximum"]) for item in INPUTS
    }
    assert SERVICE["output"] in described["components"]["schemas"]["Answer"]["properties"]


def test_another_model_is_served_from_a_file(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"version": "7", "intercept": 3, "weights": dict.fromkeys(GOOD, 0)}))

    found = create_app(path).test_client().post("/api/predict", json=GOOD)

    assert found.json == {SERVICE["output"]: 3, "version": "7"}


@pytest.mark.parametrize("text", ["{", "{}", '{"version": 1, "intercept": 0, "weights": {"no_such_input": 1}}'])
def test_a_file_that_is_no_model_of_this_service_is_refused(tmp_path, text):
    path = tmp_path / "model.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=r"is no model|does not ask for"):
        create_app(path)
