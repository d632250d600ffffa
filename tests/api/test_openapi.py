"""The description of the API is valid, whole, and true of what the application answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import orjson
import pytest
import schemathesis
from catalogs import component, documents, entity, group
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from repositories import Repository
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from portal.api.openapi import operation_of
from portal.api.openapi.front_end_operations import FRONT_END_OPERATIONS
from portal.api.openapi.operations import OPERATIONS as MOST_OPERATIONS
from portal.api.openapi.operations import PARAMETERS
from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = {**MOST_OPERATIONS, **FRONT_END_OPERATIONS}
#: Requests of each operation that keep to the description, and as many that do not.
_EXAMPLES = 25


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A Portal with a small catalog of several revisions."""
    folder = tmp_path_factory.mktemp("openapi")
    made = Repository(folder / "repositories" / "a")
    options = load_settings(environment={}, overrides={"data": str(folder / "data")})
    with build(options) as opened:
        opened.migrate()
        made.commit({"catalog-info.yaml": documents(component("a"), group("team-a"))})
        opened.ingest([("url", made.url)])
        layer = entity("Layer", "low", "rank: 1, owner: team-a, ownerRoles: []", version="portal/v1alpha1")
        faulty = entity("Component", "faulty", "type: 7")
        made.commit({"catalog-info.yaml": documents(component("a", owner="team-b"), group("team-a"), layer, faulty)})
        opened.refresh.refresh()
        opened.locations.register("url", f"{made.url}#main:catalog-info.yaml")
        yield opened


@pytest.fixture(scope="module")
def app(portal: Portal) -> Flask:
    return create_app(portal)


@pytest.fixture(scope="module")
def description(app: Flask) -> dict[str, Any]:
    response = app.test_client().get("/api/openapi.json")
    assert response.status_code == 200
    return orjson.loads(response.data)


def test_the_description_is_valid_openapi_3_1(description: dict[str, Any]) -> None:
    assert description["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(description).iter_errors()) == []


def test_every_route_is_described_once(app: Flask, description: dict[str, Any]) -> None:
    operations = [operation for path in description["paths"].values() for operation in path.values()]
    described = [rule for rule in app.url_map.iter_rules() if operation_of(rule.endpoint) is not None]

    assert len(operations) == sum(len((rule.methods or set()) - {"HEAD", "OPTIONS"}) for rule in described)
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)
    endpoints = {rule.endpoint for rule in described}
    assert set(OPERATIONS) == {endpoint for endpoint in endpoints if not endpoint.startswith("cookie.")}
    undescribed = {rule.rule for rule in app.url_map.iter_rules()} - {rule.rule for rule in described}
    assert {rule for rule in undescribed if rule.startswith(("/api", "/."))} == {
        "/api/openapi.json",
        "/api/auth/<provider>",
        "/api/auth/<provider>/<path:rest>",
    }


def test_the_parameters_are_those_that_routes_know(app: Flask) -> None:
    for blueprint in app.blueprints.values():
        for name, taken in getattr(blueprint, "taken", {}).items():
            described = [PARAMETERS[parameter] for parameter in OPERATIONS[f"{blueprint.name}.{name}"].parameters]
            assert {found["name"] for found in described if found["in"] == "query"} == taken, name


