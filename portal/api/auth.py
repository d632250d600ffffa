"""Sign-in, tokens, cookies, as Backstage's clients speak it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from flask import Response, request
from flask.sansio.blueprints import BlueprintSetupState
from flask_smorest import Blueprint
from werkzeug.http import dump_cookie

from portal.api.actor import COOKIE, bearer_token, read_actor
from portal.api.answers import answer
from portal.api.audit import told
from portal.errors import AuthenticationError, NotFoundError, UnsupportedError
from portal.services.identity import Actor, IdentityService, SignIn

if TYPE_CHECKING:
    from portal.services.tokens import UserToken

#: The plugins whose routes take the cookie's.
COOKIE_PLUGINS = ("auth", "catalog", "permission", "scaffolder", "search")
#: A cookie that ends sooner is made anew. Rule: backend-defaults 0.18 `willExpireSoon`.
_SOON_SECONDS = 300
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def auth_blueprint(identity: IdentityService, *, base_url: str) -> Blueprint:
    """Return the routes below /api/auth; `base_url` is what people reach Portal at."""
    blueprint = Blueprint("auth", __name__, url_prefix="/api/auth", description="Who people are")
    _add_guest_routes(blueprint, identity, base_url)
    _add_token_routes(blueprint, identity, f"{base_url.rstrip('/')}/api/auth")

    # Not described: it stands for all that is no route.
    blueprint.record_once(_add_unknown)
    return blueprint


def cookie_blueprint(identity: IdentityService, *, base_url: str) -> Blueprint:
    """Return each plugin's routes of the cookie that stands for a user where no header can be sent."""
    blueprint = Blueprint("cookie", __name__, url_prefix="/api", description="The cookie of pages")
    for plugin in COOKIE_PLUGINS:
        _add_cookie_routes(blueprint, identity, plugin=plugin, base_url=base_url)
    return blueprint


def identity_json(found: SignIn) -> dict[str, Any]:
    """Return who has signed in, as Backstage's clients read it."""
    return {
        "token": found.token.text,
        "identity": {
            "type": "user",
            "userEntityRef": found.token.user_ref,
            "ownershipEntityRefs": list(found.claims),
        },
        "expiresInSeconds": found.expires_in_seconds,
    }


def _add_unknown(state: BlueprintSetupState) -> None:
    def unknown(provider: str, **_: str) -> NoReturn:
        raise NotFoundError(f"Unknown auth provider '{provider}'")

    for path in ("/api/auth/<provider>", "/api/auth/<provider>/<path:rest>"):
        state.app.add_url_rule(path, "auth_unknown", unknown, methods=_METHODS)


def _add_guest_routes(blueprint: Blueprint, identity: IdentityService, base_url: str) -> None:
    @blueprint.route("/guest/refresh", methods=["GET", "POST"])
    @blueprint.response(200)
    def refresh() -> Response:
        """Sign a guest in. Rule: auth-backend-module-guest-provider 0.2, which asks for no header."""
        found = identity.sign_in_guest()
        told(actor=found.token.user_ref)
        return answer({"profile": {}, "backstageIdentity": identity_json(found)})

    @blueprint.get("/guest/start")
    @blueprint.response(501)
    def start() -> NoReturn:
        """Say that guests need no window to sign in."""
        raise UnsupportedError("Not implemented")

    @blueprint.route("/guest/handler/frame", methods=["GET", "POST"])
    @blueprint.response(501)
    def frame() -> NoReturn:
        """Say that guests need no window to sign in."""
        raise UnsupportedError("Not implemented")

    @blueprint.post("/guest/logout")
    @blueprint.response(200)
    def logout() -> Response:
        """End the cookie. The header shows that no other site's form sent it, as upstream's OAuth providers ask."""
        if request.headers.get("x-requested-with") != "XMLHttpRequest":
            raise AuthenticationError("Invalid X-Requested-With header")
        response = Response(status=200)
        response.headers.add("set-cookie", _cookie("", base_url, expires_at=0))
        return response


