"""Search over HTTP, as the front end asks."""

from typing import Any

import pytest
from catalogs import component, documents, group
from flask.testing import FlaskClient
from repositories import MakeRepository

from portal.app import Portal
from portal.app.wsgi import create_app

MODEL = """apiVersion: portal/v1alpha1
kind: Model
metadata:
  name: fraud-detection
  title: Fraud detection
  description: Finds fraudulent payments
  tags: [tabular]
spec: {type: classifier, lifecycle: production, owner: team-a}
"""
USER = """apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ann}
spec: {profile: {displayName: Ann Author, email: ann@example.com}, memberOf: [team-a]}
"""


@pytest.fixture
def client(portal: Portal, repo: MakeRepository) -> FlaskClient:
    """A client of the portal with some entities in it."""
    texts = [MODEL, USER, group("team-a"), *(component(f"payments-{number}") for number in range(3))]
    portal.ingest([("url", repo({"catalog-info.yaml": documents(*texts)}).url)])
    return create_app(portal).test_client()


def _search(client: FlaskClient, query: str) -> Any:
    response = client.get(f"/api/search/query?{query}")
    assert response.status_code == 200, response.json
    return response.json


def _titles(client: FlaskClient, query: str) -> list[str]:
    return [result["document"]["title"] for result in _search(client, query)["results"]]


def test_a_result_is_what_the_front_end_shows(client: FlaskClient) -> None:
    found = _search(client, "term=fraud&types[0]=software-catalog&pageLimit=10")

    (result,) = found["results"]
    mark = result["highlight"]
    assert mark["postTag"] == mark["preTag"].replace("<", "</")
    assert found == {
        "numberOfResults": 1,
        "results": [
            {
                "type": "software-catalog",
                "rank": 1,
                "document": {
                    "title": "Fraud detection",
                    "text": "Finds fraudulent payments",
                    "componentType": "classifier",
                    "type": "classifier",
                    "namespace": "default",
                    "kind": "Model",
                    "lifecycle": "production",
                    "owner": "team-a",
                    "location": "/catalog/default/model/fraud-detection",
                },
                "highlight": mark
                | {
                    "fields": {
                        "title": f"{mark['preTag']}Fraud{mark['postTag']} detection",
                        "text": f"Finds {mark['preTag']}fraudulent{mark['postTag']} payments",
                        "location": "/catalog/default/model/fraud-detection",
                        "path": "",
                    }
                },
            }
        ],
    }


def test_people_are_found_by_name_and_address(client: FlaskClient) -> None:
    (result,) = _search(client, "term=ann+author")["results"]

    assert result["document"]["text"] == "Ann Author : ann@example.com"
    assert _titles(client, "term=ann@example.com") == ["ann"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("filters[kind]=Model", ["Fraud detection"]),
        ("filters[kind]=model", ["Fraud detection"]),
        ("filters[kind][0]=Model&filters[kind][1]=User", ["Fraud detection", "ann"]),
        ("filters[kind]=Model&filters[lifecycle]=experimental", []),
        ("filters[type]=classifier", ["Fraud detection"]),
        ("filters[componentType]=classifier", ["Fraud detection"]),
        ("filters[owner]=team-a&filters[kind]=Model", ["Fraud detection"]),
        ("filters[owner]=group:default/team-a&filters[kind]=Model", ["Fraud detection"]),
        ("filters[metadata.tags]=tabular", ["Fraud detection"]),
        ("types[]=techdocs", []),
        ("types=techdocs&types=software-catalog&filters[kind]=Model", ["Fraud detection"]),
    ],
)
def test_filters_and_types_narrow_what_is_found(client: FlaskClient, filters: str, expected: list[str]) -> None:
    assert sorted(_titles(client, filters)) == expected


def test_pages_lead_on_and_back(client: FlaskClient) -> None:
    first = _search(client, "term=payments&pageLimit=2&filters[kind]=Component")
    second = _search(client, f"term=payments&pageLimit=2&filters[kind]=Component&pageCursor={first['nextPageCursor']}")

    assert [result["rank"] for result in (*first["results"], *second["results"])] == [1, 2, 3]
    assert (first["numberOfResults"], "previousPageCursor" in first) == (3, False)
    assert (second["numberOfResults"], "nextPageCursor" in second) == (3, False)
    assert (
        _search(client, f"term=payments&pageLimit=2&filters[kind]=Component&pageCursor={second['previousPageCursor']}")
        == first
    )


def test_no_results_may_be_asked_for_to_hear_how_many_there_are(client: FlaskClient) -> None:
    # As the tabs of the stock front end's search page do.
    found = _search(client, "term=payments&types[0]=software-catalog&pageLimit=0&filters[kind]=Component")

    assert found == {"numberOfResults": 3, "results": []}


def test_a_term_that_says_nothing_finds_nothing_and_none_finds_all(client: FlaskClient) -> None:
    assert _search(client, "term=%3F!")["numberOfResults"] == 0
    everything = _search(client, "")
    assert everything["numberOfResults"] > 5
    assert everything["results"][0]["highlight"]["fields"] == {}


def test_what_changes_is_found_at_once(portal: Portal, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("before"), component("kept"))})
    portal.ingest([("url", made.url)])
    client = create_app(portal).test_client()
    assert (_titles(client, "term=before"), _titles(client, "term=after")) == (["before"], [])

    made.commit({"catalog-info.yaml": documents(component("after"), component("kept"))})
    portal.refresh.refresh()

    assert (_titles(client, "term=before"), _titles(client, "term=after")) == ([], ["after"])
    assert _titles(client, "term=kept") == ["kept"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("pageLimit=101", 'The page limit "101"'),
        ("pageLimit=-1", "request/query/pageLimit"),
        ("pageLimit=x", "request/query/pageLimit must be integer"),
        (f"term={'x' * 101}", 'The term length "101" is greater than "100"'),
        ("types[0]=nothing", '"nothing" cannot be searched'),
        ("pageCursor=x", "Malformed page cursor"),
        ("pageCursor=LTE=", "Malformed page cursor"),
        ("colour=red", "Unknown query parameter 'colour'"),
        ("term=%00", "request/query/term must be without NUL"),
    ],
)
def test_what_cannot_be_asked_is_refused(client: FlaskClient, query: str, said: str) -> None:
    response = client.get(f"/api/search/query?{query}")

    assert (response.status_code, response.json["error"]["name"]) == (400, "InputError")
    assert said in response.json["error"]["message"]
