"""Lets pages of other origins, which the settings name, read what Portal answers."""

from __future__ import annotations

import re
from collections.abc import Collection

from flask import Flask, Response, request
from flask_cors import CORS

from portal.api.request_id import HEADER

_METHODS = ("GET", "HEAD", "PATCH", "POST", "PUT", "DELETE")
#: How long a browser may remember what it was told, in seconds.
_REMEMBERED_SECONDS = 600


def register_cross_origin(app: Flask, origins: Collection[str]) -> None:
    """Answer browsers that ask whether a page of an origin may read or send something, with their cookies too.

    Those of other origins are told nothing, and so read nothing. Rule: backend-defaults 0.18 `readCorsOptions`.
    """
    CORS(
        app,
        # As they are written: flask-cors takes whatever may be a pattern for one.
        origins=[re.compile(rf"{re.escape(origin)}\Z") for origin in origins],
        methods=list(_METHODS),
        supports_credentials=True,
        expose_headers=[HEADER],
        max_age=_REMEMBERED_SECONDS,
    )
    named = frozenset(origins)

    def preflight() -> Response | None:
        is_asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204) if is_asked and request.headers.get("Origin") in named else None

    # Before anybody asks who it is, or for a route: browsers send no credentials with such a question, and take a 404
    # for a no, so that a page never hears that a plugin is not there. Rule: cors 2.8 `preflightContinue`.
    app.before_request_funcs.setdefault(None, []).insert(0, preflight)
