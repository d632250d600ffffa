from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import orjson
import pytest
from catalogs import component, documents, group, location
from flask import Flask
from flask.testing import FlaskClient
from portals import Catalog
from repositories import MakeRepository, Repository

from portal.api.catalog import catalog_blueprint
from portal.api.errors import register_error_handlers
from portal.model.rules import AllowedKind, Rule
from portal.services.catalog import CatalogService
from portal.services.locations import LocationsService
from portal.store.database import Database

API = "/api/catalog"
ORIGIN = "backstage.io/managed-by-origin-location"


@pytest.fixture
def catalog(database: Database, tmp_path: Path) -> Catalog:
    return Catalog(database, tmp_path)


@pytest.fixture
def client(catalog: Catalog) -> FlaskClient:
    return _client(catalog)


def _client(catalog: Catalog) -> FlaskClient:
    app = Flask("test", static_folder=None)
    locations = LocationsService(catalog.database, catalog.sources, catalog.service)
    app.register_blueprint(catalog_blueprint(CatalogService(catalog.database), locations, catalog.past))
    register_error_handlers(app)
    return app.test_client()


@pytest.fixture
def source(repo: MakeRepository) -> Repository:
    return repo(
        {"catalog-info.yaml": documents(component("a"), group("team-a")), "more/catalog-info.yaml": component("b")}
    )


def _register(client: FlaskClient, target: str) -> Any:
    response = client.post(f"{API}/locations", json={"type": "url", "target": target})
    assert response.status_code == 201, response.text
    assert response.json is not None
    return response.json["location"]


def _entity(client: FlaskClient, ref: str) -> Any:
    kind, _, name = ref.partition(":")
    response = client.get(f"{API}/entities/by-name/{kind}/default/{name}")
    return response.json if response.status_code == 200 else None


def _query(client: FlaskClient, **body: Any) -> Any:
    response = client.post(f"{API}/locations/by-query", json=body)
    assert response.status_code == 200, response.text
    return response.json


def _error(response: Any) -> tuple[int, str]:
    return response.status_code, response.json["error"]["name"]


def test_a_location_that_gets_another_target_brings_what_that_holds(client: FlaskClient, source: Repository) -> None:
    first = _register(client, source.url)
    kept = _entity(client, "component:a")

    target = f"{source.url}#:**/catalog-info.yaml"
    response = client.put(f"{API}/locations/{first['id']}", json={"type": "url", "target": target})

    assert response.status_code == 200
    assert response.json is not None
    assert (response.json["id"], response.json["target"]) == (first["id"], target)
    assert client.get(f"{API}/locations/{first['id']}").json == response.json
    assert _entity(client, "component:b") is not None
    now = _entity(client, "component:a")
    assert now["metadata"]["uid"] == kept["metadata"]["uid"]
    assert now["metadata"]["annotations"][ORIGIN] == f"url:{target}"
    name = response.json["entityRef"].partition("/")[2]
    assert _entity(client, f"location:{name}")["spec"]["target"] == target
    assert _entity(client, f"location:{first['entityRef'].partition('/')[2]}") is None

    client.put(f"{API}/locations/{first['id']}", json={"type": "url", "target": f"{source.url}#:more/*.yaml"})
    assert (_entity(client, "component:a"), _entity(client, "component:b") is not None) == (None, True)


def test_entities_held_elsewhere_tell_where_they_come_from_after_a_location_moves(
    client: FlaskClient, source: Repository
) -> None:
    moving = _register(client, source.url)
    _register(client, f"{source.url}#main")
    target = f"{source.url}#:catalog-info.yaml"

    client.put(f"{API}/locations/{moving['id']}", json={"type": "url", "target": target})

    annotations = _entity(client, "component:a")["metadata"]["annotations"]
    other = client.get(f"{API}/locations/by-entity/component/default/a").json
    assert other is not None
    assert annotations[ORIGIN] == f"url:{other['target']}"


def test_a_location_may_be_given_the_target_that_it_has(client: FlaskClient, source: Repository) -> None:
    found = _register(client, source.url)

    response = client.put(f"{API}/locations/{found['id']}", json={"type": "url", "target": source.url})

    assert (response.status_code, response.json) == (200, found)


def test_a_location_is_not_given_a_target_that_is_wrong_or_taken(client: FlaskClient, source: Repository) -> None:
    path = f"{API}/locations/{_register(client, source.url)['id']}"
    _register(client, f"{source.url}#:more/*.yaml")
    taken = {"type": "url", "target": f"{source.url}#:more/*.yaml"}

    assert _error(client.put(path, json=taken)) == (409, "ConflictError")
    assert _error(client.put(f"{API}/locations/none", json=taken)) == (404, "NotFoundError")
    for wrong in ({"type": "url", "target": "no url"}, {"type": "file", "target": "/etc"}, {"type": "url"}, {}):
        assert _error(client.put(path, json=wrong)) == (400, "InputError")
    assert client.get(path).json == client.get(f"{API}/locations/by-entity/component/default/a").json


