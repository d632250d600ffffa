from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from repositories import MakeRepository
from worked import worked_repository

from portal.app import Portal
from portal.app.wsgi import create_app


@pytest.fixture
def client(portal: Portal, repo: MakeRepository) -> FlaskClient:
    portal.ingest([("url", worked_repository(repo, now=datetime.now(UTC)).url)])
    return create_app(portal).test_client()


def test_the_drift_of_an_entity_is_told_with_its_people_and_source(client: FlaskClient) -> None:
    answer = client.get("/api/ownership/drift/component/default/b?halfLife=36500").json

    assert answer["status"] == "known"
    assert answer["entity"]["owner"] == "group:default/data"
    assert answer["share"] == pytest.approx(2 / 3, abs=0.01)
    assert [(item["ref"], item["isOwner"], item["groups"]) for item in answer["people"]] == [
        ("user:default/ann", True, ["group:default/data"]),
        (None, False, []),
    ]
    assert answer["suggestion"] is None
    assert answer["source"]["folder"] == "services/b"
    assert answer["codeowners"]["rules"] == [
        {
            "line": 3,
            "pattern": "/services/b/",
            "section": None,
            "owners": [{"name": "@bob-hub", "ref": "user:default/bob"}],
        }
    ]
    assert answer["codeowners"]["agrees"] is False


def test_the_drift_of_all_is_told_in_pages(client: FlaskClient) -> None:
    whole = client.get("/api/ownership/drift").json
    page = client.get("/api/ownership/drift?limit=1&offset=2&halfLife=180").json

    assert whole["total"] == len(whole["items"]) == page["total"] == 3
    assert [item["entity"]["ref"] for item in page["items"]] == [whole["items"][2]["entity"]["ref"]]
    assert (whole["disagreements"], whole["unread"], whole["halfLife"]) == (1, [], 180)
    shared = client.get("/api/ownership/drift?layer=shared&owner=data").json
    assert [item["entity"]["ref"] for item in shared["items"]] == ["component:default/root"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("drift/component/default/gone", 404),
        ("drift/component/default/a%00", 404),
        ("drift/component/default/a?limit=1", 400),
        ("drift/component/default/a?halfLife=0", 400),
        ("drift/component/default/a?halfLife=nan", 400),
        ("drift?halfLife=inf", 400),
        ("drift?halfLife=x", 400),
        ("drift?limit=0", 400),
        ("drift?limit=1001", 400),
        ("drift?offset=-1", 400),
        ("drift?owner=", 400),
        ("drift?owner=group:gone", 404),
        ("drift?owner=a:b:c", 404),
        ("drift?owner=%00", 404),
        ("drift?layer=gone", 400),
        ("drift?layer=", 400),
        ("drift?odd=1", 400),
    ],
)
def test_what_cannot_be_answered_says_why(path: str, status: int, portal: Portal) -> None:
    response = create_app(portal).test_client().get(f"/api/ownership/{path}")

    assert response.status_code == status
    assert response.json["error"]["message"]


def test_a_catalog_without_history_is_answered(portal: Portal, tmp_path: Path) -> None:
    client = create_app(portal).test_client()

    assert client.get("/api/ownership/drift").json["items"] == []
