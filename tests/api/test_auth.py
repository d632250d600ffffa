"""Sign-in, tokens, cookies over HTTP, as Backstage's clients use them."""

from __future__ import annotations

import pytest
from clocks import Clock
from flask import Flask
from joserfc import jws
from joserfc.jwk import KeySet
from werkzeug.http import parse_cookie

from portal.api.actor import current_actor, register_actor
from portal.api.auth import auth_blueprint, cookie_blueprint
from portal.api.errors import register_error_handlers
from portal.model.access import parse_external_access
from portal.model.ref import EntityRef
from portal.services.identity import IdentityService
from portal.services.tokens import Tokens
from portal.services.vault import Vault
from portal.store.database import Database
from portal.store.tables import metadata

URL = "http://portal.example.com:7007"
CI = {"type": "static", "options": {"token": "ci-token-1", "subject": "ci"}}
CATALOG_ONLY = {
    "type": "static",
    "options": {"token": "catalog-token", "subject": "reader"},
    "accessRestrictions": [{"plugin": "catalog", "permission": "catalog.entity.read"}],
}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(tmp_path, clock):
    """Make a client of a server; `guests` and `url` as the settings have them."""
    opened = []

    def build(*, guests=True, url=URL, guest="user:development/guest"):
        database = Database(f"sqlite:///{tmp_path / 'portal.db'}")
        opened.append(database)
        metadata.create_all(database.engine)
        identity = IdentityService(
            database,
            Tokens(database, Vault(tmp_path / "instance.key"), issuer=f"{url}/api/auth", clock=clock),
            guest=EntityRef(guest),
            allows_guests=guests,
            external=[parse_external_access(CI), parse_external_access(CATALOG_ONLY)],
        )
        app = Flask("test", static_folder=None)
        app.register_blueprint(auth_blueprint(identity, base_url=url))
        app.register_blueprint(cookie_blueprint(identity, base_url=url))

        @app.get("/api/catalog/who")
        @app.get("/api/search/who")
        @app.get("/who")
        def who():
            actor = current_actor()
            return {"type": actor.type, "subject": actor.subject, "user": actor.user_ref}

        register_actor(app, identity)
        register_error_handlers(app)
        return app.test_client(use_cookies=False)

    yield build
    for database in opened:
        database.close()


@pytest.fixture
def client(make):
    return make()


def token_of(client):
    return client.get("/api/auth/guest/refresh").json["backstageIdentity"]["token"]


def bearer(token):
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_guest_signs_in(client, method):
    answer = getattr(client, method)("/api/auth/guest/refresh", headers={"x-requested-with": "XMLHttpRequest"})

    assert answer.status_code == 200
    identity = answer.json["backstageIdentity"]
    token = identity.pop("token")
    assert answer.json["profile"] == {}
    assert identity == {
        "expiresInSeconds": 3600,
        "identity": {
            "type": "user",
            "userEntityRef": "user:development/guest",
            "ownershipEntityRefs": ["user:development/guest"],
        },
    }
    published = KeySet.import_key_set(client.get("/api/auth/.well-known/jwks.json").json)
    assert jws.deserialize_compact(token, published, algorithms=["ES256"]).headers()["typ"] == "vnd.backstage.user"


