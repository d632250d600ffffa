"""The route by which forms of templates are filled with what a git host has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, fields

from portal.api.answers import answer
from portal.model.secret import Secret

if TYPE_CHECKING:
    from portal.services.autocomplete import Autocomplete


class AutocompleteInput(Schema):
    """The body of a request for what a host has."""

    class Meta:
        """Members that are not known are left alone, as Backstage does."""

        unknown = "exclude"

    token = fields.String(required=True)
    context = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


def add_autocomplete_route(blueprint: Blueprint, autocompletes: Autocomplete) -> None:
    """Add the route below /api/scaffolder that asks a git host."""

    @blueprint.post("/v2/autocomplete/<provider>/<resource>")
    @blueprint.arguments(AutocompleteInput)
    @blueprint.response(200)
    def autocomplete(body: dict[str, Any], provider: str, resource: str) -> Response:
        """Return what a git host shows to the holder of a token: owners, repositories, branches."""
        found = autocompletes.complete(provider, resource, token=Secret(body["token"]), context=body["context"])
        return answer({"results": found})
