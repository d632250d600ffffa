from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents, group
from flask import Flask
from flask.testing import FlaskClient
from portals import Catalog
from repositories import MakeRepository, Repository

from portal.api.catalog import catalog_blueprint
from portal.api.errors import register_error_handlers
from portal.api.health import health_blueprint
from portal.services.catalog import CatalogService
from portal.services.health import HealthService
from portal.services.locations import LocationsService
from portal.store import schema
from portal.store.database import Database

NAMES = ["a", "b", "c", "d", "e"]


@pytest.fixture
def source(repo: MakeRepository) -> Repository:
    return repo({"catalog-info.yaml": documents(*map(component, NAMES), group("team-a"))})


@pytest.fixture
def client(tmp_path: Path, source: Repository) -> Any:
    with Database(f"sqlite:///{tmp_path / 'portal.db'}") as database:
        schema.upgrade(database)
        catalog = Catalog(database, tmp_path)
        catalog.ingest(source.url)
        app = Flask("test", static_folder=None)
        service = CatalogService(database)
        locations = LocationsService(database, catalog.sources, catalog.service)
        app.register_blueprint(catalog_blueprint(service, locations, catalog.past))
        app.register_blueprint(health_blueprint(HealthService(database)))
        register_error_handlers(app)
        app.extensions["test-database"] = database
        yield app.test_client()


def _names(items: Any) -> list[str | None]:
    return [item and item["metadata"]["name"] for item in items]


def _get(client: FlaskClient, path: str, *query: tuple[str, str]) -> Any:
    return client.get(f"/api/catalog/{path}", query_string=list(query))


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("entities/by-query", ("nope", "1")),
        ("entities/by-query", ("filter", "")),
        ("entities/by-query", ("filter", "=x")),
        ("entities/by-query", ("limit", "-1")),
        ("entities/by-query", ("limit", "1.5")),
        ("entities/by-query", ("offset", "x")),
        ("entities/by-query", ("orderField", "metadata.name,up")),
        ("entities/by-query", ("orderField", ",asc")),
        ("entities/by-query", ("cursor", "xyz")),
        ("entities/by-query", ("totalItems", "maybe")),
        ("entities/by-query", ("fields", "metadata.tags[0]")),
        ("entities", ("limit", "0")),
        ("entities", ("after", "xyz")),
        ("entities", ("order", "up:metadata.name")),
        ("entities", ("orderField", "metadata.name")),
        ("entities/by-name/component/default/a", ("fields", "kind")),
        ("entities/by-uid/x", ("a", "b")),
        ("entity-facets", ("filter", "kind=a")),
        ("entity-facets", ("facet", "")),
        ("locations", ("a", "b")),
    ],
)
def test_a_query_that_cannot_be_understood_is_an_input_error(
    client: FlaskClient, path: str, query: tuple[str, str]
) -> None:
    response = _get(client, path, query)

    assert response.status_code == 400, response.text
    assert response.json["error"]["name"] == "InputError"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("entities/by-refs", {}),
        ("entities/by-refs", {"entityRefs": "a"}),
        ("entities/by-refs", {"entityRefs": [1]}),
        ("entities/by-refs", {"entityRefs": [], "fields": [1]}),
        ("entities/by-refs", {"entityRefs": [], "query": []}),
        ("entities/by-refs", []),
        ("entities/by-query", {"limit": "5"}),
        ("entities/by-query", {"limit": True}),
        ("entities/by-query", {"offset": -1}),
        ("entities/by-query", {"query": None}),
        ("entities/by-query", {"orderBy": {"field": "a", "order": "asc"}}),
        ("entities/by-query", {"orderBy": [{"field": "a"}]}),
        ("entities/by-query", {"orderBy": [{"field": "a", "order": ["asc"]}]}),
        ("entities/by-query", {"fullTextFilter": "a"}),
        ("entities/by-query", {"fullTextFilter": {"term": 1}}),
        ("entities/by-query", {"cursor": ""}),
        ("entities/by-query", {"totalItems": []}),
        ("entity-facets", {"facets": []}),
        ("entity-facets", {"query": {}}),
        ("locations", {"type": "url"}),
        ("locations", {"type": "url", "target": 1}),
        ("locations", {"type": "url", "target": "no url"}),
        ("locations", {"type": "url", "target": "https://example.com", "more": 1}),
        ("locations", {"type": "file", "target": "/etc/passwd"}),
        ("refresh", {}),
        ("refresh", {"entityRef": "::"}),
        ("refresh", {"entityRef": "component:default/\0"}),
    ],
)
def test_a_body_that_cannot_be_understood_is_an_input_error(client: FlaskClient, path: str, body: Any) -> None:
    response = client.post(f"/api/catalog/{path}", json=body)

    assert response.status_code == 400, response.text
    assert response.json is not None
    assert response.json["error"]["name"] == "InputError"


