"""Every method of npm's `@backstage/catalog-client`, unchanged, against a Portal that serves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents, entity, group
from npm import NODE, install
from repositories import Repository
from servers import serving

HERE = Path(__file__).parent
REFS = [f"component:default/c{number}" for number in range(7)]
#: Methods that the others are made of.
INNER = {
    "getEntityFacetsByPredicate",
    "getFilterValue",
    "queryEntitiesByPredicate",
    "requestIgnored",
    "requestOptional",
    "requestRequired",
}
DRIVEN = {
    "addLocation",
    "analyzeLocation",
    "getEntities",
    "getEntitiesByRefs",
    "getEntityAncestors",
    "getEntityByName",
    "getEntityByRef",
    "getEntityFacets",
    "getLocationByEntity",
    "getLocationById",
    "getLocationByRef",
    "getLocations",
    "queryEntities",
    "queryLocations",
    "refreshEntity",
    "removeEntityByUid",
    "removeLocationById",
    "streamEntities",
    "streamLocations",
    "updateLocation",
    "validateEntity",
}
UNDEFINED = "$UNDEFINED"
EXISTS = "$EXISTS"


class ClientError(Exception):
    """What a method of the client has thrown."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.error = error


class Client:
    """The client, in a node of its own."""

    def __init__(self, process: subprocess.Popen[str], home: Repository, folder: Path) -> None:
        self.process = process
        self.home = home
        self.folder = folder
        self.methods = set(self._read())

    def __call__(self, method: str, *args: Any) -> Any:
        assert method in DRIVEN
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"method": method, "args": args}) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "node has ended"
        answer = json.loads(line)
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer.get("value", UNDEFINED)

    def repository(self, name: str, *texts: str) -> Repository:
        """Return a repository that the server may read."""
        made = Repository(self.folder / "data" / "repositories" / name)
        made.commit({"catalog-info.yaml": documents(*texts)} if texts else {"README.md": "nothing"})
        return made

    def register(self, name: str, *texts: str) -> Any:
        """Return the location of a repository that has been registered."""
        return self("addLocation", {"target": self.repository(name, *texts).url})["location"]


@pytest.fixture(scope="module")
def packages() -> Path:
    """The client with all that it needs, as the lock file pins it."""
    install(HERE)
    return HERE


