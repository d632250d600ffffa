from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogs import component, documents, entity, group
from flask.testing import FlaskClient
from repositories import MakeRepository
from servers import ROOT

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("ownership")
    with build(load_settings(environment={}, overrides={"data": str(folder)})) as portal:
        portal.migrate()
        portal.ingest([("file", str(ROOT / "catalog-info.yaml"))])
        yield create_app(portal).test_client()


def test_the_graph_gives_nodes_and_edges(client: FlaskClient) -> None:
    answer = client.get(
        "/api/ownership/graph?root=Model:Forecast&depth=2&direction=out&relations=trainedOn,derivedFrom"
    ).json

    assert answer["edges"] == [
        {"source": "featureset:default/calendar-features", "target": "dataset:default/calendar", "type": "derivedFrom"},
        {"source": "featureset:default/shop-features", "target": "dataset:default/sales-daily", "type": "derivedFrom"},
        {"source": "model:default/forecast", "target": "featureset:default/calendar-features", "type": "trainedOn"},
        {"source": "model:default/forecast", "target": "featureset:default/shop-features", "type": "trainedOn"},
    ]
    assert {"ref", "kind", "title", "layer", "owner"} == set(answer["nodes"][0])
    assert [node["layer"] for node in answer["nodes"] if node["kind"] == "model"] == ["layer:default/project"]


def test_impact_names_whom_to_tell_with_counts(client: FlaskClient) -> None:
    answer = client.get("/api/ownership/impact/dataset/default/sales-raw").json

    by_ref = {item["ref"]: item for item in answer["items"]}
    assert by_ref["dataset:default/sales-daily"]["distance"] == 1
    forecast = by_ref["model:default/forecast"]
    assert forecast["path"][0] == "dataset:default/sales-raw"
    assert len(forecast["path"]) == forecast["distance"] + 1
    assert forecast["layer"] == "layer:default/project"
    counts = {owner["ref"]: owner["count"] for owner in answer["owners"]}
    assert sum(counts.values()) == len(answer["items"])
    assert [owner["distance"] for owner in answer["owners"]] == sorted(owner["distance"] for owner in answer["owners"])
    assert "group:default/demand-forecast" in counts


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("impact?limit=x", 'request/query/limit Not a valid integer: found "x"'),
        ("impact?since=revision:0&odd=1", "request/query/odd Unknown field: known are limit, offset, since"),
        (
            "graph?root=component:portal&direction=up",
            'request/query/direction Must be one of: in, out, both: found "up"',
        ),
    ],
)
def test_a_refused_query_is_told_with_what_it_had(client: FlaskClient, query: str, message: str) -> None:
    answer = client.get(f"/api/ownership/{query}")

    assert answer.status_code == 400
    assert message in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("graph", 400),
        ("graph?root=x", 400),
        ("graph?root=component:gone", 404),
        ("graph?root=component:portal&depth=-1", 400),
        ("graph?root=component:portal&depth=x", 400),
        ("graph?root=component:portal&depth=1000", 400),
        ("graph?root=component:portal&direction=up", 400),
        ("graph?root=component:portal&relations=owns", 400),
        ("graph?root=component:portal&relations=", 400),
        ("graph?root=component:portal&relations=ownedBy&relations=owns", 400),
        ("graph?root=component:portal&odd=1", 400),
        ("graph?root=component:portal%00", 404),
        ("impact/component/default/portal?depth=1", 400),
        ("impact/component/default/portal%00", 404),
        ("impact/component/default/portal?removed=yes", 400),
        ("impact/component/default/portal?limit=0", 400),
        ("impact", 400),
        ("impact?since=odd", 400),
        ("impact?since=deadbeefdeadbeef", 400),
        ("impact?since=revision:1000000", 400),
        ("impact?since=revision:x", 400),
        ("graph?root=component:portal&kinds=odd", 400),
        ("graph?root=component:portal&layers=odd", 400),
        ("graph?root=component:portal&layers=,", 400),
        ("graph?root=component:portal&format=png", 400),
        ("problems?odd=1", 400),
        ("entity/component/default/gone", 404),
        ("entity/component/default/portal?odd=1", 400),
        ("portfolio/group/default/gone", 404),
        ("portfolio/group/default/acme?limit=0", 400),
        ("portfolio/group/default/acme?offset=-1", 400),
        ("lineage/model/default/gone", 404),
        ("lineage/model/default/forecast?depth=1", 400),
        ("impact/component/default/gone", 404),
        ("nothing", 404),
    ],
)
def test_what_cannot_be_answered_says_why(path: str, status: int, client: FlaskClient) -> None:
    response = client.get(f"/api/ownership/{path}")

    assert response.status_code == status
    assert response.json["response"] == {"statusCode": status}
    assert response.json["error"]["message"]


