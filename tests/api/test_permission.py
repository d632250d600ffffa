"""Permissions over HTTP, as Backstage's clients ask for them."""

from __future__ import annotations

import pytest
from flask import Flask

from portal.api.actor import register_actor
from portal.api.catalog import catalog_blueprint
from portal.api.errors import register_error_handlers
from portal.api.permission import catalog_permission_blueprint, permission_blueprint
from portal.model.access import parse_external_access
from portal.model.permission import CATALOG_ENTITY, Condition, Conditional
from portal.model.ref import EntityRef
from portal.services.catalog import CatalogService
from portal.services.identity import IdentityService
from portal.services.locations import LocationsService
from portal.services.permission import PermissionService
from portal.services.tokens import Tokens
from portal.services.vault import Vault

READ = {
    "type": "resource",
    "name": "catalog.entity.read",
    "attributes": {"action": "read"},
    "resourceType": "catalog-entity",
}
CREATE = {"type": "basic", "name": "catalog.entity.create", "attributes": {"action": "create"}}
SERVICES = {"rule": "HAS_SPEC", "resourceType": "catalog-entity", "params": {"key": "type", "value": "service"}}
ENTITIES = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: one}
spec: {type: service, lifecycle: production, owner: team}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: two}
spec: {type: website, lifecycle: production, owner: team}
"""


class ServicesOnly:
    """Lets everybody read services, nobody create."""

    def decide(self, permissions, actor, claims):
        condition = Conditional(Condition("HAS_SPEC", CATALOG_ENTITY, SERVICES["params"]))
        return [condition if permission.resource_type else "DENY" for permission in permissions]


@pytest.fixture
def identity(database, tmp_path):
    return IdentityService(
        database,
        Tokens(database, Vault(tmp_path / "instance.key"), issuer="http://localhost/api/auth"),
        guest=EntityRef("user:default/ann"),
        external=[parse_external_access({"type": "static", "options": {"token": "ci-token-1", "subject": "ci"}})],
    )


@pytest.fixture
def client(catalog, repo, database, identity):
    source = repo({"catalog-info.yaml": ENTITIES})
    catalog.ingest(f"{source.url}#main:catalog-info.yaml")
    service = CatalogService(database)
    permission = PermissionService(service, identity, ServicesOnly())
    app = Flask("test", static_folder=None)
    locations = LocationsService(database, catalog.sources, catalog.service)
    app.register_blueprint(catalog_blueprint(service, locations, catalog.past))
    app.register_blueprint(permission_blueprint(permission))
    app.register_blueprint(catalog_permission_blueprint(permission))
    register_actor(app, identity)
    register_error_handlers(app)
    return app.test_client()


@pytest.fixture
def user(identity):
    return {"authorization": f"Bearer {identity.sign_in_guest().token.text}"}


CI = {"authorization": "Bearer ci-token-1"}
AUTHORIZE = "/api/permission/authorize"
APPLY = "/api/catalog/.well-known/backstage/permissions/apply-conditions"


def test_permissions_are_answered_in_order(client):
    answer = client.post(
        AUTHORIZE,
        json={
            "items": [
                {"id": "a", "permission": CREATE},
                {"id": "b", "permission": READ},
                {"id": "c", "permission": READ, "resourceRef": "component:default/one"},
                {"id": "d", "permission": READ, "resourceRef": ["component:default/two", "component:default/one"]},
            ]
        },
    )
    assert answer.json == {
        "items": [
            {"id": "a", "result": "DENY"},
            {
                "id": "b",
                "result": "CONDITIONAL",
                "pluginId": "catalog",
                "resourceType": "catalog-entity",
                "conditions": SERVICES,
            },
            {"id": "c", "result": "ALLOW"},
            {"id": "d", "result": ["DENY", "ALLOW"]},
        ]
    }
    assert client.post(AUTHORIZE, json={"items": []}).json == {"items": []}
    assert client.get("/api/permission/health").json == {"status": "ok"}


def test_people_ask_about_resources_one_by_one(client, user):
    refused = client.post(AUTHORIZE, json={"items": [{"id": "a", "permission": READ}]}, headers=user)
    assert (refused.status_code, refused.json["error"]["name"]) == (400, "InputError")
    assert "Direct user requests without a resourceRef are not allowed" in refused.json["error"]["message"]
    asked = {"items": [{"id": "a", "permission": READ, "resourceRef": "component:default/one"}]}
    assert client.post(AUTHORIZE, json=asked, headers=user).json == {"items": [{"id": "a", "result": "ALLOW"}]}
    service = client.post(AUTHORIZE, json=asked, headers=CI)
    assert (service.status_code, service.json["error"]["message"]) == (
        403,
        "This endpoint does not allow 'service' credentials",
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "items"),
        ([], "object"),
        ({"items": {}}, "array"),
        ({"items": [1]}, "items/0"),
        ({"items": [{"permission": CREATE}]}, "items/0/id"),
        ({"items": [{"id": 1, "permission": CREATE}]}, "items/0/id"),
        ({"items": [{"id": "a"}]}, "items/0/permission"),
        ({"items": [{"id": "a", "permission": CREATE | {"type": "odd"}}]}, "items/0/permission/type"),
        ({"items": [{"id": "a", "permission": CREATE, "resourceRef": "a:b/c"}]}, "items/0/resourceRef"),
        ({"items": [{"id": "a", "permission": READ, "resourceRef": []}]}, "items/0/resourceRef"),
        ({"items": [{"id": "a", "permission": READ, "resourceRef": None}]}, "items/0/resourceRef"),
        ({"items": [{"id": "a", "permission": CREATE}, {"id": "b", "permission": {}}]}, "items/1/permission"),
    ],
)
def test_questions_that_cannot_be_understood_are_refused(client, body, told):
    answer = client.post(AUTHORIZE, json=body)
    assert (answer.status_code, answer.json["error"]["name"]) == (400, "InputError")
    assert told in answer.json["error"]["message"]


def test_conditions_are_tried_for_permission_backends(client, user):
    item = {"id": "a", "resourceType": "catalog-entity", "resourceRef": "component:default/one", "conditions": SERVICES}
    several = ["component:default/one", "component:default/two", "component:default/ghost"]
    body = {
        "items": [
            item,
            item | {"id": "b", "conditions": {"not": SERVICES}},
            item | {"id": "c", "conditions": {"anyOf": [{"not": SERVICES}, {"allOf": [SERVICES]}]}},
            item | {"id": "d", "resourceRef": several, "conditions": {"not": SERVICES}},
        ]
    }
    for headers in ({}, CI):
        assert client.post(APPLY, json=body, headers=headers).json == {
            "items": [
                {"id": "a", "result": "ALLOW"},
                {"id": "b", "result": "DENY"},
                {"id": "c", "result": "ALLOW"},
                {"id": "d", "result": ["DENY", "ALLOW", "DENY"]},
            ]
        }
    assert client.post(APPLY, json=body, headers=user).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"resourceRef": None},
        {"resourceType": "task"},
        {"conditions": None},
        {"conditions": {"anyOf": []}},
        {"conditions": SERVICES | {"rule": "IS_OLD"}},
        {"conditions": SERVICES | {"params": {}}},
    ],
)
def test_conditions_that_cannot_be_understood_are_refused(client, change):
    item = {"id": "a", "resourceType": "catalog-entity", "resourceRef": "component:default/one", "conditions": SERVICES}
    answer = client.post(APPLY, json={"items": [item | change]})
    assert (answer.status_code, answer.json["error"]["name"]) == (400, "InputError")


def test_the_catalog_tells_its_permissions_and_rules(client):
    found = client.get("/api/catalog/.well-known/backstage/permissions/metadata").json
    assert found["permissions"][:2] == [READ, CREATE]
    assert {"type": "basic", "name": "catalog.entity.validate", "attributes": {}} in found["permissions"]
    assert [rule["name"] for rule in found["rules"]] == [
        "HAS_ANNOTATION",
        "HAS_LABEL",
        "HAS_METADATA",
        "HAS_SPEC",
        "IS_ENTITY_KIND",
        "IS_ENTITY_OWNER",
    ]
