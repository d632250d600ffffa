"""Sign-in with a provider: in a window that a Backstage frontend opens, or page by page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Response, redirect, request
from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint

from portal.api import audit, browser
from portal.api.answers import answer
from portal.api.auth import identity_json
from portal.api.web_message import web_message
from portal.errors import AuthenticationError, InputError, NotAllowedError, PortalError
from portal.model.sentence import Sentence
from portal.model.sign_in import is_loopback, requested_scopes
from portal.services.identity import IdentityService
from portal.services.sign_in import SignedIn, SignInService

#: Longer addresses are not kept in a cookie.
_LONGEST_URL = 1_000


def sign_in_blueprint(
    sign_in: SignInService, identity: IdentityService, *, base_url: str, app_origins: Collection[str], page: str
) -> Blueprint:
    """Return each provider's routes below /api/auth; `page` is the path of the page where people sign in.

    Rule: plugin-auth-node 0.7 `createOAuthRouteHandlers`. Beyond it, what a browser is sent to at the end is of an
    origin that settings name; and it is the session that is refreshed, with the provider's word where it gives one.
    """
    blueprint = Blueprint("sign_in", __name__, url_prefix="/api/auth", description="Sign-in with a provider")
    own = browser.own_origins(base_url)
    places = _Places(base_url.rstrip("/"), own, own | frozenset(app_origins), page)
    _add_flow(blueprint, sign_in, identity, places)
    _add_session(blueprint, sign_in, identity, places)

    @blueprint.after_request
    def keep_out_of_caches(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    return blueprint


class _Places:
    """Where answers may go: origins of pages, addresses that a browser is sent to."""

    def __init__(self, base_url: str, own: frozenset[str], allowed: frozenset[str], page: str) -> None:
        self.base_url = base_url
        self.page = f"{base_url}{page}"
        self._own = own
        self._allowed = allowed
        parts = urlsplit(base_url)
        self.origin = f"{parts.scheme}://{parts.netloc}"

    def allowed_origin(self, text: str) -> str:
        """Return the origin of a url. Raises `InputError`, `NotAllowedError` for one that settings do not name."""
        try:
            parts = urlsplit(text)
            origin = f"{parts.scheme}://{parts.netloc.lower()}"
            is_whole = bool(parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
        except ValueError:
            is_whole = False
        # Browsers read a backslash as a slash, and leave line ends out: what they see would be another host.
        if not is_whole or not text.isprintable() or "\\" in text or len(text) > _LONGEST_URL:
            raise InputError("App origin is invalid, failed to parse")
        if origin not in self._allowed:
            raise NotAllowedError(f"Origin '{origin}' is not allowed")
        return origin

    def is_own(self, url: str) -> bool:
        """Return whether a url that is allowed is a page of Portal itself."""
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.lower()}" in self._own


def _add_flow(blueprint: Blueprint, sign_in: SignInService, identity: IdentityService, places: _Places) -> None:
    @blueprint.get("/<provider>/start")
    @blueprint.response(302)
    def start(provider: str) -> ResponseReturnValue:
        """Send the browser to the provider."""
        kept: dict[str, Any] = {"provider": provider}
        if "origin" in request.args:
            kept["origin"] = places.allowed_origin(request.args["origin"])
        if not request.args.get("env"):
            raise InputError("No env provided in request query parameters")
        if request.args.get("flow") == "redirect":
            url = request.args.get("redirectUrl")
            if not url:
                raise InputError("No redirectUrl provided in request query parameters")
            places.allowed_origin(url)
            kept["redirect"] = url
        url, attempt = sign_in.begin(provider, requested_scopes(request.args.get("scope", "")))
        browser.keep_attempt(attempt, kept)
        return redirect(url)

    @blueprint.get("/<provider>/handler/frame")
    @blueprint.response(200)
    def frame(provider: str) -> ResponseReturnValue:
        """Take the provider's answer, and hand it on to who has asked."""
        kept: Mapping[str, Any] = {}
        try:
            found = browser.take_attempt(request.args.get("state", ""), provider=provider)
            if found is None:
                raise NotAllowedError(Sentence("The sign-in was not begun in this browser, or is over; begin it again"))
            attempt, kept = found
            signed_in = sign_in.finish(provider, attempt, request.args, replaced=browser.session_id())
        except PortalError as error:
            audit.told(on=provider, result="refused")
            return _failed(error, kept, places)
        audit.told(actor=signed_in.session.user_ref, on=provider)
        browser.enter(signed_in.session)
        if "redirect" in kept:
            return redirect(kept["redirect"])
        told = {"type": "authorization_response", "response": _response(signed_in, identity)}
        return web_message(told, origin=kept.get("origin", places.origin), shown="You are signed in.")


