"""API tokens over HTTP: people look after their own; no token does more than it was made for."""

from __future__ import annotations

import base64
import hashlib
import hmac

import orjson
import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from portal.app.wsgi import create_app
from portal.model.ref import EntityRef

TOKENS = "/api/auth/v1/tokens"
ANN = EntityRef("user:default/ann")


@pytest.fixture
def client(portal):
    return create_app(portal).test_client(use_cookies=False)


def bearer(token):
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def signed_in(portal):
    """The headers of a person who has signed in."""

    def headers(user=ANN):
        return bearer(portal.access.identity.tokens.issue(user).text)

    return headers


def make(portal, scopes, user=ANN, **more):
    tokens = portal.access.api_tokens
    more = {"expires_at_ms": tokens.now_ms + 1_000_000, "created_by": "operator:root"} | more
    if user is None:
        return tokens.create_service("ci", scopes, **more).text.reveal()
    return tokens.create_personal(user, scopes, **more).text.reveal()


def test_people_make_list_and_revoke_their_own_tokens(client, signed_in):
    made = client.post(
        TOKENS, json={"scopes": ["catalog:read"], "expires": "7d", "description": "export"}, headers=signed_in()
    )
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    text = made.json.pop("token")
    use = client.get("/api/auth/v1/userinfo", headers=bearer(text))
    assert use.json["claims"]["sub"] == ANN

    listed = client.get(TOKENS, headers=signed_in()).json["items"]

    (only,) = listed
    assert only["lastUsedAt"] is not None
    shown = {name: value for name, value in made.json.items() if name != "token"}
    assert only | {"lastUsedAt": None} == shown
    assert text not in str(listed)
    assert client.get(TOKENS, headers=signed_in(EntityRef("user:default/bob"))).json["items"] == []
    gone = client.delete(f"{TOKENS}/{only['id']}", headers=signed_in(EntityRef("user:default/bob")))
    assert gone.status_code == 404
    assert client.delete(f"{TOKENS}/{only['id']}", headers=signed_in()).status_code == 204
    refused = client.get("/api/catalog/entities", headers=bearer(text))
    assert (refused.status_code, refused.json["error"]["name"]) == (401, "AuthenticationError")
    assert refused.json["error"]["message"] == f"The token {only['id']} was revoked"


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_nobody_and_programs_have_no_tokens_of_their_own(portal, client, method):
    path = TOKENS if method != "delete" else f"{TOKENS}/0000000000000000"
    body = {"json": {"scopes": ["catalog:read"]}} if method == "post" else {}

    assert getattr(client, method)(path, **body).status_code == 401
    service = bearer(make(portal, ["tokens:manage", "catalog:read"], user=None))
    assert getattr(client, method)(path, headers=service, **body).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["portal.token.create"]},
        {"scopes": "catalog:read"},
        {"scopes": ["catalog:read"], "expires": "never"},
        {"scopes": ["catalog:read"], "expires": "400d"},
        {"scopes": ["catalog:read"], "expires": "2020-01-01"},
        {"scopes": ["catalog:read"], "owner": "user:default/bob"},
        {"scopes": ["catalog:read"], "description": "a\nb"},
        {"scopes": ["catalog:read"], "description": "x\0"},
    ],
)
def test_what_no_token_can_be_made_of_is_refused(client, signed_in, body):
    refused = client.post(TOKENS, json=body, headers=signed_in())

    assert (refused.status_code, refused.json["error"]["name"]) == (400, "InputError")


def test_a_token_makes_no_other_and_no_cookie(portal, client):
    everything = bearer(make(portal, ["catalog:read", "catalog:write", "templates:run", "tokens:manage"]))

    refused = client.post(TOKENS, json={"scopes": ["catalog:read"]}, headers=everything)
    cookie = client.get("/api/catalog/.backstage/auth/v1/cookie", headers=everything)

    assert refused.status_code == 403
    assert refused.json["error"]["message"] == (
        "user:default/ann may not use portal.token.create: the token was not made for it"
    )
    assert cookie.status_code == 401
    assert "set-cookie" not in cookie.headers


def test_a_token_looks_after_others_only_where_its_scope_says_so(portal, client):
    reader, keeper = (bearer(make(portal, [scope])) for scope in ("catalog:read", "tokens:manage"))
    (one, two) = (item.id for item in portal.access.api_tokens.tokens())

    assert client.get(TOKENS, headers=reader).status_code == 403
    assert client.delete(f"{TOKENS}/{one}", headers=reader).status_code == 403
    assert {item["id"] for item in client.get(TOKENS, headers=keeper).json["items"]} == {one, two}
    assert client.delete(f"{TOKENS}/{one}", headers=keeper).status_code == 204


