"""What somebody may not read is not there for them: wherever they ask, whoever has asked before."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents, entity, group
from flask import Flask
from flask.testing import FlaskClient
from readers import bearer, let_read, owned_by, unlabelled
from repositories import MakeRepository, Repository
from waiting import eventually

from portal.api.sight import OwnContext
from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.model.filter import Match
from portal.model.permission import Conditional, Decision
from portal.model.ref import EntityRef
from portal.model.visibility import Visibility
from portal.services.permission_policy import Claims
from portal.services.task_catalog import VerifyingCatalog
from portal.store.sight import seeing

#: What nobody is to find who may not read it: a word in the names of all hidden entities.
SECRET = "zanzibar"
ALL = "user:default/all"


def _labelled(text: str, name: str) -> str:
    return text.replace(f"{{name: {name}}}", f"{{name: {name}, labels: {{tier: closed}}}}")


def _hidden(kind: str, suffix: str, spec: str, *, version: str = "backstage.io/v1alpha1") -> str:
    name = f"{SECRET}{suffix}"
    return _labelled(entity(kind, name, spec, version=version), name)


#: Each hidden entity names visible ones, in all the ways that could be told of these; none of them names it.
CATALOG = documents(
    group("team-a"),
    group("team-b"),
    entity("User", "ann", "memberOf: [team-a]"),
    entity("Role", "maker", "layers: [shared]", version="portal/v1alpha1"),
    entity("Layer", "shared", "rank: 2, owner: team-a, ownerRoles: [maker]", version="portal/v1alpha1"),
    entity("System", "shop", "owner: team-a, layer: shared"),
    component("library", more="system: shop"),
    component("website", more="system: shop, dependsOn: ['component:library']"),
    entity("Dataset", "sales", "owner: team-a, type: table, layer: shared", version="portal/v1alpha1"),
    _hidden("Component", "-app", "type: service, lifecycle: x, owner: team-a, dependsOn: ['component:library']"),
    _hidden("Component", "-tool", "type: service, lifecycle: x, owner: team-a, system: shop"),
    _hidden("Group", "-team", "type: team, children: [], parent: team-a"),
    _hidden("User", "-user", "memberOf: [team-a]"),
    _hidden("Dataset", "-data", "owner: nobody, type: table, derivedFrom: [sales]", version="portal/v1alpha1"),
    _hidden("Layer", "-layer", "rank: 1, owner: team-a, ownerRoles: [maker]", version="portal/v1alpha1"),
    _hidden("System", "-system", f"owner: team-a, layer: {SECRET}-layer"),
    _hidden("Role", "-role", "layers: [shared]", version="portal/v1alpha1"),
    _hidden(
        "KindDefinition",
        "-kind",
        f"group: acme.com, names: {{kind: {SECRET.capitalize()}, plural: {SECRET}s}}, "
        "versions: [{name: v1, schema: {type: object}}]",
        version="portal/v1alpha1",
    ),
    _hidden(
        "Template",
        "-template",
        "type: service, owner: team-a, parameters: [], steps: [{id: say, name: Say, action: 'debug:log'}]",
        version="scaffolder.backstage.io/v1beta3",
    ),
    # Of no kind: a problem of an entity that was never there.
    _hidden("Nonsense", "-problem", "owner: team-a"),
    # Nobody owns it who is there: a finding.
    _hidden("Component", "-lost", "type: service, lifecycle: x, owner: nowhere, system: shop"),
)


def _reading(user: EntityRef | None, _claims: Claims) -> Decision:
    """Let one user read everything, everybody else all that has no such label."""
    return "ALLOW" if user == ALL else unlabelled("tier", "closed")


@contextmanager
def _opened(folder: Path, database_url: str = "") -> Iterator[Portal]:
    overrides = {"data": str(folder / "data")} | ({"database": database_url} if database_url else {})
    with build(load_settings(environment={}, overrides=overrides)) as portal:
        portal.migrate()
        yield portal


@pytest.fixture
def made(repo: MakeRepository) -> Repository:
    return repo({"catalog-info.yaml": CATALOG})


@pytest.fixture
def portal(tmp_path: Path, database_url: str, made: Repository) -> Iterator[Portal]:
    with _opened(tmp_path, database_url) as portal:
        portal.ingest([("url", made.url)])
        let_read(portal, _reading)
        yield portal


@pytest.fixture
def app(portal: Portal) -> Flask:
    return create_app(portal)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


#: Values of the variables of routes; what is hidden is asked for by name.
PLACES: dict[str, list[dict[str, str]]] = {
    "visible": [
        {"kind": kind, "namespace": "default", "name": name}
        for kind, name in (
            ("component", "library"),
            ("component", "website"),
            ("group", "team-a"),
            ("system", "shop"),
            ("dataset", "sales"),
            ("layer", "shared"),
            ("role", "maker"),
            ("user", "ann"),
        )
    ],
}
#: Query parameters that routes need, or that let them tell more, by path.
QUERIES: dict[str, list[str]] = {
    "/api/catalog/entity-facets": [
        "facet=metadata.name&facet=kind&facet=relations.dependencyof&facet=relations.ownerof&facet=spec.layer",
        "facet=metadata.name&filter=kind=component",
    ],
    "/api/catalog/entities": ["", "filter=kind=component", "filter=relations.dependson=component:default/library"],
    "/api/catalog/entities/by-query": [
        "limit=500",
        f"fullTextFilterTerm={SECRET}",
        "orderField=metadata.name,asc&limit=2&offset=9",
    ],
    "/api/catalog/changes": ["since=0&limit=1000"],
    "/api/search/query": [f"term={SECRET}", "term=", "term=team"],
    "/api/ownership/graph": [
        "root=component:library&depth=5",
        "root=group:team-a&depth=5&direction=in",
        "root=system:shop&depth=3&format=dot",
        "root=component:library&kinds=nothing",
        "root=component:library&layers=nothing",
        "root=component:library&relations=nothing",
    ],
    "/api/ownership/impact": ["since=revision:0"],
    "/api/ownership/handovers": ["from=revision:0"],
    "/api/ownership/layers": ["", "layer=nothing", "at=revision:1"],
    "/api/ownership/problems": ["", "layer=nothing", "rule=nothing", "kind=nothing", "since=0"],
    "/api/ownership/drift": ["", "layer=nothing"],
    "/api/ownership/entity/<kind>/<namespace>/<name>": ["", "at=revision:1"],
    "/api/ownership/portfolio/<kind>/<namespace>/<name>": ["", "at=revision:1"],
    "/api/ownership/impact/<kind>/<namespace>/<name>": ["", "removed=true"],
    "/api/catalog/entities/by-name/<kind>/<namespace>/<name>": ["", "at=revision:1"],
    # What is looked for is shown, and so is but the beginning of the word.
    "/catalog": [
        "",
        f"q={SECRET[:-1]}",
        "kind=component&wide=owner&sort=-layer",
        "layer=none&owner=none",
        "owner=group:default/team-a&wide=system",
    ],
    "/catalog.csv": ["", "owner=group:default/team-a", "layer=none"],
    "/graph": [
        "",
        "root=component:default/library&depth=5",
        "root=group:default/team-a&depth=5",
        "root=system:default/shop&depth=3",
    ],
    "/problems": ["", "layer=layer:default/shared", "owner=group:default/team-a", "rule=portal/owner-exists"],
    "/search": [f"q={SECRET[:-1]}", "q=team", "q=library&kind=component"],
    "/create": ["", "q=template"],
    "/register": ["", "q=repositories"],
    "/owners": ["", "view=people", "root=group:default/team-a", f"q={SECRET[:-1]}"],
    "/owners/<kind>/<namespace>/<name>": ["", "scope=itself", "moves=1&drift=1"],
}
#: Routes whose answers do not end, or that wait.
STREAMS = ("/api/catalog/changes/events", "/api/scaffolder/v2/tasks/<task_id>/eventstream")
#: Records of what was done are told whole to those who have a permission of its own for that.
OTHERS = ("/api/audit",)


def _questions(app: Flask) -> list[str]:
    """Return an address for each GET route and each visible entity that it can be asked about."""
    found = []
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.rule in {*STREAMS, *OTHERS}:
            continue
        known = rule.arguments <= {"kind", "namespace", "name"} and "name" in rule.arguments and len(rule.arguments) > 1
        for place in PLACES["visible"] if known else [dict.fromkeys(rule.arguments, "nothing")]:
            path = adapter.build(rule.endpoint, {name: place[name] for name in rule.arguments})
            found += [f"{path}?{query}" if query else path for query in QUERIES.get(rule.rule, [""])]
    return found


def test_no_get_route_tells_of_what_may_not_be_read(app: Flask, portal: Portal, client: FlaskClient) -> None:
    reader, everything = bearer(portal, "user:default/ann"), bearer(portal, ALL)
    told = []
    telling = 0
    for question in _questions(app):
        # Who may read all asks first: what is remembered for them is not for others.
        telling += SECRET in client.get(question, headers=everything).text.lower().replace(question.lower(), "")
        for headers in ({}, reader):
            found = client.get(question, headers=headers)
            assert found.status_code < 500 or found.status_code == 501, question
            if SECRET in found.text.lower().replace(f"term={SECRET}", ""):
                told.append(question)
    assert told == []
    # It is there to be told of.
    assert telling > 40


@pytest.mark.parametrize(
    "path",
    [
        "/api/catalog/entities/by-name/{kind}/default/{name}",
        "/api/catalog/entities/by-name/{kind}/default/{name}?at=revision:1",
        "/api/catalog/entities/by-name/{kind}/default/{name}/ancestry",
        "/api/catalog/entities/by-name/{kind}/default/{name}/history",
        "/api/catalog/locations/by-entity/{kind}/default/{name}",
        "/api/ownership/entity/{kind}/default/{name}",
        "/api/ownership/entity/{kind}/default/{name}?at=revision:1",
        "/api/ownership/portfolio/{kind}/default/{name}",
        "/api/ownership/impact/{kind}/default/{name}",
        "/api/ownership/lineage/{kind}/default/{name}",
        "/api/ownership/balance/{kind}/default/{name}",
        "/api/ownership/history/{kind}/default/{name}",
        "/api/ownership/drift/{kind}/default/{name}",
        "/api/ownership/badge/{kind}/default/{name}.svg",
        "/api/ownership/graph?root={kind}:{name}",
        "/catalog/default/{kind}/{name}",
        "/catalog/default/{kind}/{name}/history",
        "/owners/{kind}/default/{name}",
        "/projects/default/{name}",
    ],
)
def test_what_may_not_be_read_is_answered_as_what_never_was(client: FlaskClient, path: str) -> None:
    hidden = client.get(path.format(kind="component", name=f"{SECRET}-app"))
    gone = client.get(path.format(kind="component", name="never-been-here"))

    assert hidden.status_code == gone.status_code == 404
    assert hidden.text.replace(f"{SECRET}-app", "*") == gone.text.replace("never-been-here", "*")


def test_sets_leave_out_what_may_not_be_read(portal: Portal, client: FlaskClient) -> None:
    ref = f"component:default/{SECRET}-app"
    uid = portal.catalog.by_refs([EntityRef(ref)])[EntityRef(ref)].partition('"uid":"')[2][:36]

    by_refs = client.post("/api/catalog/entities/by-refs", json={"entityRefs": [ref, "component:default/library"]})
    predicate = {"query": {"metadata.labels.tier": "closed"}}
    by_query = client.post("/api/catalog/entities/by-query", json=predicate)
    facets = client.post("/api/catalog/entity-facets", json={"facets": ["kind"], **predicate})

    assert [item and item["metadata"]["name"] for item in by_refs.json["items"]] == [None, "library"]
    assert by_query.json | {"pageInfo": None} == {"items": [], "totalItems": 0, "pageInfo": None}
    assert facets.json == {"facets": {"kind": []}}
    assert client.get(f"/api/catalog/entities/by-uid/{uid}").status_code == 404
    assert client.delete(f"/api/catalog/entities/by-uid/{uid}").status_code == 404
    assert client.post("/api/catalog/refresh", json={"entityRef": ref}).status_code == 404


def test_relations_that_hidden_entities_declare_are_not_told(portal: Portal, client: FlaskClient) -> None:
    path = "/api/catalog/entities/by-name/component/default/library"

    readable = client.get(path).json
    every = client.get(path, headers=bearer(portal, ALL)).json

    assert {item["targetRef"] for item in readable["relations"]} == {
        "component:default/website",
        "group:default/team-a",
        "system:default/shop",
    }
    assert len(every["relations"]) == len(readable["relations"]) + 1
    # Who guesses what is left out must not be able to try the guess.
    assert every["metadata"]["etag"] != readable["metadata"]["etag"]


def test_what_a_readable_document_names_is_shown_as_named(tmp_path: Path) -> None:
    file = tmp_path / "catalog-info.yaml"
    file.write_text(
        documents(component("open", owner=f"{SECRET}-team"), _hidden("Group", "-team", "type: team, children: []"))
    )
    with _opened(tmp_path) as portal:
        portal.ingest([("file", str(file))])
        let_read(portal, _reading)
        answer = create_app(portal).test_client().get("/api/ownership/entity/component/default/open").json

    # As if it were not in the catalog.
    assert answer["owner"] == {"ref": f"group:default/{SECRET}-team", "exists": False}


def test_a_write_of_somebody_who_sees_little_works_on_everything(
    portal: Portal, client: FlaskClient, made: Repository
) -> None:
    made.commit({"catalog-info.yaml": CATALOG.replace("name: website", "name: webshop")})

    assert client.post("/api/catalog/refresh", json={"entityRef": "component:library"}).status_code == 200

    names = client.get("/api/catalog/entities?fields=metadata.name", headers=bearer(portal, ALL)).text
    assert "webshop" in names
    assert f"{SECRET}-app" in names
    assert SECRET not in client.get("/api/catalog/changes?since=1").text


def test_the_layers_rules_hold_for_those_who_may_not_read_them(portal: Portal) -> None:
    whole = portal.ownership.check_owner(EntityRef("group:default/team-b"), "shared")
    with seeing(lambda _revision=None: Visibility(Match.of("kind", ["component"]))):
        told = portal.ownership.check_owner(EntityRef("group:default/team-b"), "shared")

    assert [(item.rule, item.severity) for item in told] == [(item.rule, item.severity) for item in whole]
    assert "portal/owner-role" in [item.rule for item in told]
    assert "maker" in "".join(item.message + item.fix for item in whole)
    assert "maker" not in "".join(item.message + item.fix for item in told)


def test_a_template_that_may_not_be_read_has_no_form_and_makes_no_task(portal: Portal, client: FlaskClient) -> None:
    path = f"/api/scaffolder/v2/templates/default/template/{SECRET}-template/parameter-schema"
    task = {"templateRef": f"template:default/{SECRET}-template", "values": {}}

    assert client.get(path).status_code == 404
    assert client.post("/api/scaffolder/v2/tasks", json=task).status_code == 404
    assert client.get(path, headers=bearer(portal, ALL)).status_code == 200


def test_the_actions_of_a_task_read_as_whoever_began_it(portal: Portal) -> None:
    refs = [EntityRef(f"component:default/{SECRET}-app"), EntityRef("component:default/library")]

    def read(who: str | None) -> list[EntityRef]:
        sight = portal.access.visibility.sight_of(who)
        return sorted(VerifyingCatalog(portal.catalog, portal.locations, sight=sight).by_refs(refs))

    assert read("user:default/ann") == read(None) == refs[1:]
    assert read(ALL) == sorted(refs)


def test_members_of_a_group_that_they_join_read_what_is_its_at_once(tmp_path: Path) -> None:
    file = tmp_path / "catalog-info.yaml"
    file.write_text(documents(group("team-a"), entity("User", "ann", "memberOf: []"), component("a")))
    with _opened(tmp_path) as portal:
        portal.ingest([("file", str(file))])
        policy = let_read(portal, lambda _user, claims: Conditional(owned_by(*(claims() or ["nobody"]))))
        client, headers = create_app(portal).test_client(), bearer(portal, "user:default/ann")
        question = "/api/catalog/entities/by-query?filter=kind=component"
        assert client.get(question, headers=headers).json["totalItems"] == 0
        client.get(question, headers=headers)
        assert policy.asked == 1

        file.write_text(file.read_text().replace("memberOf: []", "memberOf: [team-a]"))
        portal.refresh.refresh()

        assert client.get(question, headers=headers).json["totalItems"] == 1


@pytest.mark.parametrize(
    "question",
    [
        "/api/catalog/entities",
        "/api/catalog/entities/by-query",
        "/api/catalog/entity-facets?facet=metadata.name",
        "/api/search/query?term=a",
        "/api/catalog/entities/by-name/component/default/a",
    ],
)
def test_what_is_remembered_for_one_is_not_told_to_another(tmp_path: Path, question: str) -> None:
    file = tmp_path / "catalog-info.yaml"
    file.write_text(documents(group("team-a"), component("a"), component("b", owner="team-b")))
    own = {"user:default/a": "group:default/team-a", "user:default/b": "group:default/team-b"}
    with _opened(tmp_path) as portal:
        portal.ingest([("file", str(file))])
        let_read(portal, lambda user, _: Conditional(owned_by(own[user])) if user in own else "DENY")
        client = create_app(portal).test_client()
        first = client.get(question, headers=bearer(portal, "user:default/a"))
        second = client.get(question, headers=bearer(portal, "user:default/b"))
        again = client.get(question, headers=bearer(portal, "user:default/a"))
        nobody = client.get(question)

    assert first.data == again.data
    assert '"a"' in first.text
    assert '"a"' not in second.text.replace("named 'a'", "")
    assert '"a"' not in nobody.text


def test_followers_are_told_only_of_what_they_may_read(portal: Portal, app: Flask, made: Repository) -> None:
    told: list[bytes] = []
    response = app.test_client().get("/api/catalog/changes/events?since=0", buffered=False)

    def read() -> None:
        told.extend(response.iter_encoded())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    eventually(lambda: b"component:default/library" in b"".join(told), "what is there")
    more = documents(CATALOG, _hidden("Component", "-new", "type: x, lifecycle: x, owner: team-a"), component("fresh"))
    made.commit({"catalog-info.yaml": more})
    portal.refresh.refresh()
    eventually(lambda: b"component:default/fresh" in b"".join(told), "what has come")
    portal.feed.close()
    reader.join(60)

    assert SECRET.encode() not in b"".join(told)


def test_who_sees_little_meets_nothing_of_a_hidden_layer_in_errors(client: FlaskClient) -> None:
    for question in (
        "/api/ownership/layers?layer=none-such",
        "/api/ownership/problems?layer=none-such",
        "/api/ownership/graph?root=component:library&kinds=none-such",
        f"/api/ownership/layers?layer={SECRET}-layer",
    ):
        found = client.get(question)
        assert found.status_code == 400
        assert SECRET not in found.text.replace(f"{SECRET}-layer", "", 2 if SECRET in question else 0)
    entity_of_no_kind = {"apiVersion": "v1", "kind": "Nothing", "metadata": {"name": "a"}, "spec": {}}
    body = {"entity": entity_of_no_kind, "location": "url:https://git.example.com/a"}
    found = client.post("/api/catalog/validate-entity", json=body)
    assert "Component" in found.text
    assert SECRET not in found.text.lower()


def test_before_it_is_known_who_asks_nothing_can_be_read(portal: Portal) -> None:
    app = Flask("empty")
    seen: list[Any] = []

    @app.get("/")
    def look() -> str:
        seen.append(portal.database.visibility())
        return ""

    app.wsgi_app = OwnContext(app.wsgi_app)  # type: ignore[method-assign]
    app.test_client().get("/")

    assert [item.is_all for item in seen] == [False]
    assert portal.database.visibility().is_all