def test_openid_clients_find_the_routes(client):
    found = client.get("/api/auth/.well-known/openid-configuration").json
    assert found["issuer"] == f"{URL}/api/auth"
    assert found["jwks_uri"] == f"{URL}/api/auth/.well-known/jwks.json"
    assert found["userinfo_endpoint"] == f"{URL}/api/auth/v1/userinfo"
    assert found["claims_supported"] == ["sub", "ent"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_userinfo_tells_what_a_user_owns_by(client, method):
    answer = getattr(client, method)("/api/auth/v1/userinfo", headers=bearer(token_of(client)))
    assert answer.json == {"claims": {"sub": "user:development/guest", "ent": ["user:development/guest"]}}


def test_userinfo_wants_a_users_token(client, clock):
    def ask(**headers):
        answer = client.get("/api/auth/v1/userinfo", headers=headers)
        return answer.status_code, answer.json["error"]

    token = token_of(client)
    assert ask() == (401, {"name": "AuthenticationError", "message": "No token provided"})
    assert ask(authorization="Basic abc")[1]["message"] == "No token provided"
    assert ask(**bearer("nonsense")) == (401, {"name": "AuthenticationError", "message": "Illegal token"})
    assert ask(**bearer("ci-token-1"))[0] == 400
    clock.now += 3600
    assert ask(**bearer(token)) == (
        401,
        {"name": "AuthenticationError", "message": "Failed user token verification"},
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "name", "message"),
    [
        ("get", "/guest/start", 501, "NotImplementedError", "Not implemented"),
        ("get", "/guest/handler/frame", 501, "NotImplementedError", "Not implemented"),
        ("post", "/guest/handler/frame", 501, "NotImplementedError", "Not implemented"),
        ("post", "/guest/logout", 401, "AuthenticationError", "Invalid X-Requested-With header"),
        ("put", "/guest/refresh", 404, "NotFoundError", "Unknown auth provider 'guest'"),
        ("get", "/github/start?scope=a", 404, "NotFoundError", "Unknown auth provider 'github'"),
        ("post", "/v1/token", 404, "NotFoundError", "Unknown auth provider 'v1'"),
        ("get", "/odd", 404, "NotFoundError", "Unknown auth provider 'odd'"),
    ],
)
def test_other_routes_are_answered_as_upstream(client, method, path, status, name, message):
    answer = getattr(client, method)(f"/api/auth{path}")
    assert (answer.status_code, answer.json["error"]) == (status, {"name": name, "message": message})
    assert answer.json["request"] == {"method": method.upper(), "url": f"/api/auth{path}"}


def test_a_guest_signs_out(client):
    answer = client.post("/api/auth/guest/logout", headers={"x-requested-with": "XMLHttpRequest"})
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["set-cookie"].startswith(
        "backstage-auth=; Domain=portal.example.com; Expires=Thu, 01 Jan 1970"
    )


def test_the_request_has_an_actor(client):
    def who(**headers):
        return client.get("/api/catalog/who", headers=headers).json

    assert who() == {"type": "none", "subject": "", "user": None}
    assert who(authorization="Basic abc") == who()
    user = {"type": "user", "subject": "user:development/guest", "user": "user:development/guest"}
    assert who(**bearer(token_of(client))) == user
    assert who(authorization=f"bearer   {token_of(client)}") == user
    assert who(**bearer("ci-token-1")) == {"type": "service", "subject": "ci", "user": None}
    assert client.get("/who", headers=bearer("ci-token-1")).json["subject"] == "ci"


def test_a_token_that_is_not_good_is_refused_everywhere_but_at_sign_in(client, clock):
    token = token_of(client)
    clock.now += 3600
    for text, message in ((token, "Failed user token verification"), ("nonsense", "Illegal token")):
        answer = client.get("/api/catalog/who", headers=bearer(text))
        assert (answer.status_code, answer.json["error"]["message"]) == (401, message)
        assert client.get("/who", headers=bearer(text)).status_code == 401
        assert client.get("/api/auth/guest/refresh", headers=bearer(text)).status_code == 200


def test_a_restricted_token_opens_its_plugins_alone(client):
    assert client.get("/api/catalog/who", headers=bearer("catalog-token")).json["subject"] == "reader"
    for path in ("/api/search/who", "/who"):
        answer = client.get(path, headers=bearer("catalog-token"))
        assert answer.status_code == 403
    assert client.get("/api/search/who", headers=bearer("catalog-token")).json["error"] == {
        "name": "NotAllowedError",
        "message": "This token's access is restricted to plugin(s) 'catalog'",
    }


