"""What the catalog tells of its kinds: over HTTP, on pages, on the command line."""

from pathlib import Path

import jsonschema_rs
import orjson
import pytest
from catalogs import documents, entity, group
from flask.testing import FlaskClient
from repositories import MakeRepository
from servers import run_portal

from portal.app import Portal
from portal.app.wsgi import create_app

DEFINITION = entity(
    "KindDefinition",
    "gauge",
    "owner: team-a, group: example.com, version: v2, versions: [v1], layer: backbone, "
    "names: {kind: Gauge, plural: gauges}, schema: {required: [unit], properties: {"
    "unit: {$ref: '#/$defs/unit'}, note: {type: string, description: '<script>alert(1)</script>'}}, "
    "$defs: {unit: {enum: [ms, kg], description: What is counted}}}, "
    "relations: [{field: reads, kind: Dataset, type: gauges, inverse: gaugedBy, description: What it reads}]",
    version="portal/v1alpha1",
)


@pytest.fixture
def client(portal: Portal) -> FlaskClient:
    """A client of the portal."""
    return create_app(portal).test_client()


def test_the_kinds_are_told_as_they_come_and_go(portal: Portal, client: FlaskClient, repo: MakeRepository) -> None:
    before = client.get("/api/catalog/kinds").json["items"]
    names = [kind["name"] for kind in before]
    assert names == sorted(names)
    assert {"Component", "Dataset", "KindDefinition"} <= set(names)
    assert all(kind["declaredBy"] is None for kind in before)
    (dataset,) = (kind for kind in before if kind["name"] == "Dataset")
    assert dataset["defaultLayer"] == "shared"
    assert {"name": "type", "required": True, "description": "table, files, stream, ...", "relation": None} in dataset[
        "fields"
    ]
    made = repo({"catalog-info.yaml": documents(DEFINITION, group("team-a"))})

    portal.ingest([("url", made.url)])

    (gauge,) = (kind for kind in client.get("/api/catalog/kinds").json["items"] if kind["name"] == "Gauge")
    assert (gauge["plural"], gauge["apiVersions"], gauge["defaultLayer"], gauge["declaredBy"]) == (
        "gauges",
        ["example.com/v1", "example.com/v2"],
        "backbone",
        "kinddefinition:default/gauge",
    )
    assert [field["name"] for field in gauge["fields"] if field["required"]] == ["unit", "owner"]
    (reads,) = (field for field in gauge["fields"] if field["name"] == "reads")
    assert reads["relation"] == {"type": "gauges", "inverse": "gaugedBy", "defaultKind": "Dataset"}
    assert reads["description"] == "What it reads"
    whole = {"apiVersion": "example.com/v2", "kind": "Gauge", "metadata": {"name": "x"}}
    assert jsonschema_rs.is_valid(gauge["schema"], whole | {"spec": {"owner": "a", "unit": "ms"}})
    assert not jsonschema_rs.is_valid(gauge["schema"], whole | {"spec": {"owner": "a", "unit": "s"}})

    made.commit({"catalog-info.yaml": group("team-a")})
    portal.refresh.refresh()
    assert client.get("/api/catalog/kinds").json["items"] == before


def test_a_parameter_that_is_not_there_is_refused(client: FlaskClient) -> None:
    assert client.get("/api/catalog/kinds?kind=x").status_code == 400
    assert "/api/catalog/kinds" in client.get("/api/openapi.json").json["paths"]


def test_pages_show_kinds_with_their_fields(portal: Portal, client: FlaskClient, repo: MakeRepository) -> None:
    thing = entity("Gauge", "clock", "owner: team-a, unit: ms, reads: [times]", version="example.com/v1")
    portal.ingest([("url", repo({"catalog-info.yaml": documents(DEFINITION, thing, group("team-a"))}).url)])

    for path in ("/kinds", "/catalog/default/kinddefinition/gauge"):
        page = client.get(path).get_data(as_text=True)
        assert "gauges / gauged by" in page
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>" not in page
    assert 'href="/kinds"' in client.get("/").get_data(as_text=True)
    entity_page = client.get("/catalog/default/gauge/clock").get_data(as_text=True)
    assert "gauges" in entity_page
    assert "<dt>reads</dt>" not in entity_page


def test_an_entity_of_a_declared_kind_can_be_validated_and_found(
    portal: Portal, client: FlaskClient, repo: MakeRepository
) -> None:
    thing = entity("Gauge", "clock", "owner: team-a, unit: ms, reads: [times]", version="example.com/v1")
    portal.ingest([("url", repo({"catalog-info.yaml": documents(DEFINITION, thing, group("team-a"))}).url)])

    def validated(unit: str) -> int:
        spec = {"owner": "team-a", "unit": unit}
        item = {"apiVersion": "example.com/v1", "kind": "Gauge", "metadata": {"name": "a"}, "spec": spec}
        body = {"location": "url:https://example.com/a", "entity": item}
        return client.post("/api/catalog/validate-entity", json=body).status_code

    assert validated("ms") == 200
    assert validated("s") == 400
    found = client.get("/api/catalog/entities/by-query?filter=kind=gauge,relations.gauges=dataset:default/times").json
    assert [item["metadata"]["name"] for item in found["items"]] == ["clock"]
    facets = client.get("/api/catalog/entity-facets?facet=spec.unit&filter=kind=gauge").json
    assert facets == {"facets": {"spec.unit": [{"value": "ms", "count": 1}]}}


def test_schema_prints_a_declared_kind_too(tmp_path: Path, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(DEFINITION)})
    run_portal("ingest", made.url, folder=tmp_path)

    printed = orjson.loads(run_portal("schema", "gauge", folder=tmp_path).stdout)

    assert printed["title"] == "Gauge"
    assert printed["$defs"]["unit"]["enum"] == ["ms", "kg"]


def test_validate_checks_files_by_the_kinds_that_they_bring(tmp_path: Path) -> None:
    (tmp_path / "catalog-info.yaml").write_text(
        documents(DEFINITION, entity("Gauge", "clock", "owner: team-a, unit: s", version="example.com/v1"))
    )

    done = run_portal("validate", str(tmp_path), folder=tmp_path)

    assert done.returncode == 1
    assert "spec.unit" in done.stdout
    assert "one of ms, kg" in done.stdout
