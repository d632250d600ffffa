"""The audit over HTTP: every write, every refusal, once; never a secret."""

from __future__ import annotations

import pytest
from catalogs import component, documents, group
from repositories import Repository

from portal.api.audit_actions import ACTIONS
from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.model.audit import AuditQuery
from portal.model.ref import EntityRef

ANN = EntityRef("user:default/ann")
_READING = {"GET", "HEAD", "OPTIONS"}


@pytest.fixture
def portal(tmp_path, database_url):
    """A wired Portal in which Ann is an admin."""
    overrides = {"data": str(tmp_path / "data"), "database": database_url, "admins": ["user:default/ann"]}
    with build(load_settings(environment={}, overrides=overrides)) as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def app(portal):
    return create_app(portal)


@pytest.fixture
def client(app):
    return app.test_client(use_cookies=False)


@pytest.fixture
def ann(portal):
    return {"authorization": f"Bearer {portal.access.identity.tokens.issue(ANN).text}"}


def told(portal, **query):
    found = portal.audit.find(AuditQuery(**query)).records
    return [(item.actor, item.action, item.target, item.result, item.status) for item in reversed(found)]


def test_every_route_that_may_write_says_what_it_is_called(app):
    """Whoever adds a route says in `ACTIONS` what its records are called, or that it only reads."""
    writing = {rule.endpoint for rule in app.url_map.iter_rules() if (rule.methods or set()) - _READING}

    # A provider sends people back with GET.
    assert writing | {"sign_in.frame"} == set(ACTIONS)


def test_what_people_do_is_remembered(portal, client, ann, repo):
    made = repo({"catalog-info.yaml": documents(component("a"), group("team-a"))})
    portal.ingest([("url", made.url)])
    other = {"type": "url", "target": f"{made.url}#main:none.yaml"}

    client.post("/api/catalog/refresh", json={"entityRef": "component:default/a"}, headers=ann)
    location = client.post("/api/catalog/locations", json=other, headers=ann)
    client.post("/api/catalog/locations", json=other, headers=ann)
    client.delete(f"/api/catalog/locations/{location.json['location']['id']}", headers=ann)
    entity = client.get("/api/catalog/entities/by-name/component/default/a").json
    client.delete(f"/api/catalog/entities/by-uid/{entity['metadata']['uid']}", headers=ann)
    client.delete("/api/catalog/entities/by-uid/unknown", headers=ann)

    target = f"url:{other['target']}"
    assert told(portal) == [
        (ANN, "entity.refresh", "component:default/a", "success", 200),
        (ANN, "location.create", target, "success", 201),
        (ANN, "location.create", target, "failed", 409),
        (ANN, "location.delete", target, "success", 204),
        (ANN, "entity.delete", "component:default/a", "success", 204),
        (ANN, "entity.delete", "unknown", "failed", 404),
    ]


def test_signing_in_is_remembered_with_who_did(portal, client):
    client.get("/api/auth/guest/refresh")
    portal.access.identity.allows_guests = False
    client.get("/api/auth/guest/refresh")

    assert told(portal) == [
        ("user:development/guest", "sign-in", "/api/auth/guest/refresh", "success", 200),
        ("nobody", "sign-in", "/api/auth/guest/refresh", "refused", 403),
    ]


def test_tokens_are_remembered_by_their_id_and_so_is_what_they_do(portal, client, ann):
    made = client.post("/api/auth/v1/tokens", json={"scopes": ["tokens:manage"]}, headers=ann).json
    client.delete(f"/api/auth/v1/tokens/{made['id']}", headers={"authorization": f"Bearer {made['token']}"})
    client.delete(f"/api/auth/v1/tokens/{made['id']}", headers={"authorization": f"Bearer {made['token']}"})

    on = f"token {made['id']}"
    assert told(portal, target=made["id"]) == [
        (ANN, "token.create", on, "success", 201),
        (ANN, "token.revoke", on, "success", 204),
        ("nobody", "token.revoke", f"/api/auth/v1/tokens/{made['id']}", "refused", 401),
    ]
    by_token = portal.audit.find(AuditQuery(action="token.revoke", result="success")).records
    assert [item.token_id for item in by_token] == [made["id"]]


def test_refusals_are_remembered_of_reads_too(portal, client):
    client.get("/api/catalog/entities?secret=1", headers={"authorization": "Bearer forged"})
    client.get("/nowhere", headers={"authorization": "Bearer forged"})
    portal.access.identity.allows_guests = False

    assert told(portal) == [
        ("nobody", "read", "/api/catalog/entities", "refused", 401),
        ("nobody", "read", "/nowhere", "refused", 401),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "/api/catalog/entities", None),
        ("get", "/", None),
        ("post", "/api/catalog/entities/by-refs", {"entityRefs": []}),
        ("post", "/api/permission/authorize", {"items": []}),
        ("get", "/nowhere", None),
        ("options", "/api/auth/v1/tokens", None),
        ("options", "/api/catalog/refresh", None),
        ("options", "/api/auth/guest/refresh", None),
    ],
)
def test_what_only_reads_is_not_remembered(portal, client, method, path, body):
    getattr(client, method)(path, **({} if body is None else {"json": body}))

    assert told(portal) == []


