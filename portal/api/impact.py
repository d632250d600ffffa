"""The routes that say whom a change reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, fields, validate

from portal.api.answers import answer
from portal.api.arguments import PageArguments
from portal.model.ref import EntityRef

if TYPE_CHECKING:
    from portal.services.impact import ImpactService


class ImpactArguments(PageArguments):
    """Whether the entity is changed or removed."""

    removed = fields.String(load_default="false", validate=validate.OneOf(["true", "false"]))


class ChangesArguments(PageArguments):
    """After which commit or revision changes count."""

    since = fields.String(required=True)


def add_impact_routes(blueprint: Blueprint, service: ImpactService) -> None:
    """Add the routes below /impact."""

    @blueprint.get("/impact/<kind>/<namespace>/<name>")
    @blueprint.arguments(ImpactArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def impact(arguments: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
        """Return everything that needs an entity, and the owners to tell; what would break without it."""
        removed = arguments.pop("removed") == "true"
        return answer(service.of_entity(EntityRef.of(kind, namespace, name), **arguments, removed=removed).to_json())

    @blueprint.get("/impact")
    @blueprint.arguments(ChangesArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def impact_of_changes(arguments: dict[str, Any]) -> Response:
        """Return what changed after a commit, everything that needs it, and the owners to tell."""
        return answer(service.of_changes(arguments.pop("since"), **arguments).to_json())