@pytest.mark.parametrize("data", [b"{", b"\xff", b'{"entityRefs": ["\\ud800"]}', b"[" * 5_000, b"null"])
def test_a_body_that_is_no_json_object_is_an_input_error(client: FlaskClient, data: bytes) -> None:
    response = client.post("/api/catalog/entities/by-refs", data=data, content_type="application/json")

    assert response.status_code == 400


def test_a_body_of_another_type_is_an_input_error(client: FlaskClient) -> None:
    assert client.post("/api/catalog/entities/by-refs", data=b"{}").status_code == 400


def test_an_entity_is_sent_as_it_is_stored(client: FlaskClient) -> None:
    by_name = _get(client, "entities/by-name/component/default/A")
    by_uid = _get(client, f"entities/by-uid/{by_name.json['metadata']['uid']}")
    by_refs = client.post("/api/catalog/entities/by-refs", json={"entityRefs": ["component:a"]})

    assert by_name.data == by_uid.data
    assert by_refs.data == b'{"items":[' + by_name.data + b"]}"
    assert by_name.content_type == "application/json; charset=utf-8"


def test_references_are_resolved_in_any_case_and_length_and_what_is_none_gives_null(client: FlaskClient) -> None:
    refs = ["Component:Default/A", "component:b", "a", "::", "component:default/none", "component:default/a"]
    response = client.post("/api/catalog/entities/by-refs", json={"entityRefs": refs})

    assert response.json is not None
    assert _names(response.json["items"]) == ["a", "b", None, None, None, "a"]


def test_a_name_with_a_nul_is_not_found(client: FlaskClient) -> None:
    assert _get(client, "entities/by-name/component/default/%00").status_code == 404


def test_a_list_without_limit_is_whole(client: FlaskClient) -> None:
    response = _get(client, "entities", ("filter", "kind=component"), ("order", "desc:metadata.name"))

    assert _names(response.json) == NAMES[::-1]
    assert "link" not in response.headers


def test_an_empty_list_is_an_array(client: FlaskClient) -> None:
    assert _get(client, "entities", ("filter", "kind=none")).json == []


def test_a_list_with_a_limit_links_to_what_follows(client: FlaskClient) -> None:
    wanted = [("filter", "kind=component"), ("order", "asc:metadata.name"), ("limit", "2"), ("offset", "1")]
    response = _get(client, "entities", *wanted)
    found = [_names(response.json)]
    while "link" in response.headers:
        url, rel = response.headers["link"].split("; ")
        assert rel == 'rel="next"'
        response = client.get(url.strip("<>"))
        found.append(_names(response.json))

    assert found == [["b", "c"], ["d", "e"]]


def test_fields_keep_what_is_there_whole(client: FlaskClient) -> None:
    path = "metadata.annotations.backstage.io/managed-by-location"
    response = _get(client, "entities", ("filter", "metadata.name=a"), ("fields", f"kind,spec,{path}"), ("fields", "x"))

    (found,) = response.json
    assert found.keys() == {"kind", "spec", "metadata"}
    assert found["spec"]["type"] == "service"
    assert found["metadata"]["annotations"].keys() == {"backstage.io/managed-by-location"}


def test_a_walk_shows_the_fields_that_it_began_with(client: FlaskClient) -> None:
    first = _get(client, "entities/by-query", ("filter", "kind=component"), ("fields", "kind"), ("limit", "2")).json
    second = _get(client, "entities/by-query", ("cursor", first["pageInfo"]["nextCursor"]), ("limit", "2")).json

    assert first["items"] == second["items"] == [{"kind": "Component"}] * 2


def test_a_walk_may_begin_with_a_predicate(client: FlaskClient) -> None:
    order = [{"field": "metadata.name", "order": "desc"}]
    first = client.post("/api/catalog/entities/by-query", json={"query": {"kind": "component"}, "orderBy": order}).json
    assert first is not None
    assert (_names(first["items"]), first["totalItems"], first["pageInfo"]) == (NAMES[::-1], 5, {})

    part = {"query": {"kind": "component"}, "orderBy": order, "limit": 3, "totalItems": "exclude"}
    second = client.post("/api/catalog/entities/by-query", json=part).json
    assert second is not None
    assert second["totalItems"] == 0
    cursor = second["pageInfo"]["nextCursor"]
    third = client.post("/api/catalog/entities/by-query", json={"cursor": cursor, "limit": 3}).json
    assert third is not None
    assert (_names(third["items"]), list(third["pageInfo"])) == (["b", "a"], ["prevCursor"])