def _add_session(blueprint: Blueprint, sign_in: SignInService, identity: IdentityService, places: _Places) -> None:
    @blueprint.route("/<provider>/refresh", methods=["GET", "POST"])
    @blueprint.response(200)
    def refresh(provider: str) -> Response:
        """Return a new token of the person whose session it is."""
        _require_page(places)
        try:
            return answer(_response(sign_in.refresh(provider, browser.current_session()), identity))
        except (AuthenticationError, NotAllowedError) as error:
            raise AuthenticationError(f"Refresh failed; caused by {_name(error)}: {error.message}") from error

    @blueprint.post("/<provider>/logout")
    @blueprint.response(200)
    def logout(provider: str) -> Response:
        """End the session; tell where the one at the provider is ended."""
        _require_page(places)
        session = browser.current_session()
        url = None
        if session is not None and session.provider == provider:
            url = sign_in.end(session, return_to=places.page)
            browser.leave()
        # Rule: `createOAuthRouteHandlers`; a client opens no other.
        if url is not None and (urlsplit(url).scheme == "https" or is_loopback(urlsplit(url).hostname)):
            return answer({"logoutUrl": url})
        return Response(status=200)


def _require_page(places: _Places) -> None:
    """Raise unless the request is a script's of an allowed page: no other site's form can send the header."""
    if request.headers.get("x-requested-with") != "XMLHttpRequest":
        raise AuthenticationError("Invalid X-Requested-With header")
    origin = request.headers.get("origin")
    if origin:
        places.allowed_origin(origin)


def _response(found: SignedIn, identity: IdentityService) -> dict[str, Any]:
    """Return who has signed in, with the provider's tokens, as Backstage's clients read it."""
    signed_in = identity.sign_in(found.session.user_ref)
    is_over = found.expires_in_seconds == 0
    return {
        "profile": dict(found.session.profile),
        "providerInfo": {
            "idToken": found.grant.id_token.reveal(),
            # Of a provider that gives no token to refresh with, what it gave at first comes to its end.
            "accessToken": "" if is_over else found.grant.access_token.reveal(),
            "scope": found.grant.scope,
            "expiresInSeconds": signed_in.expires_in_seconds if is_over else found.expires_in_seconds,
        },
        "backstageIdentity": identity_json(signed_in),
    }


def _failed(error: PortalError, kept: Mapping[str, Any], places: _Places) -> ResponseReturnValue:
    """Tell whoever began a sign-in what went wrong: on Portal's own page, at the frontend's, or to its window."""
    url = kept.get("redirect")
    if url is not None and places.is_own(url):
        browser.keep_fault(error.message)
        return redirect(places.page)
    if url is not None:
        parts = urlsplit(url)
        query = urlencode([*parse_qsl(parts.query), ("error", error.message)])
        return redirect(urlunsplit(parts._replace(query=query)))
    told = {"type": "authorization_response", "error": {"name": _name(error), "message": error.message}}
    return web_message(told, origin=kept.get("origin", places.origin), shown=error.message)


def _name(error: PortalError) -> str:
    """Return the name of an error as Backstage's clients know it."""
    return "NotAllowedError" if isinstance(error, NotAllowedError) else type(error).__name__
