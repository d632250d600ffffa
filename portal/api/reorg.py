"""The route that shows what a reorganisation would change."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import RAISE

from portal.api.answers import answer
from portal.api.arguments import NoArguments
from portal.errors import InputError
from portal.services.reorg import ReorganisationService

_TYPES = frozenset(
    {"application/json", "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain", ""}
)


def add_reorganisation_routes(blueprint: Blueprint, service: ReorganisationService) -> None:
    """Add the route to those below /api/ownership.

    It writes nothing: who may reorganise is not decided by any permission yet, so that is for the command line.
    """

    @blueprint.post("/reorg/plan")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def plan_reorganisation(_arguments: dict[str, Any]) -> Response:
        """Return what a plan, as YAML or JSON, would change: entities, rules, teams, files with diffs."""
        if request.mimetype not in _TYPES:
            raise InputError("Illegal Content-Type; expected application/yaml or application/json")
        return answer(service.preview(request.get_data(), location="request/body").to_json())