def test_nothing_is_described_that_no_route_uses() -> None:
    used = {name for operation in OPERATIONS.values() for name in operation.parameters}

    assert used == set(PARAMETERS)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/api/catalog/entities/by-name/{kind}/{namespace}/{name}", "component/default/a"),
        ("/api/catalog/entities/by-name/{kind}/{namespace}/{name}", "component/default/a?at=revision:1"),
        ("/api/catalog/entities/by-name/{kind}/{namespace}/{name}/ancestry", "component/default/a/ancestry"),
        ("/api/catalog/entities/by-name/{kind}/{namespace}/{name}/history", "component/default/a/history"),
        ("/api/catalog/entities/by-query", "/entities/by-query?limit=2&fields=kind"),
        ("/api/catalog/entities", "/entities"),
        ("/api/catalog/entity-facets", "/entity-facets?facet=kind"),
        ("/api/catalog/locations", "/locations"),
        ("/api/catalog/changes", "/changes?limit=2"),
        ("/api/catalog/kinds", "/kinds"),
        ("/api/search/query", "/api/search/query?term=team&filters[kind]=group"),
        ("/api/ownership/graph", "/api/ownership/graph?root=component:a"),
        ("/api/ownership/impact/{kind}/{namespace}/{name}", "/api/ownership/impact/group/default/team-a"),
        ("/api/ownership/drift", "/api/ownership/drift"),
        ("/api/ownership/drift/{kind}/{namespace}/{name}", "/api/ownership/drift/component/default/a"),
        (
            "/api/ownership/impact/{kind}/{namespace}/{name}",
            "/api/ownership/impact/group/default/team-a?removed=true&limit=2",
        ),
        ("/api/ownership/impact", "/api/ownership/impact?since=revision:0"),
        ("/api/ownership/problems", "/api/ownership/problems"),
        ("/api/scaffolder/v2/actions", "/api/scaffolder/v2/actions"),
        ("/api/scaffolder/v2/tasks", "/api/scaffolder/v2/tasks"),
        ("/api/auth/guest/refresh", "/api/auth/guest/refresh"),
        ("/api/auth/.well-known/jwks.json", "/api/auth/.well-known/jwks.json"),
        (
            "/api/catalog/.well-known/backstage/permissions/metadata",
            "/api/catalog/.well-known/backstage/permissions/metadata",
        ),
        ("/.backstage/health/v1/readiness", "/.backstage/health/v1/readiness"),
    ],
)
def test_real_answers_are_as_described(app: Flask, description: dict[str, Any], path: str, url: str) -> None:
    if not url.startswith("/"):
        url = f"/entities/by-name/{url}"
    response = app.test_client().get(url if url.startswith(("/api", "/.")) else f"/api/catalog{url}")

    assert response.status_code == 200, response.data
    schema = description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {"components": description["components"], "$ref": "#/x", "x": schema}
    jsonschema_rs.validator_for(whole).validate(orjson.loads(response.data))


@pytest.fixture(scope="module")
def api(app: Flask) -> Any:
    """The description as schemathesis reads it; requests are the same in each run."""
    generation = GenerationConfig(deterministic=True, max_examples=_EXAMPLES, with_security_parameters=False)
    project = ProjectConfig(generation=generation)
    return schemathesis.openapi.from_wsgi(
        "/api/openapi.json", app, config=SchemathesisConfig(projects=ProjectsConfig(default=project))
    )


_REQUESTS = settings(
    max_examples=_EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
#: They say 501, as upstream does.
_NOT_IMPLEMENTED = {"auth.frame", "auth.start"}
# The stream of changes ends when its reader leaves: tests/api/test_change_events.py reads it.
_ENDPOINTS = sorted({*OPERATIONS, "cookie.catalog_set", "cookie.catalog_end"} - {"history.change_events"})


@pytest.mark.parametrize("endpoint", _ENDPOINTS)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
def test_whatever_is_asked_is_answered_as_described(api: Any, endpoint: str, mode: GenerationMode) -> None:
    checks = _CHECKS if mode is GenerationMode.POSITIVE else [*_CHECKS, negative_data_rejection]
    if endpoint in _NOT_IMPLEMENTED:
        checks = [check for check in checks if check is not not_a_server_error]
    for operation in _operations(api, endpoint):

        @_REQUESTS
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=checks)

        try:
            check()
        except Unsatisfiable:
            # Nothing that this operation takes can be wrong.
            assert mode is GenerationMode.NEGATIVE


def _operations(api: Any, endpoint: str) -> list[Any]:
    wanted = endpoint.replace(".", "_")
    found = [result.ok() for result in api.get_all_operations()]
    return [item for item in found if item.definition.raw["operationId"] in {wanted, f"{wanted}_get", f"{wanted}_post"}]


@pytest.mark.parametrize("endpoint", ["catalog.by_query", "catalog.list_locations", "ownership.problems"])
def test_a_method_that_a_route_does_not_have_is_refused(app: Flask, description: dict[str, Any], endpoint: str) -> None:
    (rule,) = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint == endpoint}

    response = app.test_client().patch(rule)

    assert (response.status_code, response.json["error"]["name"]) == (405, "MethodNotAllowedError")
    assert {method.lower() for method in response.headers["allow"].split(", ")} - {"head", "options"} == set(
        description["paths"][rule]
    )
