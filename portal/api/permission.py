"""The permission API, as Backstage's clients speak it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields

from portal.api.actor import current_actor
from portal.api.answers import answer
from portal.api.catalog_queries import body_of
from portal.errors import InputError, NotAllowedError
from portal.model.permission import (
    CATALOG_ENTITY,
    CATALOG_PERMISSIONS,
    Conditional,
    Permission,
    parse_criteria,
    parse_permission,
    text,
)
from portal.model.permission_names import SCAFFOLDER_PERMISSIONS, SCAFFOLDER_TASK
from portal.model.permission_rules import CATALOG_RULES
from portal.model.ref import EntityRef
from portal.model.resource_rules import SCAFFOLDER_RULES
from portal.services.explanation import ExplanationService
from portal.services.identity import Actor
from portal.services.permission import Answer, Application, PermissionService, Question, require_resources


def permission_blueprint(permission: PermissionService, explanation: ExplanationService | None = None) -> Blueprint:
    """Return the routes below /api/permission; that which explains where there is an `explanation`."""
    blueprint = Blueprint("permission", __name__, url_prefix="/api/permission", description="Who may do what")

    @blueprint.get("/health")
    @blueprint.response(200)
    def health() -> Response:
        """Say that the routes answer."""
        return answer({"status": "ok"})

    @blueprint.post("/authorize")
    @blueprint.response(200)
    def authorize() -> Response:
        """Return what is decided on permissions, on resources or as conditions."""
        actor = current_actor()
        actor.require("none", "user")
        questions = [_question(item, f"items/{index}") for index, item in enumerate(_items())]
        if actor.type == "user":
            require_resources(questions)
        return _answers(permission.authorize(questions, actor))

    if explanation is not None:
        _add_explanation(blueprint, explanation)
    return blueprint


class ExplainArguments(Schema):
    """Who may do what, on what."""

    permission = fields.String(required=True)
    actor = fields.String()
    resource = fields.String(data_key="resourceRef")


def _add_explanation(blueprint: Blueprint, explanation: ExplanationService) -> None:
    @blueprint.get("/explain")
    @blueprint.arguments(ExplainArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def explain(arguments: dict[str, Any]) -> Response:
        """Say whether somebody has a permission, and why; of others than oneself only to who may ask that."""
        asking = current_actor()
        about = asking
        if "actor" in arguments:
            ref = EntityRef.parse(arguments["actor"], default_kind="user")
            if ref != asking.user_ref:
                explanation.require(asking, "portal.policy.explain")
                about = Actor("user", ref)
        resource = arguments.get("resource")
        return answer(explanation.explain(about, arguments["permission"], resource, told_to=asking).to_json())


def catalog_permission_blueprint(permission: PermissionService) -> Blueprint:
    """Return the routes by which a permission backend tries conditions on entities."""
    return _plugin_blueprint(
        permission, "catalog", CATALOG_PERMISSIONS, [rule.to_json() for rule in CATALOG_RULES.values()], CATALOG_ENTITY
    )


def scaffolder_permission_blueprint(permission: PermissionService) -> Blueprint:
    """Return the routes by which a permission backend tries conditions on tasks.

    Parts of templates, and actions, are none that others could name. Rule: scaffolder-backend 4.2 has them the same.
    """
    rules = [rule.to_json() for rule in SCAFFOLDER_RULES.values()]
    return _plugin_blueprint(permission, "scaffolder", SCAFFOLDER_PERMISSIONS, rules, SCAFFOLDER_TASK)


def _plugin_blueprint(
    permission: PermissionService,
    plugin: str,
    permissions: Sequence[Permission],
    rules: list[dict[str, Any]],
    resource_type: str,
) -> Blueprint:
    blueprint = Blueprint(
        f"{plugin}_permission",
        __name__,
        url_prefix=f"/api/{plugin}/.well-known/backstage/permissions",
        description=f"Conditions of the {plugin}",
    )

    @blueprint.get("/metadata")
    @blueprint.response(200)
    def metadata() -> Response:
        """Return the permissions of a plugin, with the rules that conditions are made of."""
        return answer({"permissions": [item.to_json() for item in permissions], "rules": rules})

    @blueprint.post("/apply-conditions")
    @blueprint.response(200)
    def apply_conditions() -> Response:
        """Return whether resources of a plugin meet conditions."""
        if current_actor().type == "user":
            # They could find out about what they may not read. Rule: backend-defaults 0.18
            # `permissionsRegistryServiceFactory`.
            raise NotAllowedError("This endpoint does not allow 'user' credentials")
        asked = [_application(item, f"items/{index}") for index, item in enumerate(_items())]
        others = sorted({item.resource_type for item in asked} - {resource_type})
        if others:
            raise InputError(f"Unexpected resource types: {', '.join(others)}.")
        return _answers(permission.apply(asked))

    return blueprint


def _items() -> list[Mapping[str, Any]]:
    items = body_of("items")["items"]
    if not isinstance(items, list):
        raise InputError("request/body/items must be array")
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise InputError(f"request/body/items/{index} must be object")
    return items


def _question(item: Mapping[str, Any], path: str) -> Question:
    permission = parse_permission(item.get("permission"), path=f"{path}/permission")
    resources = None
    if "resourceRef" in item:
        if permission.resource_type is None:
            raise InputError(f'{path}/resourceRef: expected only with a permission of the type "resource"')
        resources = _resources(item["resourceRef"], f"{path}/resourceRef")
    return Question(text(item.get("id"), f"{path}/id"), permission, resources)


def _application(item: Mapping[str, Any], path: str) -> Application:
    return Application(
        text(item.get("id"), f"{path}/id"),
        _resources(item.get("resourceRef"), f"{path}/resourceRef"),
        text(item.get("resourceType"), f"{path}/resourceType"),
        parse_criteria(item.get("conditions"), path=f"{path}/conditions"),
    )


def _resources(value: object, path: str) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(ref, str) for ref in value):
        return tuple(value)
    raise InputError(f"{path}: expected a text, or a list of texts that is not empty")


def _answers(found: list[Answer]) -> Response:
    items: list[dict[str, Any]] = []
    for item in found:
        decision = item.decision
        told = decision.to_json() if isinstance(decision, Conditional) else {"result": decision}
        items.append({"id": item.id, **told})
    return answer({"items": items})
