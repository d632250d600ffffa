"""The ownership graph's HTTP API."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from portal.api.answers import answer
from portal.api.handovers import add_handovers, moment_of
from portal.errors import InputError
from portal.model.ref import EntityRef
from portal.services.accountability import AccountabilityService
from portal.services.handovers import HandoversService
from portal.services.ownership import OwnershipService

MOST_DEPTH = 100
MOST_ITEMS = 10_000


class NoArguments(Schema):
    """A route without parameters."""


class GraphArguments(Schema):
    """Where a walk begins, how far it goes, and along what."""

    root = fields.String(required=True)
    depth = fields.Integer(load_default=1, validate=validate.Range(0, MOST_DEPTH))
    direction = fields.String(load_default="both", validate=validate.OneOf(["in", "out", "both"]))
    relations = fields.List(fields.String())


class EntityArguments(Schema):
    """Of which time is told."""

    at = fields.String()


class PortfolioArguments(EntityArguments):
    """Which part of a portfolio's items is told."""

    limit = fields.Integer(load_default=500, validate=validate.Range(1, MOST_ITEMS))
    offset = fields.Integer(load_default=0, validate=validate.Range(0))


def ownership_blueprint(
    service: OwnershipService, accountability: AccountabilityService, handovers: HandoversService
) -> Blueprint:
    """Return the routes below /api/ownership."""
    blueprint = Blueprint("ownership", __name__, url_prefix="/api/ownership", description="Who owns, who is hit")

    @blueprint.get("/entity/<kind>/<namespace>/<name>")
    @blueprint.arguments(EntityArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def entity(arguments: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
        """Return who answers for an entity: owner, the groups above, people, stewards, contributors, problems."""
        found = accountability.of_entity(EntityRef.of(kind, namespace, name), at=moment_of(arguments))
        return answer(found.to_json())

    @blueprint.get("/portfolio/<kind>/<namespace>/<name>")
    @blueprint.arguments(PortfolioArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def portfolio(arguments: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
        """Return all that a group or user answers for, itself and through the groups below."""
        at = moment_of(arguments)
        found = accountability.portfolio(EntityRef.of(kind, namespace, name), at=at, **arguments)
        return answer(found.to_json())

    @blueprint.get("/graph")
    @blueprint.arguments(GraphArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def graph(arguments: dict[str, Any]) -> Response:
        """Return what is around an entity: nodes and edges."""
        found = service.graph(
            EntityRef.parse(arguments["root"]),
            depth=arguments["depth"],
            direction=arguments["direction"],
            types=_types(arguments["relations"]) if "relations" in arguments else None,
        )
        edges = [{"source": edge.source, "target": edge.target, "type": edge.type} for edge in found.edges]
        return answer({"nodes": [node.to_json() for node in found.nodes], "edges": edges})

    @blueprint.get("/impact/<kind>/<namespace>/<name>")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def impact(_arguments: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
        """Return everything that needs an entity, and the owners to tell."""
        return answer(service.impact(EntityRef.of(kind, namespace, name)).to_json())

    @blueprint.get("/lineage/<kind>/<namespace>/<name>")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def lineage(_arguments: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
        """Return what data flows into an entity, and what it flows into."""
        return answer(service.lineage(EntityRef.of(kind, namespace, name)).to_json())

    @blueprint.get("/problems")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def problems(_arguments: dict[str, Any]) -> Response:
        """Return the problems of all sources, and what the layers' rules find."""
        return answer(
            {
                "problems": [problem.to_json() for problem in service.problems()],
                "findings": [finding.to_json() for finding in service.findings()],
            }
        )

    add_handovers(blueprint, handovers)
    return blueprint


def _types(texts: list[str]) -> list[str]:
    """Return the relation types that repeated, comma-separated texts name. Raises `InputError` for none."""
    found = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    if not found:
        raise InputError("request/query/relations names no relation")
    return found