def test_without_guests_everybody_needs_a_token(make):
    token = token_of(make())
    client = make(guests=False)

    answer = client.get("/api/catalog/who")
    assert (answer.status_code, answer.json["error"]["message"]) == (401, "Missing credentials")
    assert client.get("/who").status_code == 401
    assert client.get("/api/catalog/who", headers=bearer(token)).json["type"] == "user"
    assert client.get("/api/auth/guest/refresh").status_code == 403
    assert client.get("/api/auth/.well-known/jwks.json").status_code == 200


@pytest.mark.parametrize(
    ("url", "secure"),
    [(URL, False), ("https://portal.example.com", True), ("http://localhost:7007", True), ("http://[::1]:7007", False)],
)
def test_a_user_gets_the_cookie_that_proves_who_they_are(make, clock, url, secure):
    client = make(url=url)
    token = token_of(client)
    for plugin in ("auth", "catalog", "permission", "scaffolder", "search"):
        answer = client.get(f"/api/{plugin}/.backstage/auth/v1/cookie", headers=bearer(token))
        assert answer.json == {"expiresAt": "2027-01-15T09:00:00.000Z"}
    header = answer.headers["set-cookie"]
    parts = header.split("; ")
    assert ("Secure" in parts, f"SameSite={'None' if secure else 'Lax'}" in parts) == (secure, True)
    assert {"HttpOnly", "Path=/", "Priority=High", "Expires=Fri, 15 Jan 2027 09:00:00 GMT"} <= set(parts)
    limited = parse_cookie(parts[0])["backstage-auth"]

    # It says who the user is, and is no key to anything else.
    assert client.get("/api/auth/v1/userinfo", headers=bearer(limited)).status_code == 200
    refused = client.get("/api/catalog/who", headers=bearer(limited))
    assert (refused.status_code, refused.json["error"]["message"]) == (401, "Illegal limited user token")
    again = client.get("/api/catalog/.backstage/auth/v1/cookie", headers=bearer(token) | {"cookie": parts[0]})
    assert again.json == {"expiresAt": "2027-01-15T09:00:00.000Z"}


def test_a_cookie_that_is_not_good_is_replaced(client):
    token = token_of(client)
    for held in ("backstage-auth=nonsense", "backstage-auth=a.b.c", "other=1"):
        answer = client.get("/api/catalog/.backstage/auth/v1/cookie", headers=bearer(token) | {"cookie": held})
        assert answer.status_code == 200
        assert "backstage-auth=" in answer.headers["set-cookie"]


def test_a_cookie_of_another_user_is_replaced(make):
    path = "/api/catalog/.backstage/auth/v1/cookie"
    ann, bob = make(guest="user:default/ann"), make(guest="user:default/bob")
    held = ann.get(path, headers=bearer(token_of(ann))).headers["set-cookie"].split(";")[0]

    own = ann.get(path, headers=bearer(token_of(ann)) | {"cookie": held})
    assert "set-cookie" not in own.headers
    others = bob.get(path, headers=bearer(token_of(bob)) | {"cookie": held})
    assert others.headers["set-cookie"].split(";")[0] not in {held, "backstage-auth="}


def test_a_cookie_that_ends_soon_is_made_anew(client, clock):
    path = "/api/catalog/.backstage/auth/v1/cookie"
    held = client.get(path, headers=bearer(token_of(client))).headers["set-cookie"].split(";")[0]
    clock.now += 3400
    answer = client.get(path, headers=bearer(token_of(client)) | {"cookie": held})
    assert answer.json == {"expiresAt": "2027-01-15T09:56:40.000Z"}
    assert "set-cookie" in answer.headers


def test_the_cookie_is_for_users(client):
    path = "/api/catalog/.backstage/auth/v1/cookie"
    assert client.get(path).json["error"] == {"name": "AuthenticationError", "message": "Missing credentials"}
    assert client.get(path, headers=bearer("ci-token-1")).json["error"] == {
        "name": "NotAllowedError",
        "message": "This endpoint does not allow 'service' credentials",
    }
    ended = client.delete(path)
    assert ended.status_code == 204
    assert "Expires=Thu, 01 Jan 1970" in ended.headers["set-cookie"]
