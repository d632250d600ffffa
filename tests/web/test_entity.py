"""The page of an entity in its views, as readers and owners meet it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents, entity, group
from flask.testing import FlaskClient
from repositories import MakeRepository, Repository
from sqlalchemy import event
from worlds import World, world

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings

PORTAL_VERSION = "portal/v1alpha1"
OPENAPI = "{openapi: 3.0.0, info: {title: Shop}, paths: {/orders: {get: {summary: All orders}}}}"
FILES = documents(
    entity("Role", "maker", version=PORTAL_VERSION),
    entity(
        "Layer",
        "ground",
        "rank: 1, owner: team-a, ownerRoles: [maker], stewards: [{duty: checks, role: maker}]",
        version=PORTAL_VERSION,
    ),
    group("all"),
    group("team-a", more="parent: all, roles: [maker]"),
    group("team-b", more="parent: all"),
    entity("User", "ann", "memberOf: [team-a]"),
    entity("System", "shop", "owner: team-a, layer: ground, contributors: [user:ann]"),
    component("api-server", more="system: shop, stewards: [{ref: team-b, duty: care}], dependsOn: ['component:gone']"),
    component("web", owner="team-b", more="dependsOn: ['component:api-server']"),
    entity("API", "orders", f"type: openapi, lifecycle: production, owner: team-a, definition: '{OPENAPI}'"),
    entity("Dataset", "raw", "type: table, lifecycle: production, owner: team-a", version=PORTAL_VERSION),
    entity("Dataset", "clean", "type: table, lifecycle: x, owner: team-a, derivedFrom: [raw]", version=PORTAL_VERSION),
)
SERVER = "/catalog/default/component/api-server"


def _opened(folder: Path, database: str, *targets: str) -> Portal:
    overrides = {"data": str(folder / "data"), "database": database}
    portal = build(load_settings(environment={}, overrides=overrides))
    portal.migrate()
    portal.ingest([("url", target) for target in targets])
    return portal


@pytest.fixture
def made(repo: MakeRepository) -> Repository:
    return repo({"catalog-info.yaml": FILES})


@pytest.fixture
def portal(tmp_path: Path, database_url: str, made: Repository) -> Iterator[Portal]:
    with _opened(tmp_path, database_url, made.url) as found:
        yield found


@pytest.fixture
def client(portal: Portal) -> FlaskClient:
    return create_app(portal).test_client()


def _page(client: FlaskClient, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return response.get_data(as_text=True)


def _words(page: str) -> str:
    """Return the text of a page's content, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<main")[2].partition("</main>")[0]).split())


def test_it_tells_who_answers_with_all_who_stand_behind(client: FlaskClient) -> None:
    told = _words(_page(client, SERVER))

    assert "Who answers for it team-a all" in told
    assert "stewards care : team-b named here" in told.replace("care:", "care :")
    assert "checks: team-a by its layer ground as maker" in told
    assert "contributors ann by its system shop" in told
    assert "people whom that reaches ann" in told


def test_it_tells_what_it_is_tied_to_and_who_needs_it(client: FlaskClient) -> None:
    told = _words(_page(client, SERVER))

    assert "depends on component:default/gone (not in the catalog)" in told
    assert "1 entity needs this directly. team-b for 1 entity" in told


def test_a_long_way_of_a_change_is_shown_by_its_ends(tmp_path: Path, repo: MakeRepository) -> None:
    chain = [component(f"c{n}", more=f"dependsOn: ['component:c{n + 1}']" if n < 10 else "") for n in range(11)]
    made = repo({"catalog-info.yaml": documents(group("team-a"), *chain)})
    with _opened(tmp_path, f"sqlite:///{tmp_path}/portal.db", made.url) as portal:
        page = _page(create_app(portal).test_client(), "/catalog/default/component/c10?view=impact")

    told = _words(page)
    assert "9 c1 component c9 → c8 → c7 → 2 more steps → c4 → c3 → c2 team-a" in told
    assert "8 c2 component c9 → c8 → c7 → c6 → c5 → c4 → c3 team-a" in told
    assert "/graph?root=component:default/c10&amp;to=component:default/c0" in page.replace("%3A", ":").replace(
        "%2F", "/"
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{SERVER}?view=relations", "needed by 1 web component"),
        (f"{SERVER}?view=impact", "When this changes, 1 entity is hit"),
        (f"{SERVER}?view=problems", "portal/steward-duty of the layer ground"),
        (f"{SERVER}?view=yaml", "dependsOn: - component:gone"),
        (f"{SERVER}?view=processed", "targetRef: component:default/gone"),
        (f"{SERVER}?view=nonsense", "Who answers for it"),
        (f"{SERVER}?view=lineage", "Who answers for it"),
        (f"{SERVER}?view=impact&offset=-1", "When this changes"),
        (f"{SERVER}?view=impact&offset=99999999999999999999999", "When this changes"),
        (f"{SERVER}/history", "added"),
        ("/catalog/default/api/orders?view=api", "GET /orders All orders"),
        ("/catalog/default/dataset/clean?view=lineage", "What flows in 1 raw dataset"),
        ("/catalog/default/dataset/raw?view=lineage", "What it flows into 1 clean dataset"),
        ("/catalog/default/user/ann", "ann"),
    ],
)
def test_each_view_answers_its_question(client: FlaskClient, path: str, expected: str) -> None:
    assert expected in _words(_page(client, path))