def test_a_dry_run_is_no_write_but_saying_so_hides_none(portal, client, ann):
    made = Repository(portal.settings.repositories / "a")
    made.commit({"catalog-info.yaml": documents(component("a"), group("team-a"))})
    tried = client.post("/api/catalog/locations?dryRun=true", json={"type": "url", "target": made.url})
    made_token = client.post("/api/auth/v1/tokens?dryRun=true", json={"scopes": ["catalog:read"]}, headers=ann)

    assert tried.status_code == 201, tried.json
    assert made_token.status_code == 201
    assert [action for _, action, *_ in told(portal)] == ["token.create"]


def test_no_secret_gets_into_a_record(portal, client, ann):
    secret = "hunter2hunter2"
    client.post(
        "/api/catalog/locations", json={"type": "url", "target": f"https://ann:{secret}@127.0.0.1:1/x"}, headers=ann
    )
    client.post(
        "/api/scaffolder/v2/tasks",
        json={"templateRef": "template:default/none", "values": {"a": secret}, "secrets": {"token": secret}},
        headers=ann,
    )
    made = client.post(
        f"/api/auth/v1/tokens?token={secret}", json={"scopes": ["catalog:read"], "description": secret}, headers=ann
    ).json
    client.get(f"/api/catalog/entities?token={secret}", headers={"authorization": f"Bearer {secret}"})

    records = [str(item.to_json()) for item in portal.audit.walk(AuditQuery())]

    assert len(records) == 4
    for hidden in (secret, made["token"], made["token"].rpartition("_")[2], ann["authorization"].split()[1]):
        assert not [item for item in records if hidden in item]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'"x"', b'{"entityRef": 5}', b'{"entityRef": "a\\nb\\u0000c"}', b"\xff", b"x" * 11_000_000],
)
def test_any_body_is_remembered(portal, client, body):
    answer = client.post("/api/catalog/refresh", data=body, content_type="application/json")

    assert answer.status_code >= 400
    ((_, action, target, result, _),) = told(portal)
    assert (action, result) == ("entity.refresh", "failed")
    assert target.isprintable()


def test_the_id_of_a_request_is_that_of_its_record(portal, app, client):
    @app.before_request
    def number():
        from flask import g  # noqa: PLC0415

        g.portal_request_id = "req-7"

    client.get("/api/auth/guest/refresh")

    assert [item.request_id for item in portal.audit.find(AuditQuery()).records] == ["req-7"]


def test_records_are_asked_for_over_http(portal, client, ann):
    for _ in range(3):
        client.get("/api/auth/guest/refresh")
    client.post("/api/auth/v1/tokens", json={"scopes": ["catalog:read"]}, headers=ann)

    first = client.get("/api/audit?action=sign-in&limit=2").json
    second = client.get(f"/api/audit?action=sign-in&limit=2&cursor={first['pageInfo']['nextCursor']}").json
    recent = client.get("/api/audit?since=1h&actor=user:default/ann&on=token&result=success").json

    assert (len(first["items"]), len(second["items"]), second["pageInfo"]) == (2, 1, {})
    assert [item["action"] for item in recent["items"]] == ["token.create"]
    assert client.get("/api/audit?until=1h").json["items"] == []


@pytest.mark.parametrize("query", ["since=soon", "result=odd", "limit=0", "limit=1001", "cursor=x", "other=1"])
def test_what_cannot_be_asked_is_refused(client, query):
    refused = client.get(f"/api/audit?{query}")

    assert (refused.status_code, refused.json["error"]["name"]) == (400, "InputError")


def test_the_audit_is_for_those_who_may_read_it(portal, client, ann):
    tokens = portal.access.api_tokens
    more = {"expires_at_ms": tokens.now_ms + 1_000_000, "created_by": "operator:root"}

    def bearer(scope):
        return {"authorization": f"Bearer {tokens.create_personal(ANN, [scope], **more).text.reveal()}"}

    refused = client.get("/api/audit", headers=bearer("catalog:read"))
    assert (refused.status_code, refused.json["error"]["name"]) == (403, "NotAllowedError")
    assert client.get("/api/audit", headers=bearer("audit:read")).status_code == 200
    assert told(portal)[-1][1:] == ("read", "/api/audit", "refused", 403)


def test_nobody_is_told_to_sign_in_where_the_policy_denies(portal, client):
    service = portal.access.permission
    service._policy = type("Nothing", (), {"decide": lambda self, permissions, *_: ["DENY"] * len(permissions)})()

    assert client.get("/api/audit").status_code == 401
