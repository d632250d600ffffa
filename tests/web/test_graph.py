from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from catalogs import component, documents, entity, group
from flask.testing import FlaskClient
from outlines import outline
from sqlalchemy import event

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.web.graph_asked import FEW

LAYERS = documents(
    entity("Layer", "low", "rank: 1, owner: team-a, ownerRoles: [builder]", version="portal/v1alpha1"),
    entity("Layer", "high", "rank: 2, owner: team-a, ownerRoles: [builder]", version="portal/v1alpha1"),
    entity("Role", "builder", "layers: [low]", version="portal/v1alpha1"),
)
HOSTILE = (
    "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: a-b_c.D\n"
    "  title: '<img src=x onerror=alert(1)>\"''&'\nspec: {type: service, lifecycle: x, owner: team-a, "
    "dependsOn: ['component:gone', 'component:loop'], layer: low, system: 'shop'}\n"
)
FILES = documents(
    LAYERS,
    group("team-a"),
    entity("System", "shop", "owner: team-a, layer: high"),
    HOSTILE,
    component("alone"),
    component("loop", more="layer: high, dependsOn: ['component:loop', 'component:a-b_c.D'], system: shop"),
    *(component(f"leaf-{number:03}", more="layer: high, dependsOn: ['component:loop']") for number in range(FEW + 20)),
)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    folder = tmp_path_factory.mktemp("graph")
    (folder / "catalog-info.yaml").write_text(FILES)
    with build(load_settings(environment={}, overrides={"data": str(folder / "data")})) as opened:
        opened.migrate()
        opened.ingest([("file", str(folder / "catalog-info.yaml"))])
        yield opened


@pytest.fixture
def client(portal: Portal) -> FlaskClient:
    return create_app(portal).test_client()


def drawing(client: FlaskClient, path: str) -> dict:
    page = client.get(path).get_data(as_text=True)
    found = [attributes["data-graph"] for _, attributes in outline(page) if "data-graph" in attributes]
    return orjson.loads(found[0])


def titles(client: FlaskClient, path: str) -> set[str]:
    return {node["title"] for node in drawing(client, path)["nodes"]}


def test_titles_are_text_and_what_is_not_there_is_said_to_be_so(client: FlaskClient) -> None:
    page = client.get("/graph?root=component:a-b_c.D").get_data(as_text=True)

    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "not in the catalog" in page
    assert "component:default/gone" not in {attributes.get("href") for _, attributes in outline(page)}
    found = drawing(client, "/graph?root=component:a-b_c.D")
    assert [node["missing"] for node in found["nodes"] if node["title"] == "gone"] == [True]
    assert {layer["title"] for layer in found["layers"]} == {"low", "high"}


def test_the_list_says_what_the_drawing_shows_with_ids_of_its_own(client: FlaskClient) -> None:
    path = "/graph?root=component:a-b_c.D&depth=2"
    tags = outline(client.get(path).get_data(as_text=True))

    entries = [attributes["id"] for _, attributes in tags if "explorer-entry" in attributes.get("class", "")]
    assert sorted(entries) == sorted(node["id"] for node in drawing(client, path)["nodes"])
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_a_large_graph_is_bounded_and_says_so(client: FlaskClient) -> None:
    page = client.get("/graph?root=component:loop").get_data(as_text=True)

    assert len(drawing(client, "/graph?root=component:loop")["nodes"]) == FEW
    assert "At least 25 more are left out." in page
    assert "Show more" in page
    assert "left out" not in client.get(f"/graph?root=component:loop&most={FEW * 2}").get_data(as_text=True)


def test_what_is_expanded_is_in_the_address(client: FlaskClient) -> None:
    closed = "/graph?root=component:leaf-001&relation=dependsOn&direction=out"
    page = client.get(closed).get_data(as_text=True)
    expand = next(a["href"] for _, a in outline(page) if a.get("class") == "act expand")

    assert "a-b_c.D" not in page
    assert titles(client, closed) == {"leaf-001", "loop"}
    assert titles(client, expand) > {"leaf-001", "loop"}
    assert "Collapse" in client.get(expand).get_data(as_text=True)


def test_relations_layers_and_kinds_say_what_is_shown(client: FlaskClient) -> None:
    root = "/graph?root=component:a-b_c.D"

    assert len(titles(client, f"{root}&relation=ownedBy")) == 2
    assert "loop" in titles(client, f"{root}&layer=high")
    assert "team-a" not in titles(client, f"{root}&layer=high")
    assert titles(client, f"{root}&kind=system") > {"shop"}


