"""The HTTP API of kinds, Portal's own addition to the catalog's."""

from __future__ import annotations

import orjson
from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields

from portal.api.answers import answer_text
from portal.model.kind import Kinds
from portal.model.kind_fields import kind_json
from portal.services.kinds import KindsService


class NoParameters(Schema):
    """A route without parameters."""


class KindRelationSchema(Schema):
    """The relation that a field emits; references without their kind get the default one."""

    type = fields.String(required=True)
    inverse = fields.String(required=True)
    default_kind = fields.String(required=True, allow_none=True, data_key="defaultKind")


class KindFieldSchema(Schema):
    """A field of a kind's spec."""

    name = fields.String(required=True)
    required = fields.Boolean(required=True)
    description = fields.String(required=True)
    relation = fields.Nested(KindRelationSchema, required=True, allow_none=True)


class KindSchema(Schema):
    """A kind; `declaredBy` is the KindDefinition that it comes from, null for one that is built in."""

    name = fields.String(required=True)
    plural = fields.String(required=True)
    description = fields.String(required=True)
    api_versions = fields.List(fields.String(), required=True, data_key="apiVersions")
    default_layer = fields.String(required=True, allow_none=True, data_key="defaultLayer")
    declared_by = fields.String(required=True, allow_none=True, data_key="declaredBy")
    fields_ = fields.List(fields.Nested(KindFieldSchema), required=True, data_key="fields", attribute="fields")
    schema = fields.Dict(required=True, metadata={"description": "JSON Schema of a whole entity"})


class KindListSchema(Schema):
    """The kinds, by name."""

    items = fields.List(fields.Nested(KindSchema), required=True)


def kinds_blueprint(kinds: KindsService) -> Blueprint:
    """Return the route that lists the kinds."""
    blueprint = Blueprint("kinds", __name__, url_prefix="/api/catalog", description="The kinds of entities")
    told: list[tuple[Kinds, str]] = []

    @blueprint.get("/kinds")
    @blueprint.arguments(NoParameters, location="query", unknown=RAISE)
    @blueprint.response(200, KindListSchema)
    def list_kinds(_parameters: dict[str, str]) -> Response:
        """Return the kinds that there are now, those declared by KindDefinitions among them."""
        current = kinds.current()
        if not told or told[0][0] is not current:
            told[:] = [(current, orjson.dumps({"items": [kind_json(kind) for kind in current]}).decode())]
        return answer_text(told[0][1])

    return blueprint
