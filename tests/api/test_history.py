from __future__ import annotations

import pytest
from catalogs import component, documents
from flask.testing import FlaskClient
from repositories import MakeRepository

from portal.app import Portal
from portal.app.wsgi import create_app

CHANGES = "/api/catalog/changes"
A = "/api/catalog/entities/by-name/component/default/a"
HISTORY = "/api/catalog/entities/by-name/component/default/a/history"


@pytest.fixture
def client(portal: Portal, repo: MakeRepository) -> FlaskClient:
    """A catalog with three revisions: a and b added, a changed while c is added, b removed."""
    made = repo({"catalog-info.yaml": documents(component("a"), component("b"))})
    target = ("url", f"{made.url}#:catalog-info.yaml")
    portal.ingest([target])
    made.commit({"catalog-info.yaml": documents(component("a", owner="team-b"), component("b"), component("c"))})
    portal.refresh.refresh()
    made.commit({"catalog-info.yaml": documents(component("a", owner="team-b"), component("c"))})
    portal.refresh.refresh()
    return create_app(portal).test_client()


def _told(answer: dict) -> list[tuple[int, str, str]]:
    return [
        (item["revision"], item["change"], item["entityRef"])
        for item in answer["items"]
        if not item["entityRef"].startswith("location:")
    ]


def test_changes_since_a_revision_are_told_in_their_order(client: FlaskClient) -> None:
    answer = client.get(f"{CHANGES}?since=1").get_json()

    assert answer["revision"] == 3
    assert sorted(_told(answer)) == [
        (2, "added", "component:default/c"),
        (2, "changed", "component:default/a"),
        (3, "removed", "component:default/b"),
    ]
    assert [item["revision"] for item in answer["items"]] == sorted(item["revision"] for item in answer["items"])
    assert "after" not in answer
    assert client.get(f"{CHANGES}?since=3").get_json() == {"revision": 3, "items": []}


def test_pages_of_changes_hold_all_of_them_once(client: FlaskClient) -> None:
    whole = client.get(CHANGES).get_json()["items"]
    found, after = [], 0
    while after is not None:
        page = client.get(f"{CHANGES}?limit=2&after={after}" if after else f"{CHANGES}?limit=2").get_json()
        found += page["items"]
        after = page.get("after")

    assert found == whole
    assert len(whole) >= 5


def test_a_change_tells_its_commit_and_author(client: FlaskClient) -> None:
    (item, *_) = [item for item in client.get(f"{CHANGES}?since=1").get_json()["items"] if item["change"] == "changed"]

    assert len(item["commit"]) == 40
    assert "@" in item["author"]
    assert item["authoredAt"].endswith("Z")
    assert item["location"].startswith("url:")


def test_the_history_of_an_entity_tells_which_fields_changed(client: FlaskClient) -> None:
    newest, first = client.get(HISTORY).get_json()["items"]

    assert (newest["change"], first["change"]) == ("changed", "added")
    assert newest["differences"] == [{"path": ["spec", "owner"], "before": "team-a", "after": "team-b"}]
    assert first["differences"] == []


def test_the_history_of_an_entity_that_is_gone_ends_with_its_removal(client: FlaskClient) -> None:
    answer = client.get(HISTORY.replace("/a/", "/b/")).get_json()

    assert [item["change"] for item in answer["items"]] == ["removed", "added"]


def test_the_history_comes_in_pages(client: FlaskClient) -> None:
    first = client.get(f"{HISTORY}?limit=1").get_json()
    second = client.get(f"{HISTORY}?limit=1&before={first['before']}").get_json()

    assert [item["change"] for item in (*first["items"], *second["items"])] == ["changed", "added"]
    assert first["items"][0]["differences"]
    assert "before" not in second


def test_an_entity_is_told_as_it_was_at_a_revision_and_at_a_time(client: FlaskClient) -> None:
    (_, first) = client.get(HISTORY).get_json()["items"]
    then = client.get(f"{A}?at=revision:1")

    assert then.status_code == 200
    assert then.get_json()["spec"]["owner"] == "team-a"
    assert client.get(f"{A}?at={first['recordedAt']}").get_json() == then.get_json()
    assert client.get(A, query_string={"at": "revision:2"}).get_json()["spec"]["owner"] == "team-b"
    assert "status" not in client.get(A).get_json()


def test_one_that_was_not_there_is_told_when_it_was(client: FlaskClient) -> None:
    answer = client.get(f"{A[:-1]}b?at=revision:3")

    assert answer.status_code == 404
    message = answer.get_json()["error"]["message"]
    assert "Entity component:default/b was not in the catalog at revision 3; it was there from" in message


def test_a_removal_tells_its_commit_and_author(client: FlaskClient) -> None:
    (removal, added) = client.get(HISTORY.replace("/a/", "/b/")).get_json()["items"]

    assert len(removal["commit"]) == 40
    assert removal["commit"] != added["commit"]
    assert removal["author"] == "Ann Author <ann@example.com>"


def test_what_stands_for_a_source_is_told_with_its_location(client: FlaskClient) -> None:
    (item,) = [item for item in client.get(CHANGES).get_json()["items"] if item["entityRef"].startswith("location:")]

    assert item["location"].startswith("url:")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{A}?at=", 400),
        (f"{A}?at=yesterday", 400),
        (f"{A}?at=2026-01-01T00:00:00", 400),
        (f"{A}?at=revision:4", 400),
        (f"{A}?at=revision:{'9' * 18}", 400),
        (f"{A}?at=9999-12-31T23:59:59Z", 400),
        (f"{A}?at={'9' * 15}", 400),
        (f"{A}?at=revision:0", 404),
        (f"{A}?at=0001-01-01T00:00:00%2B14:00", 404),
        (f"{A}?other=1", 400),
        (f"{A[:-1]}never?at=revision:1", 404),
        (f"{CHANGES}?since={'9' * 18}", 400),
        (f"{CHANGES}?after={'9' * 30}", 400),
        (f"{CHANGES}?since=9", 400),
        (f"{CHANGES}?since=x", 400),
        (f"{CHANGES}?limit=0", 400),
        (f"{CHANGES}?limit=1001", 400),
        (f"{CHANGES}?other=1", 400),
        (HISTORY.replace("/a/", "/never/"), 404),
    ],
)
def test_what_cannot_be_answered_is_refused(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(path)

    assert answer.status_code == status
    assert answer.get_json()["response"] == {"statusCode": status}


def test_there_is_nothing_before_the_first_version(client: FlaskClient) -> None:
    assert client.get(f"{HISTORY}?before=1").json == {"items": []}