def test_locations_of_settings_are_none_that_people_registered(
    client: FlaskClient, catalog: Catalog, source: Repository
) -> None:
    catalog.ingest(source.url)

    assert client.get(f"{API}/locations").json == []
    assert _query(client)["items"] == []
    assert _error(client.get(f"{API}/locations/by-entity/component/default/a")) == (404, "NotFoundError")
    (made,) = catalog.sources.list()
    body = {"type": "url", "target": f"{source.url}#main"}
    assert client.put(f"{API}/locations/{made.id}", json=body).status_code == 404


def test_locations_are_found_by_their_fields(client: FlaskClient, source: Repository) -> None:
    one, two = (_register(client, f"{source.url}#:{name}.yaml") for name in ("one", "two"))
    both = sorted([one, two], key=lambda item: item["id"])

    assert _query(client) == {"items": both, "totalItems": 2, "pageInfo": {}}
    for query, expected in (
        ({"id": one["id"].upper()}, [one]),
        ({"TARGET": one["target"]}, [one]),
        ({"entityRef": {"$in": [two["entityRef"]]}}, [two]),
        ({"target": {"$hasPrefix": "FILE:"}}, both),
        ({"$not": {"id": two["id"]}}, [one]),
        ({"$any": [{"id": one["id"]}, {"type": "none"}]}, [one]),
        ({"$all": [{"id": one["id"]}, {"type": "url"}]}, [one]),
        ({"type": {"$exists": True}}, both),
        ({"type": {"$exists": False}}, []),
        ({}, both),
        ({"$all": []}, []),
        ({"$any": []}, []),
        ({"$not": {"$all": []}}, both),
        ({"type": {"$contains": "url"}}, []),
    ):
        found = _query(client, query=query)
        assert (found["items"], found["totalItems"]) == (expected, len(expected)), query


def test_a_walk_over_locations_comes_to_each_once(client: FlaskClient, source: Repository) -> None:
    registered = [_register(client, f"{source.url}#:{number}.yaml") for number in range(5)]

    pages = [_query(client, limit=2, query={"type": "url"})]
    while "nextCursor" in pages[-1]["pageInfo"]:
        pages.append(_query(client, cursor=pages[-1]["pageInfo"]["nextCursor"]))

    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert {page["totalItems"] for page in pages} == {5}
    walked = [item for page in pages for item in page["items"]]
    assert walked == sorted(registered, key=lambda item: item["id"])


def _cursor(**members: Any) -> str:
    return base64.b64encode(orjson.dumps(members)).decode()


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0},
        {"limit": "1"},
        {"limit": True},
        {"limit": 1.5},
        {"cursor": ""},
        {"cursor": 1},
        {"cursor": "?"},
        {"cursor": "e"},
        {"cursor": base64.b64encode(b"[]").decode()},
        {"cursor": _cursor(limit=0)},
        {"cursor": _cursor(afterId="a")},
        {"cursor": _cursor(limit=1, afterId=1)},
        {"cursor": _cursor(limit=1, query=1)},
        {"query": []},
        {"query": None},
        {"query": {"kind": "component"}},
        {"query": {"type": {"$like": "x"}}},
        {"query": {"type": None}},
        {"query": {"$none": []}},
    ],
)
def test_a_query_for_locations_that_cannot_be_understood_is_an_input_error(client: FlaskClient, body: Any) -> None:
    assert _error(client.post(f"{API}/locations/by-query", json=body)) == (400, "InputError")


def test_an_entity_that_is_taken_out_comes_back_when_its_file_is_read_anew(
    client: FlaskClient, catalog: Catalog, source: Repository
) -> None:
    _register(client, f"{source.url}#:**/catalog-info.yaml")
    uid = _entity(client, "component:a")["metadata"]["uid"]
    assert len(_entity(client, "group:team-a")["relations"]) == 2

    assert client.delete(f"{API}/entities/by-uid/{uid}").status_code == 204

    assert _entity(client, "component:a") is None
    assert len(_entity(client, "group:team-a")["relations"]) == 1
    assert catalog.history("component:default/a")[-1].change == "removed"
    assert _error(client.delete(f"{API}/entities/by-uid/{uid}")) == (404, "NotFoundError")
    source.commit({"README.md": "elsewhere"})
    catalog.service.refresh()
    assert _entity(client, "component:a") is None

    client.post(f"{API}/refresh", json={"entityRef": "group:team-a"})
    assert _entity(client, "component:a")["metadata"]["uid"] != uid
    assert len(_entity(client, "group:team-a")["relations"]) == 2


