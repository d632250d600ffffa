"""The HTTP API for how far declared owners are from the people who do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from portal.api.answers import answer
from portal.graph.drift import LONGEST_HALF_LIFE_DAYS
from portal.model.ref import EntityRef

if TYPE_CHECKING:
    from portal.services.drift import DriftService

MOST_DRIFTS = 1_000


class DriftArguments(Schema):
    """After how many days a commit counts half."""

    half_life_days = fields.Float(data_key="halfLife", validate=validate.Range(1, LONGEST_HALF_LIFE_DAYS))


class DriftsArguments(DriftArguments):
    """Which assets are told."""

    owner = fields.String(validate=validate.Length(1))
    layer = fields.String(validate=validate.Length(1))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, MOST_DRIFTS))
    offset = fields.Integer(load_default=0, validate=validate.Range(0))


def add_drift_routes(blueprint: Blueprint, service: DriftService) -> None:
    """Add the routes below /api/ownership/drift."""

    @blueprint.get("/drift/<kind>/<namespace>/<name>")
    @blueprint.arguments(DriftArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def drift_of_entity(arguments: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
        """Return how much of the recent work on an entity is by its declared owner, and whose the rest is."""
        return answer(service.of_entity(EntityRef.of(kind, namespace, name), **arguments).to_json())

    @blueprint.get("/drift")
    @blueprint.arguments(DriftsArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def drift(arguments: dict[str, Any]) -> Response:
        """Return the drift of all assets, those whose owner's members do least of the work first."""
        owner = arguments.pop("owner", None)
        ref = None if owner is None else EntityRef.parse(owner, default_kind="group")
        return answer(service.overall(owner=ref, **arguments).to_json())
