"""What settings make of sign-in: other urls, frontends of other origins, guests."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from identity_providers import message_of


@pytest.fixture
def database_url(tmp_path):
    """One database: what is stored of these is tried on both elsewhere."""
    return f"sqlite:///{tmp_path / 'portal.db'}"


def test_over_https_the_cookie_is_secure_and_of_this_host_alone(start, visit, provider):
    start([provider.settings()], base_url="https://portal.example.com")
    answer = visit().get("/api/auth/corp/start?env=x", headers={"host": "portal.example.com"})

    header = answer.headers["set-cookie"]
    assert header.startswith("__Host-portal=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(header.split("; "))
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["redirect_uri"] == ["https://portal.example.com/api/auth/corp/handler/frame"]


def test_a_frontend_that_settings_name_is_answered(start, visit, provider):
    app = "http://localhost:3000"
    start([provider.settings()], app_origins=[app])
    ann = visit()
    told = message_of(ann.sign_in("ann", f"env=development&origin={quote(app, safe='')}").text)
    assert told["origin"] == app
    back = ann.sign_in("ann", f"env=x&flow=redirect&redirectUrl={app}/settings?tab=1")
    assert back.headers["location"] == f"{app}/settings?tab=1"
    failed = visit().sign_in("stranger", f"env=x&flow=redirect&redirectUrl={app}/settings?tab=1")
    assert failed.headers["location"].startswith(f"{app}/settings?tab=1&error=You+are+signed+in+with+Corp")


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_pages_of_other_sites_write_nothing_for_guests_either(start, visit, headers):
    start([], guests="true")
    guest = visit()
    body = {"entityRef": "user:default/bob"}

    answer = guest.post("/api/catalog/refresh", json=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        403,
        "A page of another site may not write here",
    )
    own = {"origin": guest.portal_url, "sec-fetch-site": "same-origin"}
    assert guest.post("/api/catalog/refresh", json=body, headers=own).status_code == 200
    assert guest.post("/api/catalog/refresh", json=body).status_code == 200
