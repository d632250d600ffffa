"""The HTTP API of the records of who did what."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from portal.api.answers import answer
from portal.model.audit import RESULTS, parse_place, parse_query
from portal.services.audit import MOST_AT_ONCE, AuditService


class AuditArguments(Schema):
    """Which records are asked for, and which part of them is told."""

    since = fields.String()
    until = fields.String()
    actor = fields.String()
    action = fields.String()
    on = fields.String()
    result = fields.String(validate=validate.OneOf(RESULTS))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, MOST_AT_ONCE))
    cursor = fields.String()


def audit_blueprint(audit: AuditService) -> Blueprint:
    """Return the route that tells the records, to those whom `portal.api.rights` lets ask."""
    blueprint = Blueprint("audit", __name__, url_prefix="/api/audit", description="Who did what")

    @blueprint.get("")
    @blueprint.arguments(AuditArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def records(arguments: dict[str, Any]) -> Response:
        """Return who did what, on what, with which result, the newest first."""
        cursor = arguments.get("cursor")
        page = audit.find(
            parse_query(arguments, now_ms=audit.now_ms),
            before=None if cursor is None else parse_place(cursor),
            limit=arguments["limit"],
        )
        following = {} if page.following is None else {"nextCursor": str(page.following)}
        return answer({"items": [record.to_json() for record in page.records], "pageInfo": following})

    return blueprint