def test_an_entity_that_is_taken_out_passes_to_no_other_document(client: FlaskClient, source: Repository) -> None:
    for target in (source.url, f"{source.url}#:*.yaml"):
        _register(client, target)
    found = _entity(client, "component:a")

    client.delete(f"{API}/entities/by-uid/{found['metadata']['uid']}")

    assert _entity(client, "component:a") is None
    assert _entity(client, "component:b") is None
    assert _entity(client, "group:team-a") is not None


def _analyze(client: FlaskClient, target: str, **more: Any) -> Any:
    body = {"location": {"type": "url", "target": target}} | more
    response = client.post(f"{API}/analyze-location", json=body)
    assert response.status_code == 200, response.text
    return response.json


def test_a_repository_is_told_what_it_declares_in_any_folder(
    client: FlaskClient, source: Repository, repo: MakeRepository
) -> None:
    source.commit(
        {
            "other.yaml": component("other"),
            "far/catalog-info.yaml": location("far", "../other.yaml"),
            "skeleton/catalog-info.yaml": "kind: ${{ values.kind }}\n",
        }
    )
    _register(client, f"{source.url}#main:more/catalog-info.yaml")
    twin = repo({"catalog-info.yaml": component("b")}, name="twin")

    found = _analyze(client, source.url)

    assert found["generateEntities"] == []
    listed = [
        (item["location"]["target"], item["entity"]["metadata"]["name"], item["isRegistered"])
        for item in found["existingEntityFiles"]
    ]
    assert listed == [
        (f"{source.url}#:catalog-info.yaml", "a", False),
        (f"{source.url}#:catalog-info.yaml", "team-a", False),
        (f"{source.url}#:far/catalog-info.yaml", "far", False),
        (f"{source.url}#:more/catalog-info.yaml", "b", True),
    ]
    assert {item["location"]["type"] for item in found["existingEntityFiles"]} == {"url"}
    first = found["existingEntityFiles"][0]["entity"]
    assert first["metadata"]["annotations"]["backstage.io/managed-by-location"].endswith("#:catalog-info.yaml")
    # The catalog has an entity of this name, but from another repository.
    assert [item["isRegistered"] for item in _analyze(client, twin.url)["existingEntityFiles"]] == [False]


def test_catalog_files_may_have_another_name(client: FlaskClient, source: Repository) -> None:
    source.commit({"deep/portal.yaml": component("deep")})

    found = _analyze(client, source.url, catalogFilename="portal.yaml")

    assert [item["entity"]["metadata"]["name"] for item in found["existingEntityFiles"]] == ["deep"]


def test_a_repository_without_catalog_files_is_given_a_beginning(client: FlaskClient, repo: MakeRepository) -> None:
    empty = repo({"README.md": "hello"}, name="my (new) repository_")

    found = _analyze(client, empty.url)

    assert found == {
        "existingEntityFiles": [],
        "generateEntities": [
            {
                "entity": {
                    "apiVersion": "backstage.io/v1alpha1",
                    "kind": "Component",
                    "metadata": {"name": "my-new-repository"},
                    "spec": {"type": "other", "lifecycle": "unknown"},
                },
                "fields": [],
            }
        ],
    }


def test_a_repository_whose_catalog_files_are_all_faulty_is_told_why(client: FlaskClient, repo: MakeRepository) -> None:
    faulty = repo({"catalog-info.yaml": component("a").replace("Component", "Unicorn")})
    body = {"location": {"type": "url", "target": faulty.url}}

    response = client.post(f"{API}/analyze-location", json=body)

    assert _error(response) == (400, "InputError")
    assert "Unicorn" in response.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"location": "url:x"},
        {"location": {"type": "url"}},
        {"location": {"type": "url", "target": "nope"}},
        {"location": {"type": "url", "target": 1}},
        {"location": {"type": "file", "target": "/etc"}},
        {"location": {"type": "url", "target": "file:///nowhere"}},
        {"location": {"type": "url", "target": "https://example.com/a", "more": 1}},
        {"location": {"type": "url", "target": "https://example.com/a"}, "catalogFilename": 1},
        {"location": {"type": "url", "target": "https://example.com/a"}, "catalogFilename": "../a.yaml"},
        {"location": {"type": "url", "target": "https://example.com/a"}, "catalogFilename": "*.yaml"},
    ],
)
def test_an_analysis_that_cannot_be_made_is_an_input_error(client: FlaskClient, body: Any) -> None:
    assert _error(client.post(f"{API}/analyze-location", json=body)) == (400, "InputError")