def test_the_history_is_a_view_too(client: FlaskClient) -> None:
    assert client.get(f"{SERVER}?view=history").headers["Location"] == f"{SERVER}/history"


def test_the_tab_that_is_shown_is_marked(client: FlaskClient) -> None:
    for view, name in (("relations", "Relations"), ("processed", "YAML")):
        page = _page(client, f"{SERVER}?view={view}")
        assert re.search(f'aria-current="page">{name}', page)


def test_problems_are_told_with_place_and_fix(client: FlaskClient, portal: Portal, made: Repository) -> None:
    made.commit({"catalog-info.yaml": FILES.replace("name: web}\nspec: {type: service", "name: web}\nspec: {type: ''")})
    portal.refresh.refresh()

    page = _page(client, "/catalog/default/component/web?view=problems")
    line = FILES[: FILES.index("name: web}")].count("\n") + 2
    assert f"catalog-info.yaml:{line}:" in page
    told = _words(page)
    assert "error A field has a value that is not accepted spec.type" in told
    assert "Until it is mended, the last good version stays in the catalog." in told
    assert re.search("[0-9] things? (is|are) wrong", _words(_page(client, "/catalog/default/component/web")))


def test_a_gone_entity_has_a_page_with_its_last_version(client: FlaskClient, portal: Portal, made: Repository) -> None:
    made.commit({"catalog-info.yaml": FILES.replace("name: web}", "name: shop-window}")})
    portal.refresh.refresh()

    page = _page(client, "/catalog/default/component/web", 404)
    assert "web is gone" in page
    assert "Ann Author took it out" in page
    assert "owner: team-b" in page
    assert "/catalog/default/component/web/history" in page
    assert "removed" in _page(client, "/catalog/default/component/web/history")


def test_a_change_of_a_list_or_text_is_told_by_its_lines(client: FlaskClient, portal: Portal, made: Repository) -> None:
    more = "dependsOn: ['component:gone', 'component:other'], notes: \"one\\ntwo\\nthree\""
    made.commit({"catalog-info.yaml": FILES.replace("dependsOn: ['component:gone']", more)})
    portal.refresh.refresh()
    made.commit({"catalog-info.yaml": FILES.replace("dependsOn: ['component:gone']", more.replace("two", "<2>"))})
    portal.refresh.refresh()

    page = _page(client, f"{SERVER}/history")
    assert "<span>one</span><del>two</del><ins>&lt;2&gt;</ins><span>three</span>" in page
    assert "<span>- component:gone</span><ins>- component:other</ins>" in page


def test_a_view_asks_as_much_of_a_large_catalog(tmp_path: Path, repo: MakeRepository) -> None:
    counts = []
    for number in (1, 40):
        more = [component(f"n{at}", more="dependsOn: ['component:api-server']") for at in range(number)]
        target = repo({"catalog-info.yaml": documents(FILES, *more)}, name=f"many-{number}").url
        with _opened(tmp_path / str(number), f"sqlite:///{tmp_path}/{number}.db", target) as portal:
            client = create_app(portal).test_client()
            _page(client, SERVER)
            statements: list[Any] = []
            event.listen(portal.database.engine, "before_cursor_execute", lambda *_args, f=statements: f.append(1))
            _page(client, SERVER)
            counts.append(len(statements))

    assert counts[0] == counts[1]
    assert counts[0] < 40


@pytest.mark.parametrize("name", ["a.b_c-d", "A" * 63, "Z"])
def test_every_name_has_its_page(tmp_path: Path, repo: MakeRepository, name: str) -> None:
    target = repo(
        {"catalog-info.yaml": documents(component(name), component("x", more=f"dependsOn: ['component:{name}']"))}
    ).url
    with _opened(tmp_path, f"sqlite:///{tmp_path}/portal.db", target) as portal:
        client = create_app(portal).test_client()
        link = re.search(r'href="(/catalog/default/component/[^"]+)"', _page(client, "/catalog/default/component/x"))
        for view in ("", "?view=relations", "?view=impact", "?view=processed", "/history", "/remove"):
            _page(client, f"/catalog/default/component/{name}{view}")
    assert link


