"""Every executed request to a running Backstage catalog, over the fixture that the case file carries."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from casefiles import CASES, cases
from flask import Flask
from flask.testing import FlaskClient
from portals import Catalog
from repositories import Repository

from portal.api.catalog import catalog_blueprint
from portal.api.errors import register_error_handlers
from portal.api.health import health_blueprint
from portal.services.catalog import CatalogService
from portal.services.health import HealthService
from portal.services.locations import LocationsService
from portal.store import schema
from portal.store.database import Database

FILE = "catalog-http-cases.json"
#: Cases held to be wrong, with the proof.
DISPUTED = {
    "http-a-055": (
        "spec.type,asc then metadata.name,desc: the three of type service come as search-api, zeta, billing, which is "
        "no order of names in either direction; upstream breaks the tie by its random uid"
    ),
}
#: The field that a message of `validate-entity` is about.
FIELD = re.compile(r'(?<=")[a-z]+\.[a-z]+(?=" is not valid)|(?<=missingProperty: )[a-zA-Z]+')
KINDS = {"list", "array", "walk", "walkset", "items", "facets", "entity", "error", "errors", "any"}
PARAMETERS = cases(FILE, kinds=KINDS)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("http")
    fixture = json.loads((CASES / FILE).read_text(encoding="utf-8"))["fixture"]
    made = Repository(folder / "repository")
    made.commit({"catalog-info.yaml": "\n---\n".join(json.dumps(document) for document in fixture)})
    with Database(f"sqlite:///{folder / 'portal.db'}") as database:
        schema.upgrade(database)
        catalog = Catalog(database, folder)
        assert catalog.ingest(made.url).problems == []
        app = Flask("test")
        service = CatalogService(database)
        locations = LocationsService(database, catalog.sources, catalog.service)
        app.register_blueprint(catalog_blueprint(service, locations, catalog.past))
        app.register_blueprint(health_blueprint(HealthService(database)))
        register_error_handlers(app)
        yield app.test_client()


def _send(client: FlaskClient, request: dict[str, Any], query: list[Any] | None = None) -> Any:
    return client.open(
        request["path"],
        method=request["method"],
        query_string=[tuple(pair) for pair in (request["query"] if query is None else query)],
        json=request.get("body"),
    )


def _ref(entity: dict[str, Any] | None) -> str | None:
    if entity is None:
        return None
    metadata = entity["metadata"]
    return f"{entity['kind']}:{metadata.get('namespace', 'default')}/{metadata['name']}".lower()


def _is_generated(ref: str | None) -> bool:
    return ref is not None and ref.startswith("location:default/generated-")


def _refs(items: list[Any]) -> list[str | None]:
    return [ref for ref in map(_ref, items) if not _is_generated(ref)]


@pytest.mark.parametrize("case", PARAMETERS)
def test_the_answer_is_backstages(case: dict[str, Any], client: FlaskClient) -> None:
    if case["id"] in DISPUTED:
        pytest.skip(DISPUTED[case["id"]])
    response = _send(client, case["request"])
    expected = case["expect"]
    assert response.status_code == expected["status"], response.get_data(as_text=True)
    check = _check_error if expected["status"] >= 400 and case["kind"] != "errors" else CHECKS[case["kind"]]
    check(client, case, response, expected)


def _check_list(client: FlaskClient, case: Any, response: Any, expected: Any) -> None:
    found = _refs(response.json["items"])
    assert (sorted(found) if expected.get("unordered") else found) == expected["refs"]
    if "totalItems" in expected:
        assert response.json["totalItems"] - _generated_count(client, case) == expected["totalItems"]
    if case["request"]["path"].endswith("/by-query"):
        assert sorted(response.json["pageInfo"]) == sorted(expected.get("pageInfo_has", ()))


def _generated_count(client: FlaskClient, case: Any) -> int:
    items = _send(client, case["request"]).json["items"]
    return sum(_is_generated(_ref(item)) for item in items)


def _check_array(client: FlaskClient, case: Any, response: Any, expected: Any) -> None:
    found = _refs(response.json)
    assert (sorted(found) if expected.get("unordered") else found) == expected["refs"]


def _check_walk(client: FlaskClient, case: Any, response: Any, expected: Any) -> None:
    limit = [pair for pair in case["request"]["query"] if pair[0] == "limit"]
    pages, back, page = [_refs(response.json["items"])], [], response.json
    while "nextCursor" in page["pageInfo"]:
        page = _send(client, case["request"], [["cursor", page["pageInfo"]["nextCursor"]], *limit]).json
        pages.append(_refs(page["items"]))
    while "prevCursor" in page["pageInfo"]:
        page = _send(client, case["request"], [["cursor", page["pageInfo"]["prevCursor"]], *limit]).json
        back.append(_refs(page["items"]))
    if case["kind"] == "walkset":
        assert sorted(ref for part in pages for ref in part if ref) == expected["pages"]
    else:
        assert pages == expected["pages"]
        assert back == expected["pages_back"]


def _check_items(client: FlaskClient, case: Any, response: Any, expected: Any) -> None:
    assert response.json["items"] == expected["items"]


def _check_facets(client: FlaskClient, case: Any, response: Any, expected: Any) -> None:
    found = {
        key: sorted([item["value"], item["count"]] for item in values)
        for key, values in response.json["facets"].items()
    }
    generated = {"kind": {"Location": 1}, "metadata.namespace": {"default": 1}, "spec.type": {"url": 1}}
    has_filter = any(pair[0] == "filter" for pair in case["request"]["query"]) or "body" in case["request"]
    if not has_filter:
        for key, extra in generated.items():
            if key in found:
                counts = {value: count - extra.get(value, 0) for value, count in found[key]}
                found[key] = [[value, count] for value, count in counts.items() if count]
    wanted = {key: [item for item in values if item != ["file", 1]] for key, values in expected["facets"].items()}
    assert found == wanted


def _check_entity(client: FlaskClient, case: Any, response: Any, expected: Any) -> None:
    assert _plain(response.json) == _plain(expected["entity"])


def _plain(entity: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in entity["metadata"].items() if key not in {"uid", "etag"}}
    annotations = metadata.pop("annotations", {})
    kept = {key: value for key, value in annotations.items() if not key.startswith("backstage.io/")}
    relations = sorted(({**item} for item in entity["relations"]), key=lambda item: (item["type"], item["targetRef"]))
    spec = {
        key: sorted(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value
        for key, value in entity["spec"].items()
    }
    rest = {key: entity[key] for key in ("apiVersion", "kind")}
    return rest | {"metadata": metadata | ({"annotations": kept} if kept else {}), "spec": spec, "relations": relations}


def _check_error(client: FlaskClient, case: Any, response: Any, expected: Any) -> None:
    body = response.json
    assert body["error"]["name"] == expected.get("error_name", "InputError")
    assert body["error"]["message"]
    assert body["request"]["method"] == case["request"]["method"]
    assert body["response"] == {"statusCode": expected["status"]}


def _check_errors(client: FlaskClient, case: Any, response: Any, expected: Any) -> None:
    found = response.json.get("errors", [])
    assert [error["name"] for error in found] == [error["name"] for error in expected["errors"]]
    for error, wanted in zip(found, expected["errors"], strict=True):
        for field in FIELD.findall(wanted["message"]):
            assert field in error["message"]
    if not expected["errors"]:
        # A body without what the route needs is refused before any entity is looked at, with the usual error.
        _check_error(client, case, response, expected)


def _check_any(client: FlaskClient, case: Any, response: Any, expected: Any) -> None:
    if "error_name" in expected:
        _check_error(client, case, response, expected)
    if "refs" in expected:
        assert sorted(ref for ref in _refs(response.json["items"]) if ref) == sorted(expected["refs"])


CHECKS = {
    "list": _check_list,
    "array": _check_array,
    "walk": _check_walk,
    "walkset": _check_walk,
    "items": _check_items,
    "facets": _check_facets,
    "entity": _check_entity,
    "error": _check_error,
    "errors": _check_errors,
    "any": _check_any,
}