def test_without_a_limit_a_page_has_twenty_entities(client: FlaskClient, source: Repository) -> None:
    source.commit({"catalog-info.yaml": documents(*(component(f"c{number:02}") for number in range(30)))})
    client.post("/api/catalog/refresh", json={"entityRef": "component:a"})

    assert len(_get(client, "entities/by-query").json["items"]) == 20


def test_a_text_is_looked_for_in_names_and_means_itself(client: FlaskClient) -> None:
    def found(term: str) -> list[str | None]:
        response = _get(client, "entities/by-query", ("fullTextFilterTerm", term), ("filter", "kind=group"))
        return _names(response.json["items"])

    assert (found("TEAM"), found("t%m"), found("team_a")) == (["team-a"], [], [])


def test_ancestry_is_sent_with_the_entities(client: FlaskClient) -> None:
    found = _get(client, "entities/by-name/component/default/a/ancestry").json

    assert found["rootEntityRef"] == "component:default/a"
    assert [item["entity"]["kind"] for item in found["items"]] == ["Component", "Location"]
    root = f"location:default/{found['items'][1]['entity']['metadata']['name']}"
    assert [item["parentEntityRefs"] for item in found["items"]] == [[root], []]


def test_a_location_is_tried_registered_read_and_removed(client: FlaskClient, repo: MakeRepository) -> None:
    body = {"type": "url", "target": repo({"catalog-info.yaml": component("new")}, name="other").url}

    tried = client.post("/api/catalog/locations?dryRun=true", json=body)
    assert tried.status_code == 201
    assert tried.json is not None
    assert _names(tried.json["entities"]) == ["new"]
    assert (tried.json["exists"], tried.json["location"]["id"]) == (False, f"url:{body['target']}")
    assert _get(client, "locations").json == []

    added = client.post("/api/catalog/locations", json=body)
    assert added.status_code == 201
    assert added.json is not None
    location = added.json["location"]
    assert added.json["entities"] == []
    assert _get(client, "locations").json == [{"data": location}]
    assert _get(client, f"locations/{location['id']}").json == location
    assert _get(client, "locations/by-entity/component/default/new").json == location
    assert _get(client, "entities/by-name/component/default/new").status_code == 200

    again = client.post("/api/catalog/locations", json=body)
    assert again.status_code == 409
    assert client.post("/api/catalog/locations?onConflict=refresh", json=body).status_code == 201

    assert client.delete(f"/api/catalog/locations/{location['id']}").status_code == 204
    assert client.delete(f"/api/catalog/locations/{location['id']}").status_code == 404
    assert _get(client, "entities/by-name/component/default/new").status_code == 404


def test_a_dry_run_tells_all_problems_at_once(client: FlaskClient, repo: MakeRepository) -> None:
    bad = documents("kind: Component\n", component("ok"), component("x").replace("Component", "Unicorn"))
    body = {"type": "url", "target": repo({"catalog-info.yaml": bad}, name="bad").url}

    response = client.post("/api/catalog/locations?dryRun=true", json=body)

    assert response.status_code == 400
    assert response.json is not None
    assert "catalog-info.yaml:1" in response.json["error"]["message"]
    assert "Unicorn" in response.json["error"]["message"]


def test_a_refresh_reads_the_source_again(client: FlaskClient, source: Repository) -> None:
    source.commit({"catalog-info.yaml": component("fresh")})

    response = client.post("/api/catalog/refresh", json={"entityRef": "Component:a"})

    assert (response.status_code, response.data) == (200, b"")
    assert _get(client, "entities/by-name/component/default/fresh").status_code == 200
    assert client.post("/api/catalog/refresh", json={"entityRef": "component:a"}).status_code == 404


def test_health_follows_the_database(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    base = "/.backstage/health/v1"
    assert client.get(f"{base}/liveness").json == client.get(f"{base}/readiness").json == {"status": "ok"}

    database: Database = client.application.extensions["test-database"]
    database.close()
    path = Path(str(database.engine.url.database))
    path.with_suffix(".kept").write_bytes(path.read_bytes())
    for name in (path, *path.parent.glob("portal.db-*")):
        name.unlink()
    path.mkdir()
    with caplog.at_level(logging.CRITICAL):
        assert client.get(f"{base}/readiness").status_code == 503
        assert client.get(f"{base}/liveness").status_code == 200