@pytest.mark.parametrize(
    ("form", "media_type", "beginning"),
    [
        ("dot", "text/vnd.graphviz", "digraph catalog {"),
        ("mermaid", "text/vnd.mermaid", "flowchart LR"),
        ("graphml", "application/graphml+xml", "<graphml "),
    ],
)
def test_a_graph_is_written_for_other_programs(form: str, media_type: str, beginning: str, client: FlaskClient) -> None:
    response = client.get(f"/api/ownership/graph?root=model:forecast&depth=2&layers=shared&format={form}")

    assert response.content_type == f"{media_type}; charset=utf-8"
    assert response.text.startswith(beginning)
    assert "Shop features" in response.text


def test_a_graph_shows_kinds_and_layers(client: FlaskClient) -> None:
    root = "/api/ownership/graph?root=model:forecast&depth=3"

    kinds = client.get(f"{root}&kinds=dataset,FeatureSet").json
    layers = client.get(f"{root}&layers=shared").json

    assert {node["kind"] for node in kinds["nodes"]} == {"model", "featureset", "dataset"}
    assert {node["layer"] for node in layers["nodes"]} == {"layer:default/project", "layer:default/shared"}
    assert kinds["truncated"] is False


def test_a_graph_shows_the_ways_between_two_and_what_is_expanded(client: FlaskClient) -> None:
    root = "/api/ownership/graph?root=model:forecast"

    ways = client.get(f"{root}&to=dataset:sales-daily&direction=out").json
    expanded = client.get(f"{root}&relations=trainedOn&direction=out&expand=featureset:shop-features").json

    assert ways["way"][0] == "model:default/forecast"
    assert ways["way"][-1] == "dataset:default/sales-daily"
    assert [layer["rank"] for layer in ways["layers"]] == sorted([layer["rank"] for layer in ways["layers"]])[::-1]
    assert len(expanded["nodes"]) >= len(client.get(f"{root}&relations=trainedOn&direction=out").json["nodes"])
    assert client.get(f"{root}&to=dataset:none").status_code == 404
    assert client.get(f"{root}&to=dataset:sales-daily&expand=dataset:sales-daily").status_code == 400


def test_a_removal_tells_what_would_break(client: FlaskClient) -> None:
    answer = client.get("/api/ownership/impact/dataset/default/sales-daily?removed=true&limit=2").json

    assert answer["breaksTotal"] > len(answer["breaks"]) == len(answer["items"]) == 2
    assert answer["total"] == 8
    assert {"ref", "relation", "field", "why"} == set(answer["breaks"][0])
    assert "breaks" not in client.get("/api/ownership/impact/dataset/default/sales-daily?removed=false").json


def test_the_impact_of_changes_begins_after_a_revision(client: FlaskClient) -> None:
    everything = client.get("/api/ownership/impact?since=revision:0&limit=3").json
    nothing = client.get(f"/api/ownership/impact?since=revision:{everything['revision']}").json

    assert everything["changedTotal"] > len(everything["changed"]) == 3
    assert {item["change"] for item in everything["changed"]} == {"added"}
    assert nothing == {
        "since": everything["revision"],
        "revision": everything["revision"],
        "changedTotal": 0,
        "changed": [],
        "total": 0,
        "items": [],
        "owners": [],
    }


def test_relations_may_be_separated_by_commas_or_repeated(client: FlaskClient) -> None:
    root = "/api/ownership/graph?root=model:default/forecast"

    joined = client.get(f"{root}&relations=ownedBy,partOf").json
    repeated = client.get(f"{root}&relations=partOf&relations=ownedBy").json

    assert joined == repeated
    assert {edge["type"] for edge in joined["edges"]} == {"ownedBy", "partOf"}


def test_an_entity_says_who_answers_for_it_and_where_that_is_said(client: FlaskClient) -> None:
    answer = client.get("/api/ownership/entity/dataset/default/sales-daily").json

    assert answer["owner"] == {"ref": "group:default/mlops", "exists": True}
    assert [item["ref"] for item in answer["chain"]] == ["group:default/machine-learning", "group:default/acme"]
    assert {item["through"] for item in answer["people"]} == {"group:default/mlops"}
    assert [(item["duty"], item["ref"], item["from"]["place"]) for item in answer["stewards"]] == [
        ("checks", "group:default/cloud-security", "entity"),
        ("automation", "group:default/devops", "entity"),
    ]
    assert answer["problems"] == answer["findings"] == []


