"""The HTTP API of what is wrong: lists, counts, badges."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from portal.api.answers import answer
from portal.api.arguments import MOST_ITEMS, listed
from portal.api.badge import GREEN, RED, YELLOW, badge
from portal.model.ref import EntityRef
from portal.services.problems import Asked, Faults, ProblemsService

LONGEST_LABEL = 100
#: The largest revision that databases can hold.
_LAST_REVISION = 2**63 - 1
_FIELDS = ("rule", "layer", "owner", "severity", "kind", "ref")


class _Which(Schema):
    """Which problems are asked for."""

    rule = fields.List(fields.String())
    layer = fields.List(fields.String())
    owner = fields.List(fields.String())
    severity = fields.List(fields.String())
    kind = fields.List(fields.String())
    ref = fields.List(fields.String())
    since = fields.Integer(validate=validate.Range(0, _LAST_REVISION))


class ProblemsArguments(_Which):
    """Which problems are asked for, and which part of them is told."""

    limit = fields.Integer(validate=validate.Range(0, MOST_ITEMS))
    offset = fields.Integer(load_default=0, validate=validate.Range(0))


class LabelArguments(Schema):
    """What a badge is headed."""

    label = fields.String(validate=validate.Length(1, LONGEST_LABEL))


class ProblemsBadgeArguments(_Which, LabelArguments):
    """Which problems a badge counts, and what it is headed."""


def add_problem_routes(blueprint: Blueprint, service: ProblemsService) -> None:
    """Give a blueprint the routes of problems and badges."""

    @blueprint.get("/problems")
    @blueprint.arguments(ProblemsArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def problems(arguments: dict[str, Any]) -> Response:
        """Return what is wrong with the catalog, counted by rule, layer, owner, severity."""
        found = service.ask(_asked(arguments), limit=arguments.get("limit"), offset=arguments["offset"])
        return answer(found.to_json())

    @blueprint.get("/problems/badge.svg")
    @blueprint.arguments(ProblemsBadgeArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def problems_badge(arguments: dict[str, Any]) -> Response:
        """Return a badge that counts what is wrong."""
        asked = _asked(arguments)
        named = [value for name in _FIELDS for value in getattr(asked, name)]
        return _badge(arguments.get("label") or ", ".join(named) or "catalog", service.ask(asked, limit=0))

    @blueprint.get("/badge/<kind>/<namespace>/<name>.svg")
    @blueprint.arguments(LabelArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def entity_badge(arguments: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
        """Return a badge that counts what is wrong with an entity, in a layer, in a portfolio."""
        found = service.about(EntityRef.of(kind, namespace, name))
        return _badge(arguments.get("label") or name, found)


def _asked(arguments: dict[str, Any]) -> Asked:
    chosen = {name: found for name in _FIELDS if (found := listed(arguments, name)) is not None}
    return Asked(**chosen, since=arguments.get("since"))


def _badge(label: str, found: Faults) -> Response:
    message = f"{found.total or 'no'} {'problem' if found.total == 1 else 'problems'}"
    colour = GREEN if not found.total else RED if found.is_grave else YELLOW
    response = Response(badge(label, message, colour), content_type="image/svg+xml; charset=utf-8")
    # What shows it asks each time whether it has changed: the badge of a page must not tell of yesterday.
    response.headers["cache-control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response