GOOD = {
    "apiVersion": "backstage.io/v1alpha1",
    "kind": "Component",
    "metadata": {"name": "a"},
    "spec": {"type": "service", "lifecycle": "production", "owner": "team-a"},
}


def _validate(client: FlaskClient, entity: Any, where: str = "url:https://example.com/a.yaml") -> Any:
    return client.post(f"{API}/validate-entity", json={"entity": entity, "location": where})


def test_an_entity_that_could_come_in_is_valid(client: FlaskClient) -> None:
    response = _validate(client, GOOD)

    assert (response.status_code, response.data) == (200, b"")
    assert _entity(client, "component:a") is None


def test_every_fault_of_an_entity_is_told(client: FlaskClient) -> None:
    faulty = GOOD | {"metadata": {"name": "a", "tags": ["A B"]}, "spec": {"type": "service", "owner": ""}}

    errors = _validate(client, faulty).json["errors"]

    assert {error["name"] for error in errors} == {"InputError"}
    for field in ("metadata.tags.0", "spec.lifecycle", "spec.owner"):
        assert sum(field in error["message"] for error in errors) == 1, field


@pytest.mark.parametrize(
    ("entity", "where", "told"),
    [
        ([], "url:x", "<root> must be object"),
        ({"kind": "Component", "metadata": {"name": "a"}}, "url:x", "'apiVersion'"),
        (GOOD | {"kind": 1}, "url:x", "/kind must be string"),
        (GOOD | {"kind": ""}, "url:x", "/kind must NOT have fewer than 1 characters"),
        (GOOD | {"metadata": []}, "url:x", "/metadata must be object"),
        (GOOD | {"metadata": {}}, "url:x", "/metadata must have required property 'name'"),
        (GOOD | {"metadata": {"name": "a", "namespace": 1}}, "url:x", "/metadata/namespace must be string"),
        (GOOD, "nowhere", "Unable to parse location ref 'nowhere'"),
        (GOOD, "url:", "Unable to parse location ref 'url:'"),
        (GOOD, "https://example.com", "please prefix it with 'url:'"),
        (GOOD, "file:/a", "only 'url:<target>' is supported"),
    ],
)
def test_what_is_no_entity_or_location_at_all_is_a_type_error(
    client: FlaskClient, entity: Any, where: str, told: str
) -> None:
    response = _validate(client, entity, where)

    (error,) = response.json["errors"]
    assert (response.status_code, error["name"]) == (400, "TypeError")
    assert told in error["message"]


def test_a_kind_that_the_rules_keep_out_is_not_valid(database: Database, tmp_path: Path) -> None:
    client = _client(Catalog(database, tmp_path, catalog_rules=[Rule((AllowedKind("API"),))]))

    (error,) = _validate(client, GOOD).json["errors"]

    assert "kind" in error["message"]
    assert "catalog_rules" in error["message"]


@pytest.mark.parametrize(
    "target",
    [
        "https://ann:s3cret@git.example.com/o/r#main",
        "https://s3cret@git.example.com/o/r/blob/main/catalog-info.yaml",
        "https://ann:s3cret@git.example.com/file.yaml",
        "https://ann:a/s3cret@git.example.com/o/r",
        "https://ann:a#s3cret@git.example.com/o/r",
        "ssh://git:s3cret@git.example.com/o/r",
        "ann:s3cret@git.example.com:o/r",
    ],
)
def test_a_location_whose_url_holds_a_login_is_refused_and_not_repeated(
    client: FlaskClient, source: Repository, target: str
) -> None:
    there = _register(client, source.url)
    body = {"type": "url", "target": target}
    for method, path, sent in (
        ("POST", "locations?dryRun=true", body),
        ("POST", "locations", body),
        ("PUT", f"locations/{there['id']}", body),
        ("POST", "analyze-location", {"location": body}),
    ):
        answer = client.open(f"{API}/{path}", method=method, json=sent)
        assert answer.status_code == 400, (method, path, answer.text)
        assert "s3cret" not in answer.text, (method, path)
        assert "s3cret" not in client.get(f"{API}/locations").text


def test_a_login_that_a_catalog_file_names_is_not_used(
    catalog: Catalog, client: FlaskClient, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": location("all", "https://ann:word@git.example.com/o/r#main")}, name="naming")
    report = catalog.ingest(made.url)

    (problem,) = report.problems
    assert problem.code == "target-invalid"
    assert "holds a login" in problem.hint
    assert "ann:word@" not in problem.hint
