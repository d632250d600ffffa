"""Tells who sends a request, from its Authorization header."""

from __future__ import annotations

import re

from flask import Flask, g, request

from portal.errors import AuthenticationError
from portal.services.identity import ANYBODY, Actor, IdentityService

COOKIE = "backstage-auth"
_BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)
#: What is answered whoever asks: signing in would not be possible otherwise. A bad token does no harm there.
_OPEN = ("/api/auth/", "/api/events/http/", "/api/permission/health", "/.backstage/health/")


def register_actor(app: Flask, identity: IdentityService) -> None:
    """Make the application refuse tokens that are not good, and requests without one where guests are not allowed.

    A request without the header costs nothing more where they are.
    """
    allows_guests = identity.allows_guests

    @app.before_request
    def identify() -> None:
        if "HTTP_AUTHORIZATION" not in request.environ and allows_guests:
            return
        if request.path.startswith(_OPEN):
            return
        actor = read_actor(identity)
        if actor.type == "none" and not allows_guests:
            raise AuthenticationError("Missing credentials")
        g.portal_actor = actor


def current_actor() -> Actor:
    """Return who sends the request that is being answered."""
    actor: Actor = g.get("portal_actor", ANYBODY)
    return actor


def bearer_token() -> str | None:
    """Return the token that the request carries, None where it has no Bearer token."""
    found = _BEARER.fullmatch(request.headers.get("authorization", ""))
    return found[1] if found else None


def read_actor(identity: IdentityService, *, plugin: str | None = None) -> Actor:
    """Return who the request's token stands for. Raises as `IdentityService.authenticate`."""
    token = bearer_token()
    if token is None:
        return ANYBODY
    return identity.authenticate(token, plugin=_plugin(request.path) if plugin is None else plugin)


def _plugin(path: str) -> str:
    """Return the name of the plugin whose route a path is, empty for pages."""
    parts = path.split("/", 3)
    return parts[2] if len(parts) > 2 and parts[1] == "api" else ""  # noqa: PLR2004  # "", "api", the name
