"""Ties a browser to its session on the server, by one signed cookie."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request, session

from portal.model.sign_in import Attempt, is_loopback
from portal.services.sessions import Session
from portal.services.sign_in import SignInService

#: Where the application keeps the service.
_SERVICE = "portal-sign-in"
_ID, _ATTEMPTS, _FAULT = "id", "attempts", "fault"
#: Sign-ins that a browser may have under way at once, each for so long.
_MOST_ATTEMPTS = 3
_ATTEMPT_SECONDS = 600


def register_browser(app: Flask, sign_in: SignInService, *, key: bytes, base_url: str, seconds: int) -> None:
    """Make the application know browsers again; `key` signs their cookies, which are good for `seconds`.

    The cookie holds the id of a session on the server, so that a session that has been ended there is over everywhere.
    """
    parts = urlsplit(base_url)
    is_secure = parts.scheme == "https"
    app.extensions[_SERVICE] = sign_in
    app.config.update(
        SECRET_KEY=key,
        # A browser takes the first name from this host alone, over https; the second is not that of another port's.
        SESSION_COOKIE_NAME="__Host-portal" if is_secure else f"portal-{parts.port or 80}",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=is_secure,
        # It must come along when the provider sends the browser back, and never with another site's form.
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=seconds,
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def current_session() -> Session | None:
    """Return the session of the person whose browser sends the request, None where they have not signed in."""
    if "portal_session" not in g:
        g.portal_session = _find() if "HTTP_COOKIE" in request.environ else None
    found: Session | None = g.portal_session
    return found


def session_id() -> str | None:
    """Return the id that the browser brings, whether there is such a session or not."""
    found = session.get(_ID)
    return found if isinstance(found, str) else None


def enter(begun: Session) -> None:
    """Give the browser a new session; nothing that it held before goes on, so that nobody else can have set it."""
    session.clear()
    session[_ID] = begun.id.reveal()
    g.portal_session = begun


def leave() -> None:
    """Take all that the browser holds away."""
    session.clear()
    g.portal_session = None


def keep_attempt(attempt: Attempt, kept: Mapping[str, Any]) -> None:
    """Have the browser keep a sign-in that begins, with what is to be done when it comes back."""
    now = int(time.time())
    attempts = _attempts(now)[-(_MOST_ATTEMPTS - 1) :]
    held = {"state": attempt.state, "nonce": attempt.nonce, "verifier": attempt.verifier, "at": now, **kept}
    session[_ATTEMPTS] = [*attempts, held]


def take_attempt(state: str, *, provider: str) -> tuple[Attempt, Mapping[str, Any]] | None:
    """Return the sign-in that a state belongs to, None for any other state; it can be taken once."""
    attempts = _attempts(int(time.time()))
    found = next((item for item in attempts if (item["state"], item["provider"]) == (state, provider)), None)
    if found is None:
        return None
    session[_ATTEMPTS] = [item for item in attempts if item is not found]
    return Attempt(found["state"], found["nonce"], found["verifier"]), found


def keep_fault(message: str) -> None:
    """Have the browser keep what went wrong for the page that it is sent to."""
    session[_FAULT] = message


def take_fault() -> str | None:
    """Return what went wrong, once."""
    found = session.pop(_FAULT, None) if _FAULT in session else None
    return found if isinstance(found, str) else None


def own_origins(base_url: str) -> frozenset[str]:
    """Return the origins that Portal's own pages have; on this machine it goes by several names."""
    parts = urlsplit(base_url)
    port = f":{parts.port}" if parts.port else ""
    names = {f"{parts.scheme}://{parts.netloc.lower()}"}
    if is_loopback(parts.hostname):
        names |= {f"{parts.scheme}://{name}{port}" for name in ("localhost", "127.0.0.1", "[::1]")}
    return frozenset(names)


def _find() -> Session | None:
    id_, service = session_id(), current_app.extensions.get(_SERVICE)
    found: Session | None = None if id_ is None or service is None else service.current(id_)
    return found


def _attempts(now: int) -> list[dict[str, Any]]:
    """Return the sign-ins that are under way, oldest first."""
    return [item for item in session.get(_ATTEMPTS) or () if item["at"] > now - _ATTEMPT_SECONDS]
