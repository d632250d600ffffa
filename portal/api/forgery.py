"""Refuses writes that a page of another site has made a browser send."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from flask import Flask, g, request

from portal.errors import NotAllowedError
from portal.model.sentence import Sentence

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
#: What Flask-WTF sets when it is made known to an application, which imports all of it: only pages and writes need it.
_SETTINGS = {
    "WTF_CSRF_FIELD_NAME": "csrf_token",
    "WTF_CSRF_HEADERS": ["X-CSRFToken", "X-CSRF-Token"],
    "WTF_CSRF_METHODS": _WRITES,
    "WTF_CSRF_SSL_STRICT": True,
    "WTF_CSRF_TIME_LIMIT": None,
}
#: They ask for a header of their own, which no form can send, as Backstage's clients expect; guests have no session.
_ASK_THEMSELVES = frozenset({"sign_in.refresh", "sign_in.logout", "auth.refresh", "auth.logout"})

#: What the library says of the tokens of forms.
_TOLD: Mapping[str | None, str] = {
    said: said
    for said in (
        Sentence("The CSRF token is missing."),
        Sentence("The CSRF session token is missing."),
        Sentence("The CSRF token has expired."),
        Sentence("The CSRF token is invalid."),
        Sentence("The CSRF tokens do not match."),
    )
}


def register_forgery_check(app: Flask, *, origins: Collection[str]) -> None:
    """Make the application ask each write that a browser sends by itself for the token of the page it comes from.

    A browser sends its cookie with whatever request a page makes it send; a token in the Authorization header it never
    sends by itself, so requests with one are not asked. Writes of other sites' pages are refused whether there is a
    cookie or not: guests could be made to write too. `origins` are those whose pages may write.
    """
    app.config.update(_SETTINGS)
    app.context_processor(lambda: {"csrf_token": _token})

    @app.before_request
    def refuse_forged() -> None:
        if request.method not in _WRITES or "HTTP_AUTHORIZATION" in request.environ:
            return
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in origins and not _is_own(origin):
            raise NotAllowedError(Sentence("A page of another site may not write here"))
        if origin is None and request.headers.get("sec-fetch-site") == "cross-site":
            raise NotAllowedError(Sentence("A page of another site may not write here"))
        if request.endpoint in _ASK_THEMSELVES:
            return
        if g.get("portal_session") is not None or request.blueprint == "web":
            _protect()


def _protect() -> None:
    """Raise `NotAllowedError` unless the request has the token of a page."""
    from flask_wtf.csrf import CSRFError, CSRFProtect  # noqa: PLC0415

    try:
        CSRFProtect().protect()
    except CSRFError as error:
        raise NotAllowedError(
            Sentence(
                "%(description)s Open the page anew and try again.",
                description=_TOLD.get(error.description, error.description),
            )
        ) from error


def _token() -> str:
    """Return the token for a page."""
    from flask_wtf.csrf import generate_csrf  # noqa: PLC0415

    found: str = generate_csrf()
    return found


def _is_own(origin: str) -> bool:
    """Return whether an origin is the host that was asked, which is one of those that settings trust."""
    return origin.lower().partition("://")[2] == request.host.lower()
