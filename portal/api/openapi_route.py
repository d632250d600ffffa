"""Serves the description of all routes."""

from __future__ import annotations

import orjson
from flask import Flask, Response

from portal.api.answers import JSON

PATH = "/api/openapi.json"


def register_openapi(app: Flask) -> None:
    """Add the route that tells the description; it is imported, and put together, when it is first asked for."""
    told: list[bytes] = []

    @app.get(PATH)
    def openapi() -> Response:
        """Return this description."""
        if not told:
            from portal.api.openapi import openapi_document  # noqa: PLC0415  # no first answer needs it

            told.append(orjson.dumps(openapi_document(app)))
        return Response(told[0], content_type=JSON)