def test_an_entity_says_who_owns_it_beside_the_accountable_owner(client: FlaskClient) -> None:
    several = client.get("/api/ownership/entity/featureset/default/shop-features").json
    one = client.get("/api/ownership/entity/dataset/default/sales-daily").json
    portfolio = client.get("/api/ownership/portfolio/group/default/demand-forecast").json

    assert several["owner"] == {"ref": "group:default/ml-engineering", "exists": True}
    assert several["coOwners"] == [{"ref": "group:default/demand-forecast", "exists": True}]
    assert one["coOwners"] == []
    assert "featureset:default/shop-features" not in {item["ref"] for item in portfolio["items"]}


def test_a_portfolio_is_counted_whole_and_told_in_pages(client: FlaskClient) -> None:
    root = "/api/ownership/portfolio/group/default/machine-learning"

    whole = client.get(root).json
    page = client.get(f"{root}?limit=2&offset=1").json

    assert whole["total"] == len(whole["items"]) == sum(sum(kinds.values()) for kinds in whole["counts"].values())
    assert whole["total"] == whole["direct"] + sum(group["count"] for group in whole["groups"])
    assert page["items"] == whole["items"][1:3]
    assert page["total"] == whole["total"]


def test_lineage_leads_from_data_through_features_and_model_to_the_service(client: FlaskClient) -> None:
    answer = client.get("/api/ownership/lineage/featureset/default/shop-features").json

    upstream = {item["ref"]: item["distance"] for item in answer["upstream"]}
    downstream = {item["ref"]: item["distance"] for item in answer["downstream"]}
    assert upstream["dataset:default/sales-daily"] == 1
    assert upstream["dataset:default/sales-raw"] == 2
    assert downstream["model:default/forecast"] == 1
    assert downstream["component:default/forecast-service"] == 2
    # What a service needs besides data is no lineage.
    assert not any(ref.startswith("resource:") for ref in (*upstream, *downstream))
    sources = {edge["source"] for edge in answer["edges"]}
    assert sources <= {*upstream, *downstream, answer["root"]["ref"]}
    assert {
        "source": "model:default/forecast",
        "target": "component:default/forecast-service",
        "type": "dependencyOf",
    } in (answer["edges"])


def test_problems_tell_what_rules_find_and_who_could_own(tmp_path: Path, repo: MakeRepository) -> None:
    files = documents(
        entity("Layer", "low", "rank: 1, owner: team-b, ownerRoles: [builder]", version="portal/v1alpha1"),
        component("a", more="layer: low"),
        component("broken", owner="''"),
        group("team-a"),
        group("team-b", more="roles: [builder]"),
    )
    made = repo({"catalog-info.yaml": files})
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as portal:
        portal.migrate()
        portal.ingest([("url", made.url)])
        answer = create_app(portal).test_client().get("/api/ownership/problems").json

    (finding,) = answer["findings"]
    assert finding["rule"] == "portal/owner-role"
    assert finding["ref"] == "component:default/a"
    assert finding["related"] == ["group:default/team-b"]
    (problem,) = answer["problems"]
    assert (problem["code"], problem["field"]) == ("field-invalid", "spec.owner")
    assert problem["line"]


def test_the_routes_are_described(client: FlaskClient) -> None:
    paths = client.get("/api/openapi.json").json["paths"]

    parameters = {item["name"]: item for item in paths["/api/ownership/graph"]["get"]["parameters"]}
    assert set(parameters) == {"root", "to", "depth", "direction", "relations", "kinds", "layers", "expand", "format"}
    assert parameters["root"]["required"]
    assert {"/api/ownership/impact/{kind}/{namespace}/{name}", "/api/ownership/problems"} <= set(paths)


def test_rules_say_where_they_come_from_and_how_much_they_matter(client: FlaskClient) -> None:
    answer = client.get("/api/ownership/rules").json

    by_id = {rule["id"]: rule for rule in answer["rules"]}
    assert by_id["portal/steward-duty"]["severities"] == [
        {"layer": "layer:default/backbone", "severity": "warn"},
        {"layer": "layer:default/shared", "severity": "enforce"},
        {"layer": "layer:default/project", "severity": "warn"},
    ]
    assert by_id["acme/dataset-classified"]["source"] == {"type": "policy", "name": "policy:default/dataset-classified"}
    assert by_id["acme/dataset-classified"]["kinds"] == ["dataset"]
    assert client.get("/api/ownership/rules?odd=1").status_code == 400
