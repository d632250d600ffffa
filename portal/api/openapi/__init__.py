"""The description of all routes, as OpenAPI 3.1."""

from __future__ import annotations

import inspect
import re
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from portal.api.openapi.access_schemas import ACCESS_SCHEMAS
from portal.api.openapi.front_end_operations import FRONT_END_OPERATIONS
from portal.api.openapi.generated_schemas import GENERATED_SCHEMAS
from portal.api.openapi.layer_schemas import LAYER_SCHEMAS
from portal.api.openapi.operations import COOKIE_OPERATIONS, OPERATIONS, PARAMETERS, Operation
from portal.api.openapi.ownership_schemas import OWNERSHIP_SCHEMAS
from portal.api.openapi.schemas import SCHEMAS, ref

__all__ = ["openapi_document"]

_ARGUMENT = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_UNDESCRIBED = frozenset({"HEAD", "OPTIONS"})
_TAGS = {
    "entities": "The software catalog",
    "locations": "Where entities come from",
    "kinds": "The kinds of entities",
    "history": "The catalog in time",
    "search": "Full-text search",
    "ownership": "Who owns, who is hit",
    "scaffolder": "Runs templates",
    "permission": "Who may do what",
    "auth": "Who people are",
    "audit": "Who did what",
    "events": "Hearing of changes",
    "front end": "What Backstage's front end keeps of its users, and shows them",
    "health": "Whether this process can do its work",
}


def openapi_document(app: Flask) -> dict[str, Any]:
    """Return the description of the application's routes, pages left out. Raises `KeyError` for an unknown route."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        operation = operation_of(rule.endpoint)
        if operation is None:
            continue
        path = _ARGUMENT.sub(r"{\1}", rule.rule)
        methods = sorted((rule.methods or set()) - _UNDESCRIBED)
        for method in methods:
            summary = (inspect.getdoc(app.view_functions[rule.endpoint]) or "").partition("\n")[0].rstrip(".")
            suffix = f"_{method.lower()}" if len(methods) > 1 else ""
            paths.setdefault(path, {})[method.lower()] = _described(
                operation, rule, summary, rule.endpoint.replace(".", "_") + suffix
            )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Portal",
            "version": version("portal"),
            "description": "The catalog, its ownership graph, its templates: Backstage's contracts, and Portal's own.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "security": [{}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, **OWNERSHIP_SCHEMAS, **LAYER_SCHEMAS, **ACCESS_SCHEMAS, **GENERATED_SCHEMAS},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def operation_of(endpoint: str) -> Operation | None:
    """Return what an endpoint takes and answers; None for pages, for what stands for all that is no route."""
    blueprint, _, name = endpoint.rpartition(".")
    if blueprint in {"", "web"}:
        return None
    if blueprint == "cookie":
        return COOKIE_OPERATIONS[name.rpartition("_")[2]]
    return FRONT_END_OPERATIONS.get(endpoint) or OPERATIONS[endpoint]


def _described(operation: Operation, rule: Rule, summary: str, operation_id: str) -> dict[str, Any]:
    places = [{"name": name, "in": "path", "required": True, "schema": _PLACE} for name in sorted(rule.arguments)]
    responses: dict[str, Any] = {
        str(status): _response(status, schema, operation.media_type) for status, schema in operation.answers.items()
    }
    for media_type in operation.other_media_types:
        responses["200"]["content"][media_type] = {"schema": {"type": "string"}}
    usual = [400, 429] if operation.is_open else [400, 401, 403, 429]
    usual += [413, 415, 503] if operation.body is not None else []
    for status in sorted({*usual, *operation.faults, *operation.fault_bodies}):
        responses[str(status)] = _response(status, operation.fault_bodies.get(status, ref("Error")), "application/json")
    described: dict[str, Any] = {
        "operationId": operation_id,
        "summary": summary,
        "tags": [operation.tag],
        "parameters": [*places, *(PARAMETERS[name] for name in operation.parameters)],
        "responses": responses,
    }
    if operation.body is not None:
        required = not operation.is_body_optional
        described["requestBody"] = {"required": required, "content": {"application/json": {"schema": operation.body}}}
    if operation.is_open:
        described["security"] = []
    return described


_PLACE = {"type": "string", "minLength": 1}


def _response(status: int, schema: dict[str, Any] | None, media_type: str) -> dict[str, Any]:
    found: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    return found if schema is None else found | {"content": {media_type: {"schema": schema}}}
