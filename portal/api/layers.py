"""The HTTP API's answers on layers as a whole, with the balance of teams in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, fields, validate

from portal.api.answers import answer
from portal.api.arguments import MOST_ITEMS, MomentArguments, NoArguments, moment_of
from portal.model.ref import EntityRef

if TYPE_CHECKING:
    from portal.services.balance import BalanceService
    from portal.services.layers import LayersService


class LayersArguments(MomentArguments):
    """Which layer is told of, of which time, and which part of its lists."""

    layer = fields.String(validate=validate.Length(min=1))
    limit = fields.Integer(load_default=20, validate=validate.Range(1, MOST_ITEMS))
    offset = fields.Integer(load_default=0, validate=validate.Range(0))


def add_layer_routes(blueprint: Blueprint, service: LayersService) -> None:
    """Add the route that tells how the layers stand."""

    @blueprint.get("/layers")
    @blueprint.arguments(LayersArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def layers(arguments: dict[str, Any]) -> Response:
        """Return how each layer stands: entities, owners, coverage, violations, reuse, near-duplicates."""
        at = moment_of(arguments)
        return answer(service.layers(**arguments, at=at).to_json())


def add_balance_routes(blueprint: Blueprint, service: BalanceService) -> None:
    """Add the route that tells whether a team is balanced."""

    @blueprint.get("/balance/<kind>/<namespace>/<name>")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def balance(_arguments: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
        """Return which roles a project, another entity or a group needs, who holds them, and what is missing."""
        return answer(service.balance(EntityRef.of(kind, namespace, name)).to_json())
