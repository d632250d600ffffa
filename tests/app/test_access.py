"""Who asks, over servers as they are wired from settings."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings

ORGANISATION = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: guest, namespace: development}
spec: {memberOf: [default/team]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: team}
spec: {type: team, parent: company, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: company}
spec: {type: company, children: []}
"""


@pytest.fixture
def serve(tmp_path, database_url):
    """Wire a server; all share the database and its data folder, as servers side by side do."""
    with ExitStack() as opened:

        def start(**settings):
            overrides = {"data": str(tmp_path / "data"), "database": database_url} | settings
            portal = opened.enter_context(build(load_settings(environment={}, overrides=overrides)))
            portal.migrate()
            return portal, create_app(portal).test_client(use_cookies=False)

        yield start


def sign_in(client):
    return client.get("/api/auth/guest/refresh").json["backstageIdentity"]


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def test_servers_side_by_side_believe_each_others_tokens(serve):
    (_, one), (_, two) = serve(), serve(port=7008)
    tokens = [sign_in(client)["token"] for client in (one, two)]

    assert one.get("/api/auth/.well-known/jwks.json").json == two.get("/api/auth/.well-known/jwks.json").json
    for client in (one, two):
        for token in tokens:
            assert client.get("/api/catalog/entities", headers=bearer(token)).status_code == 200
            assert client.get("/api/auth/v1/userinfo", headers=bearer(token)).status_code == 200


def test_a_guest_who_is_in_the_catalog_owns_by_their_groups(serve, tmp_path):
    portal, client = serve()
    folder = tmp_path / "organisation"
    folder.mkdir()
    assert sign_in(client)["identity"]["ownershipEntityRefs"] == ["user:development/guest"]
    (folder / "catalog-info.yaml").write_text(ORGANISATION)
    portal.ingest([("file", str(folder))])

    found = sign_in(client)
    owned_by = ["user:development/guest", "group:default/company", "group:default/team"]
    assert found["identity"]["ownershipEntityRefs"] == owned_by
    assert client.get("/api/auth/v1/userinfo", headers=bearer(found["token"])).json["claims"]["ent"] == owned_by


def test_without_guests_nothing_is_answered_but_sign_in_and_health(serve):
    _, client = serve(
        guests="false",
        external_access='[{"type": "static", "options": {"token": "ci-token-1", "subject": "ci"}}]',
    )

    for path in ("/", "/api/catalog/entities", "/api/openapi.json", "/api/permission/authorize", "/api/odd"):
        assert client.get(path).status_code == 401
    assert client.get("/api/catalog/entities", headers=bearer("ci-token-1")).status_code == 200
    for path in ("/.backstage/health/v1/liveness", "/.backstage/health/v1/readiness?probe=1", "/api/permission/health"):
        assert client.get(path).status_code == 200
    refused = client.get("/api/auth/guest/refresh")
    assert (refused.status_code, refused.json["error"]["name"]) == (403, "NotAllowedError")
    assert client.get("/api/auth/.well-known/jwks.json").json == {"keys": []}
