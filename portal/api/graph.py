"""The route that shows the graph around an entity, or between two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from portal.api.answers import answer
from portal.api.arguments import listed
from portal.errors import InputError
from portal.graph.export import WRITERS
from portal.model.ref import EntityRef

if TYPE_CHECKING:
    from portal.services.subgraph import SubGraphService

MOST_DEPTH = 100
#: The media type of each format but JSON.
MEDIA_TYPES = {"dot": "text/vnd.graphviz", "mermaid": "text/vnd.mermaid", "graphml": "application/graphml+xml"}


class GraphArguments(Schema):
    """Where a walk begins, how far it goes, along what, past what, and how it is written down."""

    root = fields.String(required=True)
    to = fields.String()
    depth = fields.Integer(validate=validate.Range(0, MOST_DEPTH))
    direction = fields.String(load_default="both", validate=validate.OneOf(["in", "out", "both"]))
    relations = fields.List(fields.String())
    kinds = fields.List(fields.String())
    layers = fields.List(fields.String())
    expand = fields.List(fields.String())
    format = fields.String(load_default="json", validate=validate.OneOf(["json", *WRITERS]))


def add_graph_routes(blueprint: Blueprint, service: SubGraphService) -> None:
    """Add the route /graph."""

    @blueprint.get("/graph")
    @blueprint.arguments(GraphArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def graph(arguments: dict[str, Any]) -> Response:
        """Return what is around an entity, or on the shortest ways to another: as JSON, DOT, Mermaid or GraphML."""
        root = EntityRef.parse(arguments["root"])
        which: dict[str, Any] = {
            "direction": arguments["direction"],
            "types": listed(arguments, "relations"),
            "kinds": listed(arguments, "kinds"),
            "layers": listed(arguments, "layers"),
        }
        if "depth" in arguments:
            which["depth"] = arguments["depth"]
        expand = [EntityRef.parse(name) for name in listed(arguments, "expand") or ()]
        if "to" not in arguments:
            found = service.around(root, **which, expand=expand)
        elif expand:
            raise InputError("Nothing is expanded between two entities; leave out either expand or to")
        else:
            found = service.between(root, EntityRef.parse(arguments["to"]), **which)
        written = arguments["format"]
        if written == "json":
            return answer(found.to_json())
        response = Response(found.written(written), content_type=f"{MEDIA_TYPES[written]}; charset=utf-8")
        response.headers["X-Content-Type-Options"] = "nosniff"
        if found.is_truncated:
            response.headers["X-Portal-Truncated"] = "true"
        return response
