"""The ownership graph's HTTP API."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE

from portal.api.answers import answer
from portal.api.arguments import MomentArguments, NoArguments, PageArguments, moment_of
from portal.model.ref import EntityRef
from portal.services.accountability import AccountabilityService
from portal.services.ownership import OwnershipService


class PortfolioArguments(PageArguments, MomentArguments):
    """Of which time is told, and which part of a portfolio's items."""


def ownership_blueprint(service: OwnershipService, accountability: AccountabilityService) -> Blueprint:
    """Return the routes below /api/ownership, to which those of other modules are added."""
    blueprint = Blueprint("ownership", __name__, url_prefix="/api/ownership", description="Who owns, who is hit")

    @blueprint.get("/entity/<kind>/<namespace>/<name>")
    @blueprint.arguments(MomentArguments, location="query", unknown=RAISE)
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

    @blueprint.get("/lineage/<kind>/<namespace>/<name>")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def lineage(_arguments: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
        """Return what data flows into an entity, and what it flows into."""
        return answer(service.lineage(EntityRef.of(kind, namespace, name)).to_json())

    return blueprint