@pytest.fixture(scope="module")
def client(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("client")
    home = Repository(folder / "data" / "repositories" / "home")
    home.commit(
        {
            "catalog-info.yaml": documents(
                *(component(f"c{number}") for number in range(7)),
                group("team-a"),
                entity("API", "wide", "type: openapi, lifecycle: beta, owner: team-a, definition: '{}'"),
            )
        }
    )
    with serving(folder, "--catalog", home.url) as server:
        command = [str(NODE), "drive.cjs", server.url]
        with subprocess.Popen(
            command, cwd=packages, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield Client(process, home, folder)


def _refs(items: list[Any]) -> list[str]:
    return [
        item if item in (None, UNDEFINED) else f"{item['kind'].lower()}:default/{item['metadata']['name']}"
        for item in items
    ]


def _status(client: Client, method: str, *args: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        client(method, *args)
    error = caught.value.error
    assert error["name"] == "ResponseError"
    assert error["body"]["response"]["statusCode"] == error["statusCode"]
    return error["statusCode"], error["body"]["error"]["name"]


COMPONENTS = {"kind": "component", "metadata.name": [f"c{number}" for number in range(7)]}
BY_NAME = {"field": "metadata.name", "order": "asc"}


def test_every_method_of_the_client_is_driven_here(client: Client) -> None:
    assert client.methods - INNER == DRIVEN


def test_entities_are_listed(client: Client) -> None:
    listed = client("getEntities", {"filter": COMPONENTS, "order": {"field": "metadata.name", "order": "desc"}})
    part = client(
        "getEntities", {"filter": COMPONENTS, "order": [BY_NAME], "offset": 2, "limit": 2, "fields": ["kind"]}
    )
    either = client("getEntities", {"filter": [{"kind": "api"}, {"kind": "group", "spec.type": EXISTS}]})

    assert _refs(listed["items"]) == REFS[::-1]
    assert part["items"] == [{"kind": "Component"}] * 2
    assert sorted(_refs(either["items"])) == ["api:default/wide", "group:default/team-a"]
    assert client("getEntities", {"filter": {"kind": "none"}}) == {"items": []}
    assert len(client("getEntities")["items"]) >= 9
    assert _status(client, "getEntities", {"limit": -1}) == (400, "InputError")


def test_entities_are_found_by_reference(client: Client) -> None:
    refs = [REFS[3], "component:default/none", REFS[0]]
    found = client("getEntitiesByRefs", {"entityRefs": refs})["items"]
    assert _refs(found) == [REFS[3], UNDEFINED, REFS[0]]
    many = [f"component:default/x{number}" for number in range(1_500)] + REFS
    assert _refs(client("getEntitiesByRefs", {"entityRefs": many})["items"]) == [UNDEFINED] * 1_500 + REFS
    narrow = {"entityRefs": REFS[:2], "fields": ["metadata.name"]}
    assert client("getEntitiesByRefs", narrow)["items"] == [{"metadata": {"name": name}} for name in ("c0", "c1")]
    filtered = {"entityRefs": REFS[:2], "filter": {"metadata.name": "c1"}}
    assert _refs(client("getEntitiesByRefs", filtered)["items"]) == [UNDEFINED, REFS[1]]
    predicate = {"entityRefs": REFS[:2], "query": {"metadata.name": {"$in": ["c0"]}}}
    assert _refs(client("getEntitiesByRefs", predicate)["items"]) == [REFS[0], UNDEFINED]
    both = predicate | {"filter": {"metadata.name": "c1"}}
    assert _refs(client("getEntitiesByRefs", both)["items"]) == [UNDEFINED] * 2


def test_one_entity_is_found_or_undefined(client: Client) -> None:
    found = client("getEntityByRef", "component:default/c1")
    assert _refs([found]) == [REFS[1]]
    assert client("getEntityByRef", {"kind": "Component", "namespace": "default", "name": "C1"}) == found
    assert client("getEntityByName", {"kind": "Component", "name": "c1"}) == found
    assert client("getEntityByRef", "component:default/none") == UNDEFINED
    assert client("getEntityByName", {"kind": "Component", "name": "none"}) == UNDEFINED


@pytest.mark.parametrize(
    "wanted",
    [
        {"filter": COMPONENTS},
        {"query": {"$all": [{"kind": "component"}, {"metadata.name": {"$hasPrefix": "c"}}, {"spec.owner": "team-a"}]}},
        {"query": {"kind": "component"}, "filter": COMPONENTS},
    ],
)
def test_entities_are_walked_both_ways(client: Client, wanted: Any) -> None:
    page = client("queryEntities", wanted | {"limit": 3, "orderFields": BY_NAME, "fields": ["kind", "metadata.name"]})
    there = [page]
    while "nextCursor" in page["pageInfo"]:
        page = client("queryEntities", {"cursor": page["pageInfo"]["nextCursor"], "limit": 3})
        there.append(page)
    back = []
    while "prevCursor" in page["pageInfo"]:
        page = client("queryEntities", {"cursor": page["pageInfo"]["prevCursor"], "limit": 3})
        back.append(page)

    pages = [REFS[:3], REFS[3:6], REFS[6:]]
    assert [_refs(part["items"]) for part in there] == pages
    assert [_refs(part["items"]) for part in back] == pages[1::-1]
    assert {part["totalItems"] for part in there} == {7}
    assert "spec" not in there[0]["items"][0]


def test_entities_are_queried_by_text_offset_and_total(client: Client) -> None:
    term = {"term": "C4", "fields": ["metadata.name"]}
    found = client("queryEntities", {"filter": COMPONENTS, "fullTextFilter": term})
    assert (_refs(found["items"]), found["totalItems"]) == ([REFS[4]], 1)
    part = client(
        "queryEntities", {"filter": COMPONENTS, "orderFields": [BY_NAME], "offset": 5, "totalItems": "exclude"}
    )
    assert (_refs(part["items"]), part["totalItems"]) == (REFS[5:], 0)
    assert client("queryEntities", {"filter": COMPONENTS, "limit": 0})["totalItems"] == 7
    by_predicate = client("queryEntities", {"query": {"kind": "component"}, "fullTextFilter": term})
    assert _refs(by_predicate["items"]) == [REFS[4]]
    assert _status(client, "queryEntities", {"cursor": "nonsense"}) == (400, "InputError")
    assert _status(client, "queryEntities", {"query": {"$nope": 1}}) == (400, "InputError")


@pytest.mark.parametrize(
    "wanted",
    [{"filter": COMPONENTS}, {"query": {"metadata.name": {"$in": list("x") + [f"c{number}" for number in range(7)]}}}],
)
def test_entities_are_streamed(client: Client, wanted: Any) -> None:
    pages = client("streamEntities", wanted | {"pageSize": 3, "orderFields": BY_NAME})

    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(ref for page in pages for ref in _refs(page)) == REFS


def test_values_are_counted(client: Client) -> None:
    def counted(**wanted: Any) -> Any:
        return client("getEntityFacets", {"facets": ["spec.lifecycle", "kind"]} | wanted)["facets"]

    expected = {"spec.lifecycle": [{"value": "production", "count": 7}], "kind": [{"value": "Component", "count": 7}]}
    assert counted(filter=COMPONENTS) == expected
    assert counted(query={"kind": "component"}, filter=COMPONENTS) == expected
    assert counted(filter={"kind": "none"}) == {"spec.lifecycle": [], "kind": []}
    assert _status(client, "getEntityFacets", {"facets": []}) == (400, "InputError")


def test_ancestors_are_told(client: Client) -> None:
    found = client("getEntityAncestors", {"entityRef": REFS[0]})
    assert found["rootEntityRef"] == REFS[0]
    assert [item["entity"]["kind"] for item in found["items"]] == ["Component", "Location"]
    assert _status(client, "getEntityAncestors", {"entityRef": "component:default/none"}) == (404, "NotFoundError")


def test_a_location_is_added_found_moved_and_removed(client: Client) -> None:
    made = client.repository("added", component("added"))
    tried = client("addLocation", {"target": made.url, "dryRun": True})
    assert (_refs(tried["entities"]), tried["exists"]) == (["component:default/added"], False)
    assert client("getLocationByRef", f"url:{made.url}") == UNDEFINED

    location = client("addLocation", {"type": "url", "target": made.url})["location"]
    assert location.keys() == {"id", "type", "target", "entityRef"}
    assert client("addLocation", {"target": made.url, "dryRun": True})["exists"] is True
    assert _status(client, "addLocation", {"target": made.url}) == (409, "ConflictError")
    assert client("addLocation", {"target": made.url, "onConflict": "refresh"})["location"] == location
    assert client("getLocationById", location["id"]) == location
    assert client("getLocationByRef", f"url:{made.url}") == location
    assert client("getLocationByEntity", "component:default/added") == location
    assert location in client("getLocations")["items"]
    assert client("getLocationById", "none") == UNDEFINED
    assert client("getLocationByEntity", "component:default/none") == UNDEFINED
    assert client("getLocationByEntity", REFS[0]) == UNDEFINED
    assert client("getEntityByRef", location["entityRef"])["spec"]["target"] == made.url

    moved = client("updateLocation", location["id"], {"target": f"{made.url}#main"})
    assert (moved["id"], moved["target"]) == (location["id"], f"{made.url}#main")
    assert client("getLocationById", location["id"]) == moved
    assert _status(client, "updateLocation", "none", {"target": "https://example.com/a"}) == (404, "NotFoundError")
    other = client.register("second", component("second"))
    assert _status(client, "updateLocation", other["id"], {"target": f"{made.url}#main"}) == (409, "ConflictError")
    assert _status(client, "addLocation", {"type": "file", "target": "/etc"}) == (400, "InputError")

    for found in (moved, other):
        client("removeLocationById", found["id"])
    assert client("getEntityByRef", "component:default/added") == UNDEFINED
    assert _status(client, "removeLocationById", other["id"]) == (404, "NotFoundError")


def test_locations_are_queried_and_streamed(client: Client) -> None:
    made = client.repository("many", component("many"))
    registered = [client("addLocation", {"target": f"{made.url}#:{number}.yaml"})["location"] for number in range(5)]
    query = {"target": {"$hasPrefix": made.url}}
    in_order = sorted(registered, key=lambda item: item["id"])

    page = client("queryLocations", {"query": query, "limit": 2})
    assert (page["items"], page["totalItems"]) == (in_order[:2], 5)
    page = client("queryLocations", {"cursor": page["pageInfo"]["nextCursor"]})
    assert page["items"] == in_order[2:4]
    assert client("streamLocations", {"query": query, "limit": 2}) == [in_order[:2], in_order[2:4], in_order[4:]]
    assert client("streamLocations", {"query": {"type": "none"}}) == []
    assert client("queryLocations")["totalItems"] >= 5
    assert _status(client, "queryLocations", {"query": {"kind": "x"}}) == (400, "InputError")
    for item in registered:
        client("removeLocationById", item["id"])


def test_an_entity_is_refreshed_and_removed(client: Client) -> None:
    made = client.repository("fresh", component("fresh"))
    location = client("addLocation", {"target": made.url})["location"]
    made.commit({"catalog-info.yaml": documents(component("fresh"), component("fresher"))})

    client("refreshEntity", "component:default/fresh")
    fresher = client("getEntityByRef", "component:default/fresher")
    assert fresher != UNDEFINED
    assert _status(client, "refreshEntity", "component:default/none") == (404, "NotFoundError")

    client("removeEntityByUid", fresher["metadata"]["uid"])
    assert client("getEntityByRef", "component:default/fresher") == UNDEFINED
    assert _status(client, "removeEntityByUid", fresher["metadata"]["uid"]) == (404, "NotFoundError")
    client("removeLocationById", location["id"])


def test_an_entity_is_validated(client: Client) -> None:
    good = client("getEntityByRef", REFS[0])
    entity = {"apiVersion": good["apiVersion"], "kind": good["kind"], "metadata": {"name": "new"}, "spec": good["spec"]}

    assert client("validateEntity", entity, "url:https://example.com/a.yaml") == {"valid": True}
    refused = client("validateEntity", entity | {"kind": "Unicorn"}, "url:https://example.com/a.yaml")
    assert (refused["valid"], [error["name"] for error in refused["errors"]]) == (False, ["InputError"])
    assert client("validateEntity", entity, "nowhere")["errors"][0]["name"] == "TypeError"


def test_a_repository_is_analyzed(client: Client) -> None:
    def analyze(target: str, **more: Any) -> Any:
        return client("analyzeLocation", {"location": {"type": "url", "target": target}} | more)

    known = analyze(client.home.url)
    assert known["generateEntities"] == []
    assert {item["isRegistered"] for item in known["existingEntityFiles"]} == {True}
    assert sorted(_refs([item["entity"] for item in known["existingEntityFiles"]]))[1:8] == REFS
    empty = analyze(client.repository("empty").url)
    assert [item["entity"]["metadata"]["name"] for item in empty["generateEntities"]] == ["empty"]
    named = analyze(client.home.url, catalogFilename="other.yaml")
    assert (named["existingEntityFiles"], len(named["generateEntities"])) == ([], 1)
    assert _status(client, "analyzeLocation", {"location": {"type": "url", "target": "nope"}}) == (400, "InputError")
