"""What the stock front end keeps of its users: stars, themes; and the box of notifications, which is empty."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

import orjson
import pytest
from flask.testing import FlaskClient

from portal.app import Portal
from portal.app.wsgi import create_app
from portal.model.audit import AuditQuery
from portal.model.ref import EntityRef
from portal.services import user_settings
from portal.services.user_settings import UserSettings

Headers = Callable[[str], dict[str, str]]
BASE = "/api/user-settings"
STARS = f"{BASE}/buckets/default.settings/keys/starredEntities"
ANN = EntityRef("user:default/ann")


@pytest.fixture
def client(portal: Portal) -> FlaskClient:
    return create_app(portal).test_client(use_cookies=False)


@pytest.fixture
def signed_in(portal: Portal) -> Headers:
    """The headers of a person who has signed in."""
    return lambda name: {
        "authorization": f"Bearer {portal.access.identity.tokens.issue(EntityRef(f'user:default/{name}')).text}"
    }


def _many(client: FlaskClient, headers: dict[str, str], *places: tuple[str, str]) -> object:
    items = [{"bucket": bucket, "key": key} for bucket, key in places]
    return client.post(f"{BASE}/multiget", json={"items": items}, headers=headers).json["items"]


def test_who_has_set_what_is_recorded_but_not_to_what(portal: Portal, client: FlaskClient, signed_in: Headers) -> None:
    client.put(STARS, json={"value": ["component:default/zanzibar"]}, headers=signed_in("ann"))
    client.delete(STARS, headers=signed_in("ann"))
    client.put(STARS, json={"value": 1})

    records = portal.audit.find(AuditQuery()).records
    told = {(record.action, record.target, record.result) for record in records}
    on = "default.settings/starredEntities"
    assert told >= {("setting.put", on, "success"), ("setting.remove", on, "success")}
    assert any(record.action == "setting.put" and record.result == "refused" for record in records)
    assert "zanzibar" not in repr(records)


def test_a_user_finds_what_they_have_set_and_nobody_else_does(client: FlaskClient, signed_in: Headers) -> None:
    ann, bob = signed_in("ann"), signed_in("bob")
    stars = ["component:default/a", "api:default/ü"]

    made = client.put(STARS, json={"value": ["first"]}, headers=ann)
    again = client.put(STARS, json={"value": stars}, headers=ann)

    assert (made.status_code, again.status_code) == (200, 200)
    assert again.json == {"bucket": "default.settings", "key": "starredEntities", "value": stars}
    assert client.get(STARS, headers=ann).json == again.json
    wanted = [("default.settings", "starredEntities"), ("default.settings", "gone"), ("default", "starredEntities")]
    assert _many(client, ann, *wanted) == [{"value": stars}, None, None]
    assert _many(client, bob, *wanted) == [None, None, None]
    assert client.get(STARS, headers=bob).status_code == 404

    assert client.delete(STARS, headers=bob).status_code == 204
    assert _many(client, ann, wanted[0]) == [{"value": stars}]
    assert client.delete(STARS, headers=ann).status_code == 204
    assert client.get(STARS, headers=ann).json["error"]["message"] == (
        "Unable to find 'starredEntities' in bucket 'default.settings'"
    )


def test_any_json_is_a_value_and_a_key_may_have_slashes(client: FlaskClient, signed_in: Headers) -> None:
    path = f"{BASE}/buckets/a%20b/keys/x/y%2Fz"
    for value in (None, False, 0, "", {"deep": [1, {"er": None}]}):
        assert client.put(path, json={"value": value}, headers=signed_in("ann")).status_code == 200
        assert client.get(path, headers=signed_in("ann")).json == {"bucket": "a b", "key": "x/y/z", "value": value}


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("PUT", STARS, {}, 'Missing required field "value"'),
        ("PUT", STARS, {"value": "x" * user_settings.MOST_BYTES}, "at most"),
        ("PUT", f"{STARS}{'x' * 255}", {"value": 1}, "1 to 255 characters"),
        ("PUT", f"{STARS}%00", {"value": 1}, "without NUL"),
        ("POST", f"{BASE}/multiget", {}, "items"),
        ("POST", f"{BASE}/multiget", {"items": [{"bucket": "a"}]}, "'key'"),
        ("POST", f"{BASE}/multiget", {"items": [{"bucket": "a", "key": 1}]}, "key"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    client: FlaskClient, signed_in: Headers, method: str, path: str, body: object, said: str
) -> None:
    answer = client.open(path, method=method, json=body, headers=signed_in("ann"))

    assert (answer.status_code, said in answer.json["error"]["message"]) == (400, True), answer.json


def test_a_user_has_so_many_settings_and_may_still_change_those(portal: Portal) -> None:
    settings = UserSettings(portal.database)
    for number in range(user_settings.MOST_SETTINGS):
        settings.put(ANN, ("bucket", str(number)), number)

    with pytest.raises(user_settings.ConflictError):
        settings.put(ANN, ("bucket", "more"), 1)
    settings.put(ANN, ("bucket", "0"), "changed")
    settings.put(EntityRef("user:default/bob"), ("bucket", "more"), 1)

    assert settings.value(ANN, ("bucket", "0")) == "changed"


def test_tabs_that_set_the_same_at_once_do_not_fail(portal: Portal) -> None:
    settings = UserSettings(portal.database)
    faults: list[Exception] = []

    def put(value: int) -> None:
        try:
            settings.put(ANN, ("bucket", "key"), value)
        except Exception as error:  # noqa: BLE001  # told below
            faults.append(error)

    threads = [Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert settings.value(ANN, ("bucket", "key")) in range(8)


def test_the_box_of_notifications_is_there_and_empty(client: FlaskClient, signed_in: Headers) -> None:
    found = {
        name: client.get(f"/api/notifications/{name}?limit=5&read=false", headers=signed_in("ann"))
        for name in ("status", "notifications", "topics", "settings")
    }

    assert {name: answer.status_code for name, answer in found.items()} == dict.fromkeys(found, 200)
    assert orjson.loads(found["status"].data) == {"unread": 0, "read": 0}
    assert orjson.loads(found["notifications"].data) == {"totalCount": 0, "notifications": []}
    assert client.get("/api/notifications/status").status_code == 401
