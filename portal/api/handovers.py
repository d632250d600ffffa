"""The HTTP API of ownership in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from portal.api.answers import answer
from portal.errors import InputError
from portal.model.moment import parse_moment
from portal.model.ref import EntityRef

if TYPE_CHECKING:
    from portal.services.handovers import HandoversService

MOST_MOVES = 1_000


class HistoryArguments(Schema):
    """Which part of a list is told."""

    limit = fields.Integer(load_default=100, validate=validate.Range(1, MOST_MOVES))
    offset = fields.Integer(load_default=0, validate=validate.Range(0))


class HandoverArguments(HistoryArguments):
    """Between which moments, and of whom, where, of which kinds."""

    since = fields.String(data_key="from", required=True)
    until = fields.String(data_key="to")
    owner = fields.String()
    layer = fields.String()
    kind = fields.List(fields.String())


def add_handover_routes(blueprint: Blueprint, service: HandoversService) -> None:
    """Add the routes of ownership in time to those below /api/ownership."""

    @blueprint.get("/history/<kind>/<namespace>/<name>")
    @blueprint.arguments(HistoryArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def history(arguments: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
        """Return whose an entity was when; of a group or user what it gained and lost."""
        return answer(service.history(EntityRef.of(kind, namespace, name), **arguments).to_json())

    @blueprint.get("/handovers")
    @blueprint.arguments(HandoverArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def handovers(arguments: dict[str, Any]) -> Response:
        """Return what changed hands between two moments."""
        until, owner, layer = arguments.get("until"), arguments.get("owner"), arguments.get("layer")
        found = service.between(
            parse_moment(arguments["since"]),
            None if until is None else parse_moment(until),
            owner=None if owner is None else EntityRef.parse(owner, default_kind="group"),
            layer=None if layer is None else EntityRef.parse(layer, default_kind="layer"),
            kinds=_kinds(arguments.get("kind", ())),
            limit=arguments["limit"],
            offset=arguments["offset"],
        )
        return answer(found.to_json())


def _kinds(texts: list[str] | tuple[str, ...]) -> list[str]:
    """Return the kinds that repeated texts name, lower case. Raises `InputError` for none."""
    found = [text.strip().lower() for text in texts]
    if not all(found) or any("\0" in kind for kind in found):
        raise InputError("request/query/kind names no kind")
    return found