def _add_token_routes(blueprint: Blueprint, identity: IdentityService, issuer: str) -> None:
    @blueprint.get("/.well-known/jwks.json")
    @blueprint.response(200)
    def jwks() -> Response:
        """Return the public keys that tokens are signed with."""
        return answer({"keys": identity.tokens.public_keys()})

    @blueprint.get("/.well-known/openid-configuration")
    @blueprint.response(200)
    def openid_configuration() -> Response:
        """Return what OpenID clients ask for first."""
        return answer(_openid_configuration(issuer))

    @blueprint.route("/v1/userinfo", methods=["GET", "POST"])
    @blueprint.response(200)
    def userinfo() -> Response:
        """Return who the user of a token is, with what they own by."""
        token = bearer_token()
        if token is None:
            raise AuthenticationError("No token provided")
        return answer(identity.user_info(token))


def _add_cookie_routes(blueprint: Blueprint, identity: IdentityService, *, plugin: str, base_url: str) -> None:
    path = f"/{plugin}/.backstage/auth/v1/cookie"

    @blueprint.get(path, endpoint=f"{plugin}_set")
    @blueprint.response(200)
    def set_cookie() -> Response:
        """Give a user's browser the cookie, or tell until when it has it."""
        actor = read_actor(identity, plugin=plugin)
        actor.require("user")
        if actor.token is None:
            raise AuthenticationError("User credentials is unexpectedly missing token")
        held = _held(identity, actor)
        if held is not None:
            return answer({"expiresAt": _iso(held.expires_at)})
        token = identity.tokens.limited(actor.token)
        response = answer({"expiresAt": _iso(token.expires_at)})
        response.headers.add("set-cookie", _cookie(token.text, base_url, expires_at=token.expires_at))
        return response

    @blueprint.delete(path, endpoint=f"{plugin}_end")
    @blueprint.response(204)
    def end_cookie() -> Response:
        """End the cookie."""
        response = Response(status=204)
        response.headers.add("set-cookie", _cookie("", base_url, expires_at=0))
        return response


def _held(identity: IdentityService, actor: Actor) -> UserToken | None:
    """Return the token of the cookie that the browser has, None where it is another user's or ends soon.

    Upstream keeps the cookie of another user too, whose pages the browser would go on to show.
    """
    text = request.cookies.get(COOKIE)
    if not text:
        return None
    try:
        token = identity.tokens.verify(text)
    except AuthenticationError:
        return None
    if token is None or token.user_ref != actor.user_ref:
        return None
    return token if identity.tokens.seconds_left(token) > _SOON_SECONDS else None


def _cookie(text: str, base_url: str, *, expires_at: int) -> str:
    """Return the header that sets the cookie. Rule: backend-defaults 0.18 `issueUserCookie`."""
    parts = urlsplit(base_url)
    secure = parts.scheme == "https" or parts.hostname == "localhost"
    header = dump_cookie(
        COOKIE,
        text,
        expires=expires_at,
        # Not an address in brackets, which no cookie can name: the browser takes the host that answers.
        domain=None if ":" in (parts.hostname or ":") else parts.hostname,
        secure=secure,
        httponly=True,
        samesite="None" if secure else "Lax",
    )
    return f"{header}; Priority=High"


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _openid_configuration(issuer: str) -> dict[str, object]:
    """Return what auth-backend 0.30 `OidcService.getConfiguration` does, where no clients can register."""
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/v1/token",
        "userinfo_endpoint": f"{issuer}/v1/userinfo",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "response_types_supported": ["code", "id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [
            *("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")
        ],
        "scopes_supported": ["openid"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "claims_supported": ["sub", "ent"],
        "grant_types_supported": ["authorization_code"],
        "authorization_endpoint": f"{issuer}/v1/authorize",
        "code_challenge_methods_supported": ["S256", "plain"],
    }
