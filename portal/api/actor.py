"""Tells who sends a request, from its Authorization header."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from flask import Flask, g, redirect, request
from flask.typing import ResponseReturnValue

from portal.api.browser import current_session
from portal.api.edge import ACTOR
from portal.api.errors import is_for_people
from portal.errors import AuthenticationError
from portal.services.identity import ANYBODY, Actor, IdentityService

COOKIE = "backstage-auth"
_BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)
#: What is answered whoever asks: signing in would not be possible otherwise. A bad token does no harm there.
_OPEN = ("/api/auth/", "/api/events/http/", "/api/permission/health", "/.backstage/health/")
#: But not what people who are signed in do with their tokens.
_TOKENS = "/api/auth/v1/tokens"
#: What the page where people sign in is made of, and the one where they sign out.
_OPEN_PAGES = ("/sign-out", "/static/", "/favicon.ico")


def register_actor(app: Flask, identity: IdentityService, *, sign_in_page: str | None = None) -> None:
    """Make the application refuse tokens that are not good, and requests without one where guests are not allowed.

    A token goes before the session of a browser. A request without either costs nothing more where guests are allowed;
    where they are not, people are sent to the `sign_in_page`, if there is one.
    """
    allows_guests = identity.allows_guests
    app.context_processor(lambda: {"viewer": current_session(), "sign_in_page": sign_in_page})

    @app.before_request
    def identify() -> ResponseReturnValue | None:
        if "HTTP_AUTHORIZATION" not in request.environ:
            known = request.environ.get(ACTOR) or _of_session()
            if known is not None:
                g.portal_actor = known
                return None
            if allows_guests:
                return None
        if request.path.startswith(_OPEN) and not request.path.startswith(_TOKENS):
            return None
        if sign_in_page is not None and request.path.startswith((sign_in_page, *_OPEN_PAGES)):
            return None
        actor = read_actor(identity)
        if actor.type == "none" and not allows_guests:
            if sign_in_page is not None and request.method == "GET" and is_for_people():
                return redirect(f"{sign_in_page}?{urlencode({'return': request.full_path.rstrip('?')})}")
            raise AuthenticationError("Missing credentials")
        g.portal_actor = actor
        return None


def current_actor() -> Actor:
    """Return who sends the request that is being answered."""
    actor: Actor = g.get("portal_actor", ANYBODY)
    return actor


def _of_session() -> Actor | None:
    session = current_session()
    return None if session is None else Actor("user", session.user_ref)


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