def test_a_way_is_told_in_steps(client: FlaskClient) -> None:
    way = "/graph?root=component:leaf-001&to=component:a-b_c.D&relation=dependsOn"

    assert "2 steps lead from here" in client.get(way).get_data(as_text=True)
    assert len(drawing(client, way)["way"]) == 3
    assert "No way leads" in client.get(f"{way}&direction=in").get_data(as_text=True)


def test_people_connect_two_only_where_nothing_else_does(client: FlaskClient) -> None:
    by_things = client.get("/graph?root=component:leaf-001&to=component:a-b_c.D").get_data(as_text=True)
    by_people = client.get("/graph?root=component:leaf-001&to=component:alone").get_data(as_text=True)

    assert "2 steps lead from here" in by_things
    assert "Only people, groups or a layer" not in by_things
    assert "Only people, groups or a layer" in by_people


def test_what_a_change_reaches_is_told_by_its_distance(client: FlaskClient) -> None:
    page = client.get("/graph?root=component:a-b_c.D&impact=1&depth=2").get_data(as_text=True)

    assert f"A change of it reaches {FEW + 21} entities" in page
    assert "reached in 1 step" in page
    assert "reached in 2 steps" in page


def test_the_whole_catalog_is_drawn_by_systems_and_kinds(client: FlaskClient) -> None:
    found = drawing(client, "/graph")

    assert {(node["title"], node["note"]) for node in found["nodes"]} == {
        ("shop", "2 entities"),
        ("component", f"{FEW + 20} entities"),
        ("alone", "1 entity"),
    }
    assert [edge["count"] for edge in found["edges"]] == [FEW + 20]


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("root=loop", 200, "Which one do you mean?"),
        ("root=component:default/nothing", 200, "Nothing is called"),
        ("root=component:loop&to=leaf-00", 200, "Which one do you mean?"),
        ("root=component:loop&to=component:nothing", 200, "Nothing is called"),
        ("root=%00%3C%3E", 200, "Nothing is called"),
        ("root=component:loop&relation=nonsense", 400, "nonsense"),
        ("root=component:loop&kind=nonsense", 400, "nonsense"),
        ("root=component:loop&depth=x&direction=x&most=99999999999&impact=", 200, "relations."),
        ("root=component:loop&expand=%00&expand=nonsense", 200, "relations."),
    ],
)
def test_whatever_is_asked_a_useful_page_answers(query: str, status: int, text: str, client: FlaskClient) -> None:
    response = client.get(f"/graph?{query}")

    assert (response.status_code, response.mimetype) == (status, "text/html")
    assert text in response.get_data(as_text=True)


@pytest.mark.parametrize(
    "query",
    ["relation=dependsOn&direction=out&expand=component:default/loop", "to=component:alone", "to=component:loop"],
)
def test_the_graph_can_be_told_to_other_programs_as_it_is_shown(query: str, client: FlaskClient) -> None:
    path = f"/graph?root=component:leaf-001&{query}"
    tags = outline(client.get(path).get_data(as_text=True))
    links = [a["href"] for _, a in tags if a.get("href", "").startswith("/api/ownership/graph")]
    told = [client.get(link) for link in links]

    assert [(answer.status_code, answer.mimetype.partition("/")[0]) for answer in told] == [
        (200, "text"),
        (200, "text"),
        (200, "application"),
        (200, "application"),
    ]
    assert told[0].get_data(as_text=True).startswith("flowchart")
    assert {node["title"] for node in told[-1].json["nodes"]} == titles(client, path)


def test_the_number_of_statements_does_not_grow_with_the_graph(portal: Portal, client: FlaskClient) -> None:
    counts = []
    for most in (4, FEW):
        path = f"/graph?root=component:loop&most={most}"
        client.get(path)
        statements: list[str] = []
        event.listen(
            portal.database.engine, "before_cursor_execute", lambda *given, seen=statements: seen.append(given[2])
        )
        client.get(path)
        counts.append(len(statements))

    assert counts[0] == counts[1] < 30


def test_a_catalog_of_nothing_has_a_page(tmp_path: Path) -> None:
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as empty:
        empty.migrate()
        page = create_app(empty).test_client().get("/graph")

    assert page.status_code == 200
    assert "The catalog is empty." in page.get_data(as_text=True)
