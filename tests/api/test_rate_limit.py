"""Clients that ask too often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents
from flask.testing import FlaskClient
from repositories import Repository

from portal.api.rate_limit import RateLimit, Window
from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.errors import SettingsError
from portal.services.identity import Actor

ENTITY = "/api/catalog/entities/by-name/component/default/a"
SERVICE = {"authorization": "Bearer ci-token-1"}
ACCESS = '[{"type": "static", "options": {"token": "ci-token-1", "subject": "ci"}}]'


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    made = Repository(tmp_path / "repository")
    made.commit({"catalog-info.yaml": documents(component("a"))})
    overrides = {"data": str(tmp_path / "data"), "rate_limit": "5/hour", "proxies": "1", "external_access": ACCESS}
    with build(load_settings(environment={}, overrides=overrides)) as opened:
        opened.migrate()
        opened.ingest([("url", made.url)])
        yield opened


@pytest.fixture
def client(portal: Portal) -> FlaskClient:
    return create_app(portal).test_client(use_cookies=False)


def _from(address: str) -> dict[str, str]:
    return {"x-forwarded-for": address}


@pytest.mark.parametrize("path", [ENTITY, "/api/catalog/entities", "/", "/gone"])
def test_one_who_asks_too_often_is_told_when_to_come_back(client: FlaskClient, path: str) -> None:
    for _ in range(5):
        assert client.get(path, headers=_from("10.0.0.1")).status_code != 429

    refused = client.get(f"{path}?a=b", headers=_from("10.0.0.1") | {"x-request-id": "r"})

    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600
    assert (refused.headers["X-Request-ID"], refused.headers["X-Content-Type-Options"]) == ("r", "nosniff")
    told: Any = refused.json
    assert told["error"]["name"] == "TooManyRequestsError"
    assert "5 requests a hour" in told["error"]["message"]
    assert (told["request"], told["response"]) == ({"method": "GET", "url": f"{path}?a=b"}, {"statusCode": 429})
    assert client.get(path, headers=_from("10.0.0.2")).status_code != 429


def test_probes_and_scrapes_are_always_answered(client: FlaskClient) -> None:
    for _ in range(9):
        assert client.get("/.backstage/health/v1/readiness").status_code == 200
        assert client.get("/metrics").status_code == 200
    for _ in range(9):
        client.get(ENTITY)
    assert 'route="(refused)",status="429"} 4.0' in client.get("/metrics").text


def test_whoever_has_good_credentials_is_counted_by_them_wherever_they_are(client: FlaskClient) -> None:
    # The first time nobody knows yet that they are good.
    statuses = [client.get(ENTITY, headers=SERVICE | _from(f"10.0.1.{n}")).status_code for n in range(8)]
    assert statuses == [200] * 6 + [429] * 2
    assert client.get(ENTITY, headers=_from("10.0.1.1")).status_code == 200


def test_bad_credentials_do_not_make_another_client(client: FlaskClient) -> None:
    statuses = [
        client.get(ENTITY, headers={"authorization": f"Bearer made-up-{n}", "cookie": f"a={n}"}).status_code
        for n in range(7)
    ]
    assert statuses == [401] * 5 + [429] * 2


def test_credentials_that_are_good_no_longer_count_for_the_address_again() -> None:
    limit = RateLimit(lambda *_: [], "1/second")
    asked = {"REMOTE_ADDR": "10.0.0.1", "HTTP_AUTHORIZATION": "Bearer a"}

    limit.knows(asked, Actor("user", "user:default/ann"))
    assert limit.client_of(asked) == "user:user:default/ann"
    limit.forget(asked)
    assert limit.client_of(asked) == "address:10.0.0.1"


@pytest.mark.parametrize(
    ("proxies", "remote", "forwarded", "client"),
    [
        (0, "10.0.0.1", "1.1.1.1", "10.0.0.1"),
        (1, "10.0.0.1", "1.1.1.1", "1.1.1.1"),
        (1, "10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        (2, "10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        (2, "10.0.0.1", "6.6.6.6", "10.0.0.1"),
        (1, "10.0.0.1", "", "unknown"),
        (1, "10.0.0.1", "nonsense", "unknown"),
        (0, "::ffff:10.0.0.1", "", "10.0.0.1"),
        (0, "2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
    ],
)
def test_an_address_is_what_the_outermost_proxy_has_seen(
    proxies: int, remote: str, forwarded: str, client: str
) -> None:
    limit = RateLimit(lambda *_: None, "1/second", proxies=proxies)

    assert limit.client_of({"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": forwarded}) == f"address:{client}"


def test_each_window_of_time_begins_anew() -> None:
    moment = [59.0]
    window = Window("2/minute", clock=lambda: moment[0])

    assert [window.allows("a") for _ in range(3)] == [True, True, False]
    assert window.allows("b")
    assert window.remaining_seconds == 2
    moment[0] = 60.0
    assert window.allows("a")


@pytest.mark.parametrize(
    ("host", "rate", "allowed"),
    [
        ("127.0.0.1", "", None),
        ("localhost", "", None),
        ("::1", "", None),
        ("0.0.0.0", "", "3000/minute"),
        ("127.0.0.1", "10/second", "10/second"),
        ("0.0.0.0", "off", None),
    ],
)
def test_others_than_this_machine_are_limited_unless_settings_say_otherwise(
    host: str, rate: str, allowed: str | None
) -> None:
    settings = load_settings(environment={}, overrides={"host": host, "rate_limit": rate, "guests": False})

    assert settings.requests_allowed == allowed


@pytest.mark.parametrize("rate", ["0/minute", "10", "10/day", "many", "-1/second", "1.5/second"])
def test_a_rate_that_is_none_is_told(rate: str) -> None:
    with pytest.raises(SettingsError, match="3000/minute"):
        load_settings(environment={"PORTAL_RATE_LIMIT": rate})