HOSTILE = """
apiVersion: backstage.io/v1alpha1
kind: API
metadata:
  name: hostile
  title: <script>alert(1)</script>
  description: '[x](javascript:alert(1)) <img src=x onerror=alert(1)> ![y](https://evil.example.com/y.png)'
  links: [{url: 'javascript:alert(1)', title: bad}]
  tags: [a]
  annotations: {backstage.io/view-url: 'javascript:alert(1)', backstage.io/edit-url: 'data:text/html,x'}
spec:
  type: <b>
  lifecycle: x
  owner: group:default/hostile
  system: loop
  definition: |
    openapi: 3.0.0
    paths: {"/<script>alert(1)</script>": {get: {summary: <img src=x>}}}
  dependsOn: ['api:hostile']
  other: {a: ['<script>']}
"""


def test_nothing_that_a_file_says_runs(tmp_path: Path, repo: MakeRepository) -> None:
    with _opened(tmp_path, f"sqlite:///{tmp_path}/portal.db", repo({"catalog-info.yaml": HOSTILE}).url) as portal:
        client = create_app(portal).test_client()
        for view in ("", "?view=relations", "?view=impact", "?view=api", "?view=yaml", "?view=processed", "/history"):
            page = _page(client, f"/catalog/default/api/hostile{view}")
            assert "<script>alert" not in page
            assert "<img" not in page
            assert 'href="javascript:' not in page
            assert 'href="data:' not in page


def test_a_huge_document_is_shown_as_far_as_a_page_goes(tmp_path: Path, repo: MakeRepository) -> None:
    long = "x" * 400_000
    text = entity("API", "big", f"type: grpc, lifecycle: x, owner: a, definition: '{long}', more: '{long}'")
    with _opened(tmp_path, f"sqlite:///{tmp_path}/portal.db", repo({"catalog-info.yaml": text}).url) as portal:
        client = create_app(portal).test_client()
        for view in ("", "?view=api", "?view=yaml", "?view=processed", "/history"):
            assert len(_page(client, f"/catalog/default/api/big{view}")) < 450_000


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("owned")) as found:
        yield found


@pytest.mark.parametrize(("who", "may"), [("lone", False), ("owner", True), ("admin", True)])
def test_only_what_somebody_may_do_is_offered(owned: World, who: str, may: bool) -> None:
    page = owned.client.get("/catalog/default/component/thing", headers=owned.as_user(who)).get_data(as_text=True)

    assert ("/component/thing/refresh" in page) == may
    assert ("/component/thing/remove" in page) == may


def test_what_would_break_is_told_before_it_is_removed(client: FlaskClient, portal: Portal, made: Repository) -> None:
    page = _page(client, f"{SERVER}/remove")
    assert "web spec.dependsOn leads to component:default/api-server" in _words(page)
    assert "Unregister its location" not in page
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token

    assert client.post(f"{SERVER}/remove").status_code == 403
    response = client.post(f"{SERVER}/remove", data={"csrf_token": token[1]})

    assert (response.status_code, response.headers["Location"]) == (303, f"{SERVER}/history")
    assert "is not in the catalog any more" in _page(client, f"{SERVER}/history")
    records = client.get("/api/audit").json
    assert ("entity.delete", "component:default/api-server") in {
        (item["action"], item["on"]) for item in records["items"]
    }


def test_unregistering_takes_all_that_the_location_brought(client: FlaskClient, portal: Portal) -> None:
    other = Repository(portal.settings.repositories / "other")
    other.commit({"catalog-info.yaml": documents(component("one"), component("two"))})
    location = portal.locations.register("url", other.url).location
    page = _page(client, "/catalog/default/component/one/remove")
    assert other.url in page
    assert "two" in _words(page)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token

    response = client.post("/catalog/default/component/one/unregister", data={"csrf_token": token[1]})

    assert response.status_code == 303
    assert portal.catalog.body("component:default/two") is None
    assert ("location.delete", f"url:{location.target}") in {
        (item["action"], item["on"]) for item in client.get("/api/audit").json["items"]
    }


def test_refreshing_reads_the_file_again(client: FlaskClient, portal: Portal, made: Repository) -> None:
    token = re.search(r'name="csrf_token" value="([^"]+)"', _page(client, SERVER))
    assert token
    made.commit({"catalog-info.yaml": FILES.replace("duty: care", "duty: cleaning")})

    response = client.post(f"{SERVER}/refresh", data={"csrf_token": token[1]}, follow_redirects=True)

    told = _words(response.get_data(as_text=True))
    assert "Its file has been asked for again." in told
    assert "cleaning: team-b" in told
