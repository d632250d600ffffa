"""The HTTP API of the layers' rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE

from portal.api.answers import answer
from portal.api.arguments import NoArguments

if TYPE_CHECKING:
    from portal.services.rules import RulesService


def add_rule_routes(blueprint: Blueprint, service: RulesService) -> None:
    """Add the route of the rules to those below /api/ownership."""

    @blueprint.get("/rules")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def rules(_arguments: dict[str, Any]) -> Response:
        """Return every rule: what it asks for, where it comes from, its severity by layer, its exemptions."""
        return answer(service.book().to_json())
