"""The routes that show or write what a reorganisation changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import RAISE

from portal.api.answers import answer
from portal.api.arguments import NoArguments
from portal.errors import InputError

if TYPE_CHECKING:
    from portal.services.reorg import Preview, ReorganisationService

_TYPES = frozenset(
    {"application/json", "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain", ""}
)


def add_reorganisation_routes(blueprint: Blueprint, service: ReorganisationService) -> None:
    """Add the routes to those below /api/ownership."""

    @blueprint.post("/reorg/plan")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def plan_reorganisation(_arguments: dict[str, Any]) -> Response:
        """Return what a plan, as YAML or JSON, would change: entities, rules, teams, files with diffs."""
        return answer(_preview(service).to_json())

    @blueprint.post("/reorg/write")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def write_reorganisation(_arguments: dict[str, Any]) -> Response:
        """Push what a plan changes, a branch and a commit for each repository, and return what `plan` does too."""
        preview = _preview(service)
        written = service.write(preview)
        return answer(preview.to_json() | {"written": [item.to_json() for item in written]})


def _preview(service: ReorganisationService) -> Preview:
    if request.mimetype not in _TYPES:
        raise InputError("Illegal Content-Type; expected application/yaml or application/json")
    return service.preview(request.get_data(), location="request/body")
