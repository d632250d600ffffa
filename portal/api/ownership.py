"""The ownership graph's HTTP API."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from portal.api.answers import answer
from portal.errors import InputError
from portal.model.ref import EntityRef
from portal.services.ownership import Node, OwnershipService

_MOST_DEPTH = 100


class NoArguments(Schema):
    """A route without parameters."""


class GraphArguments(Schema):
    """Where a walk begins, how far it goes, and along what."""

    root = fields.String(required=True, metadata={"description": "Reference of the entity that the walk begins at"})
    depth = fields.Integer(load_default=1, validate=validate.Range(0, _MOST_DEPTH))
    direction = fields.String(load_default="both", validate=validate.OneOf(["in", "out", "both"]))
    relations = fields.List(
        fields.String(),
        metadata={"description": "Relation types, separated by commas; every relation in its declared sense if absent"},
    )


class NodeSchema(Schema):
    """An entity, slim; `layer` is the effective one."""

    ref = fields.String(required=True)
    kind = fields.String(required=True, metadata={"description": "lower case"})
    title = fields.String(required=True)
    layer = fields.String(required=True, allow_none=True)
    owner = fields.String(required=True, allow_none=True)


class EdgeSchema(Schema):
    """A relation."""

    source = fields.String(required=True)
    target = fields.String(required=True)
    type = fields.String(required=True)


class GraphSchema(Schema):
    """A part of the graph."""

    nodes = fields.List(fields.Nested(NodeSchema), required=True)
    edges = fields.List(fields.Nested(EdgeSchema), required=True)


class DependentSchema(NodeSchema):
    """An entity that needs another; `path` leads from the one that changes to this one."""

    distance = fields.Integer(required=True)
    path = fields.List(fields.String(), required=True)


class OwnerToTellSchema(Schema):
    """An owner of what a change reaches: of how many entities, and how near the nearest is."""

    ref = fields.String(required=True)
    count = fields.Integer(required=True)
    distance = fields.Integer(required=True)


class ImpactSchema(Schema):
    """Whom a change of an entity reaches, nearest first."""

    root = fields.Nested(NodeSchema, required=True)
    items = fields.List(fields.Nested(DependentSchema), required=True)
    owners = fields.List(fields.Nested(OwnerToTellSchema), required=True)


class ProblemSchema(Schema):
    """A fault in the input."""

    code = fields.String(required=True)
    severity = fields.String(required=True)
    message = fields.String(required=True)
    location = fields.String(required=True)
    line = fields.Integer(required=True, allow_none=True)
    column = fields.Integer(required=True, allow_none=True)
    field = fields.String(required=True)
    found = fields.String(required=True)
    expected = fields.String(required=True)
    hint = fields.String(required=True)
    ref = fields.String(required=True, allow_none=True)


class FindingSchema(Schema):
    """What a rule finds on an entity, and how to mend it."""

    rule = fields.String(required=True)
    severity = fields.String(required=True, validate=validate.OneOf(["warn", "enforce"]))
    ref = fields.String(required=True)
    layer = fields.String(required=True, allow_none=True)
    message = fields.String(required=True)
    fix = fields.String(required=True)
    related = fields.List(fields.String(), required=True)


class ProblemsSchema(Schema):
    """What is wrong in the catalog."""

    problems = fields.List(fields.Nested(ProblemSchema), required=True)
    findings = fields.List(fields.Nested(FindingSchema), required=True)


def ownership_blueprint(service: OwnershipService) -> Blueprint:
    """Return the routes below /api/ownership."""
    blueprint = Blueprint("ownership", __name__, url_prefix="/api/ownership", description="Who owns, who is hit")

    @blueprint.get("/graph")
    @blueprint.arguments(GraphArguments, location="query", unknown=RAISE)
    @blueprint.response(200, GraphSchema)
    def graph(arguments: dict[str, Any]) -> Response:
        """Return what is around an entity: nodes and edges."""
        found = service.graph(
            EntityRef.parse(arguments["root"]),
            depth=arguments["depth"],
            direction=arguments["direction"],
            types=_types(arguments["relations"]) if "relations" in arguments else None,
        )
        edges = [{"source": edge.source, "target": edge.target, "type": edge.type} for edge in found.edges]
        return answer({"nodes": [_node(node) for node in found.nodes], "edges": edges})

    @blueprint.get("/impact/<kind>/<namespace>/<name>")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200, ImpactSchema)
    def impact(_arguments: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
        """Return everything that needs an entity, and the owners to tell."""
        found = service.impact(EntityRef.of(kind, namespace, name))
        items = [
            _node(node) | {"distance": dependent.distance, "path": dependent.path}
            for dependent, node in found.dependents
        ]
        owners = [{"ref": owner.ref, "count": owner.count, "distance": owner.distance} for owner in found.owners]
        return answer({"root": _node(found.root), "items": items, "owners": owners})

    @blueprint.get("/problems")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200, ProblemsSchema)
    def problems(_arguments: dict[str, Any]) -> Response:
        """Return the problems of all sources, and what the layers' rules find."""
        return answer(
            {
                "problems": [problem.to_json() for problem in service.problems()],
                "findings": [finding.to_json() for finding in service.findings()],
            }
        )

    return blueprint


def _node(node: Node) -> dict[str, Any]:
    return {"ref": node.ref, "kind": node.kind, "title": node.title, "layer": node.layer, "owner": node.owner}


def _types(texts: list[str]) -> list[str]:
    """Return the relation types that repeated, comma-separated texts name. Raises `InputError` for none."""
    found = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    if not found:
        raise InputError("request/query/relations names no relation")
    return found