def asked(name, resource_type=None, ref=None):
    kind = {"type": "basic"} if resource_type is None else {"type": "resource", "resourceType": resource_type}
    question = {"id": name, "permission": kind | {"name": name, "attributes": {}}}
    return question | ({} if ref is None else {"resourceRef": ref})


def test_a_token_escapes_its_scope_in_no_permission(portal, client):
    reader = bearer(make(portal, ["catalog:read"]))
    names = ["catalog.location.read", "catalog.location.create", "portal.audit.read", "portal.token.create", "made.up"]

    found = client.post("/api/permission/authorize", json={"items": [asked(name) for name in names]}, headers=reader)

    assert [item["result"] for item in found.json["items"]] == ["ALLOW", "DENY", "DENY", "DENY", "DENY"]


def test_scopes_are_no_rights(portal, client):
    """What the policy denies to the owner it denies to the owner's token."""
    service = portal.access.permission
    service._policy = type("Nothing", (), {"decide": lambda self, permissions, *_: ["DENY"] * len(permissions)})()

    token = bearer(make(portal, ["catalog:read"]))
    found = client.post("/api/permission/authorize", json={"items": [asked("catalog.location.read")]}, headers=token)

    assert found.json["items"][0]["result"] == "DENY"


def test_tokens_of_the_guest_end_where_guests_are_not_allowed(portal, client):
    guest = make(portal, ["catalog:read"], user=portal.settings.guest)
    assert client.get("/api/catalog/entities", headers=bearer(guest)).status_code == 200

    portal.access.identity.allows_guests = False

    assert client.get("/api/catalog/entities", headers=bearer(guest)).status_code == 401


def part(value):
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


def unpacked(text):
    return orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _attacks(portal):
    """Return tokens that are no good, by what is wrong with each."""
    tokens = portal.access.identity.tokens
    good = tokens.issue(ANN).text
    header, claims, signature = good.split(".")
    told, head = unpacked(claims), unpacked(header)
    signer = tokens._current_signer()
    public = ECKey.import_key(tokens.public_keys()[0])
    theirs = ECKey.generate_key("P-256", private=True)

    def signed(changes, key=signer.key, **more):
        body = {name: value for name, value in (told | changes).items() if value is not None}
        return jws.serialize_compact(head | more, orjson.dumps(body), key, algorithms=["ES256"])

    hashed = f"{part(head | {'alg': 'HS256'})}.{claims}"
    digest = hmac.new(public.as_pem(private=False), hashed.encode(), hashlib.sha256).digest()
    api = make(portal, ["catalog:read"])
    return {
        "forged": signed({"sub": "user:default/admin"}, key=theirs),
        "payload exchanged": f"{header}.{part(told | {'sub': 'user:default/admin'})}.{signature}",
        "expired": signed({"exp": 1, "iat": 0}),
        "without an end": signed({"exp": None}),
        "none algorithm": f"{part(head | {'alg': 'none'})}.{claims}.",
        "NONE algorithm": f"{part(head | {'alg': 'NONE'})}.{claims}.",
        "public key as secret": f"{hashed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}",
        "wrong audience": signed({"aud": "elsewhere"}),
        "no audience": signed({"aud": None}),
        "audiences": signed({"aud": ["backstage", "elsewhere"]}),
        "wrong type": signed({}, typ="JWT"),
        "key brought along": jws.serialize_compact(
            head | {"kid": "x", "jwk": theirs.as_dict(private=False)}, orjson.dumps(told), theirs, algorithms=["ES256"]
        ),
        "truncated": good[:-1],
        "without signature": f"{header}.{claims}",
        "of no text": signed({"sub": 5}),
        "api token truncated": api[:-1],
        "api token with another id": "portal_" + "0" * 16 + api[23:],
        "api token in other case": api.swapcase(),
        "id alone": api[:24],
        "a wildcard": "portal_%",
        "an injection": "portal_'or'1'='1",
    }


@pytest.mark.parametrize("path", ["/api/catalog/entities", TOKENS, "/api/auth/v1/userinfo", "/api/scaffolder/v2/tasks"])
def test_tokens_that_are_no_good_are_refused_everywhere(portal, client, path):
    for what, token in _attacks(portal).items():
        refused = client.get(path, headers=bearer(token))
        assert (refused.status_code, refused.json["error"]["name"]) == (401, "AuthenticationError"), what
        # Not even in the answer to whoever sent it: error bodies end up in logs.
        assert token not in refused.get_data(as_text=True), what


def test_an_expired_api_token_is_refused(portal, client):
    tokens = portal.access.api_tokens
    token = make(portal, ["catalog:read"])
    assert client.get("/api/catalog/entities", headers=bearer(token)).status_code == 200

    tokens._clock = lambda: 4_000_000_000.0

    refused = client.get("/api/catalog/entities", headers=bearer(token))
    assert refused.status_code == 401
    assert refused.json["error"]["message"].endswith("has expired")
