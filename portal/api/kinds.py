"""The HTTP API of kinds, Portal's own addition to the catalog's."""

from __future__ import annotations

import orjson
from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE

from portal.api.answers import answer_text
from portal.api.arguments import NoArguments
from portal.model.kind import Kinds
from portal.model.kind_fields import kind_json
from portal.services.kinds import KindsService


def kinds_blueprint(kinds: KindsService) -> Blueprint:
    """Return the route that lists the kinds."""
    blueprint = Blueprint("kinds", __name__, url_prefix="/api/catalog", description="The kinds of entities")
    told: list[tuple[Kinds, str]] = []

    @blueprint.get("/kinds")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def list_kinds(_parameters: dict[str, str]) -> Response:
        """Return the kinds that there are now, those declared by KindDefinitions among them."""
        current = kinds.told()
        if not told or told[0][0] is not current:
            told[:] = [(current, orjson.dumps({"items": [kind_json(kind) for kind in current]}).decode())]
        return answer_text(told[0][1])

    return blueprint
