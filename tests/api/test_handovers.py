from __future__ import annotations

from collections.abc import Iterator

import pytest
from catalogs import component, documents, entity, group
from flask.testing import FlaskClient
from repositories import Repository

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A catalog whose component went from one group to another with its second revision."""
    folder = tmp_path_factory.mktemp("handovers")
    made = Repository(folder / "r")
    people = documents(group("data"), group("watch"), entity("User", "ada", "memberOf: [data]"))
    with build(load_settings(environment={}, overrides={"data": str(folder / "data")})) as portal:
        portal.migrate()
        for owner in ("data", "watch"):
            made.commit({"catalog-info.yaml": documents(people, component("a", owner=owner))})
            portal.ingest([("url", made.url)])
        yield create_app(portal).test_client()


def test_an_entity_and_a_portfolio_are_told_as_they_were(client: FlaskClient) -> None:
    now = client.get("/api/ownership/entity/component/default/a").json
    then = client.get("/api/ownership/entity/component/default/a?at=revision:1").json
    portfolio = client.get("/api/ownership/portfolio/group/default/data?at=revision:1&limit=1").json

    assert (now["owner"]["ref"], then["owner"]["ref"]) == ("group:default/watch", "group:default/data")
    assert [who["ref"] for who in then["people"]] == ["user:default/ada"]
    assert then["at"]["revision"] == portfolio["at"]["revision"] == 1
    assert then["at"]["recordedAt"].endswith("Z")
    assert then["notKnown"][0] == "problems"
    assert set(then) - set(now) == {"at", "notKnown"}
    assert [item["ref"] for item in portfolio["items"]] == ["component:default/a"]


def test_a_time_means_the_revision_of_then(client: FlaskClient) -> None:
    told = client.get("/api/ownership/entity/component/default/a?at=revision:2").json["at"]["recordedAt"]

    assert client.get(f"/api/ownership/entity/component/default/a?at={told}").json["at"]["revision"] == 2


def test_history_tells_periods_and_moves(client: FlaskClient) -> None:
    asset = client.get("/api/ownership/history/component/default/a").json
    owner = client.get("/api/ownership/history/group/default/watch?limit=1").json

    assert [(item["owner"], item["from"]["revision"], item["changed"]) for item in asset["periods"]] == [
        ("group:default/watch", 2, ["owner"]),
        ("group:default/data", 1, []),
    ]
    assert asset["periods"][0]["to"] is None
    assert asset["periods"][1]["to"]["commit"] == asset["periods"][0]["from"]["commit"]
    assert [(item["move"], item["entity"], item["other"]) for item in owner["moves"]] == [
        ("gained", "component:default/a", "group:default/data")
    ]


def test_handovers_tell_what_changed_hands(client: FlaskClient) -> None:
    found = client.get("/api/ownership/handovers?from=revision:1&to=revision:2&owner=data&kind=Component").json

    assert found["counts"] == {"handed-over": 1, "came": 0, "went": 0}
    (item,) = found["items"]
    assert (item["ref"], item["change"], item["before"], item["after"]) == (
        "component:default/a",
        "handed-over",
        "group:default/data",
        "group:default/watch",
    )
    assert item["version"]["revision"] == found["to"]["revision"] == 2
    assert client.get("/api/ownership/handovers?from=revision:1&layer=low").status_code == 404
    assert client.get("/api/ownership/handovers?from=revision:0").json["from"] == {"revision": 0, "recordedAt": None}


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("entity/component/default/a?at=revision:0", 400, "knows nothing of revision 0"),
        ("entity/component/default/a?at=revision:9", 400, "There is no revision 9 yet"),
        ("entity/component/default/a?at=2999-01-01T00:00:00Z", 400, "yet to come"),
        ("entity/component/default/a?at=1999-01-01T00:00:00Z", 400, "its first revision is 1"),
        ("entity/component/default/a?at=yesterday", 400, "is no moment"),
        ("entity/component/default/a?at=", 400, "is no moment"),
        ("entity/component/default/none?at=revision:1", 404, "has never been in the catalog"),
        ("entity/component/default/none%00?at=revision:1", 404, "has never been"),
        ("portfolio/group/default/data?at=x", 400, "is no moment"),
        ("history/component/default/none", 404, "has never been in the catalog"),
        ("history/group/default/none%00", 404, "has never been in the catalog"),
        ("history/component/default/a?limit=0", 400, "limit"),
        ("history/component/default/a?at=revision:1", 400, "at"),
        ("handovers", 400, "from"),
        ("handovers?from=x", 400, "is no moment"),
        ("handovers?from=revision:2&to=revision:1", 400, "revision 2 is later than revision 1"),
        ("handovers?from=revision:1&kind=", 400, "names no kind"),
        ("handovers?from=revision:1&kind=%00", 400, "names no kind"),
        ("handovers?from=revision:1&owner=", 400, "must not be empty"),
        ("handovers?from=revision:1&odd=1", 400, "odd"),
    ],
)
def test_what_cannot_be_answered_says_why(path: str, status: int, message: str, client: FlaskClient) -> None:
    response = client.get(f"/api/ownership/{path}")

    assert response.status_code == status
    assert message in response.json["error"]["message"]
