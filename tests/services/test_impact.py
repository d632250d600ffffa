from __future__ import annotations

import pytest
from catalogs import component, documents, entity, group
from portals import Catalog
from repositories import MakeRepository

from portal.defaults.kinds import all_kinds
from portal.errors import InputError, NotFoundError
from portal.graph.export import WRITERS
from portal.model.ref import EntityRef
from portal.services.impact import ImpactService
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.subgraph import SubGraphService

LAYERS = documents(
    entity("Layer", "low", "rank: 1, owner: team-a, ownerRoles: [builder]", version="portal/v1alpha1"),
    entity("Layer", "high", "rank: 2, owner: team-a, ownerRoles: [builder]", version="portal/v1alpha1"),
)


def ref(text: str) -> EntityRef:
    return EntityRef.parse(text)


@pytest.fixture
def impacts(catalog: Catalog) -> ImpactService:
    return catalog.impacts()


@pytest.fixture
def subgraphs(catalog: Catalog) -> SubGraphService:
    kinds = KindsService(catalog.database, all_kinds())
    return SubGraphService(catalog.database, OwnershipService(catalog.database, kinds), kinds)


def broken(impacts: ImpactService, text: str) -> dict[tuple[str, str], tuple[str | None, str]]:
    found = impacts.of_entity(ref(text), removed=True)
    assert found.breaks is not None
    assert found.breaks_total == len(found.breaks)
    return {(item.ref, item.relation): (item.field, item.why) for item in found.breaks}


def test_a_removed_entity_leaves_relations_that_lead_nowhere(
    catalog: Catalog, repo: MakeRepository, impacts: ImpactService
) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                component("a", more="dependencyOf: ['component:c'], providesApis: [x]"),
                component("b", owner="team-b", more="dependsOn: ['component:a', 'component:gone']"),
                component("c", owner="team-c", more="dependsOn: ['component:b']"),
                entity("API", "x", "type: openapi, lifecycle: production, owner: team-c, definition: x"),
            )
        }
    )
    catalog.ingest(made.url)

    found = broken(impacts, "component:a")

    assert found == {
        ("component:default/b", "dependsOn"): (
            "spec.dependsOn",
            "spec.dependsOn leads to component:default/a: what it names would not be there",
        ),
        ("api:default/x", "apiProvidedBy"): (None, "nothing would provide it for component:default/a"),
    }
    reached = impacts.of_entity(ref("component:a"), removed=True).reached
    assert {item.ref.name: item.distance for item, _ in reached.dependents} == {"b": 1, "c": 1, "x": 1}
    assert impacts.of_entity(ref("component:a")).breaks is None
    # A field that says who needs an entity leads nowhere as any other does.
    assert [*broken(impacts, "component:c")] == [("component:default/a", "dependencyOf")]


def test_a_removed_group_leaves_what_it_owns_and_its_members(
    catalog: Catalog, repo: MakeRepository, impacts: ImpactService
) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                component("a"),
                component("b", owner="team-b", more="stewards: [{ref: team-a, duty: checks}]"),
                entity("User", "ada", "memberOf: [team-a]"),
                entity("User", "bo", "memberOf: []"),
                group("team-a", more="members: [ada, bo]"),
                group("team-b", more="parent: team-a"),
            )
        }
    )
    catalog.ingest(made.url)

    found = broken(impacts, "group:team-a")

    assert {key: field for key, (field, _) in found.items()} == {
        ("component:default/a", "ownedBy"): "spec.owner",
        ("component:default/b", "stewardedBy"): "spec.stewards",
        ("group:default/team-b", "childOf"): "spec.parent",
        ("user:default/ada", "memberOf"): "spec.memberOf",
        ("user:default/bo", "memberOf"): None,
    }
    assert found["component:default/a", "ownedBy"][1].endswith("nobody would answer for it")
    owners = impacts.of_entity(ref("group:team-a"), removed=True).reached.owners
    # The group that goes is not told; whoever loses its steward is.
    assert [(owner.ref, owner.distance) for owner in owners] == [("group:default/team-b", 1)]


def test_a_removed_system_takes_its_layer_with_it(
    catalog: Catalog, repo: MakeRepository, impacts: ImpactService
) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                LAYERS,
                entity("Domain", "d", "owner: team-a, layer: high"),
                entity("System", "s", "owner: team-a, domain: d, layer: low"),
                entity("System", "t", "owner: team-a, domain: d"),
                component("a", more="system: s"),
                component("own", more="system: s, layer: low"),
                component("deep", more="system: t"),
            )
        }
    )
    catalog.ingest(made.url)

    by_system, by_domain = broken(impacts, "system:s"), broken(impacts, "domain:d")

    assert [key[0] for key in by_system if key[1] == "inLayer"] == ["component:default/a"]
    why = by_system["component:default/a", "inLayer"][1]
    assert why == "it stands in the layer low through system:default/s and would stand in no layer"
    assert {key[0] for key in by_domain if key[1] == "inLayer"} == {"component:default/deep", "system:default/t"}


def test_pages_tell_a_part_and_owners_of_all(catalog: Catalog, repo: MakeRepository, impacts: ImpactService) -> None:
    texts = [
        component(f"n{number}", owner=f"team-{number % 2}", more="dependsOn: ['component:a']") for number in range(6)
    ]
    catalog.ingest(repo({"catalog-info.yaml": documents(component("a"), *texts)}).url)

    whole = impacts.of_entity(ref("component:a")).reached
    page = impacts.of_entity(ref("component:a"), limit=2, offset=3, removed=True)

    assert page.reached.dependents == whole.dependents[3:5]
    assert (page.reached.total, page.reached.owners) == (6, whole.owners)
    assert [item.ref.name for item in page.breaks or ()] == ["n3", "n4"]
    assert page.breaks_total == 6


def test_the_impact_of_a_change_set_begins_at_all_that_changed(
    catalog: Catalog, repo: MakeRepository, impacts: ImpactService
) -> None:
    files = {
        "all.yaml": entity("Location", "all", "targets: ['./a.yaml', './b.yaml', './c.yaml', './d.yaml']"),
        "a.yaml": component("a"),
        "b.yaml": component("b", owner="team-b", more="dependsOn: ['component:a']"),
        "c.yaml": component("c", owner="team-c", more="dependsOn: ['component:b', 'component:d']"),
        "d.yaml": component("d"),
    }
    made = repo({"catalog-info.yaml": files.pop("all.yaml")} | files)
    catalog.ingest(made.url)
    first = catalog.history("component:default/a")[0].commit
    made.commit({"a.yaml": component("a", more="tags: []"), "d.yaml": "# nothing\n", "e.yaml": component("e")})
    catalog.service.refresh()

    found = impacts.of_changes(first)

    assert [(change, node.ref) for change, node in found.changed] == [
        ("changed", "component:default/a"),
        ("removed", "component:default/d"),
    ]
    assert [(item.ref, item.distance) for item, _ in found.reached.dependents] == [
        ("component:default/b", 1),
        ("component:default/c", 1),
    ]
    assert {owner.ref for owner in found.reached.owners} == {"group:default/team-b", "group:default/team-c"}
    assert impacts.of_changes(first[:8]) == impacts.of_changes(f"revision:{found.since}") == found
    assert impacts.of_changes(f"revision:{found.revision}").changed_total == 0
    assert len(impacts.of_changes("revision:0", limit=1).changed) == 1
    for text in ("deadbeef", "main", "", "revision:99", "revision:x", "%"):
        with pytest.raises(InputError):
            impacts.of_changes(text)


def test_a_commit_that_changed_no_entity_stands_for_the_last_before_it(
    catalog: Catalog, repo: MakeRepository, impacts: ImpactService
) -> None:
    """A pull request rarely begins at a commit that touched a catalog file."""
    made = repo({"catalog-info.yaml": component("a"), "README.md": "1"})
    before = made.commit({"README.md": "2"})
    catalog.ingest(made.url)
    since = made.commit({"README.md": "3"})
    changing = made.commit({"catalog-info.yaml": component("a", more="tags: []")})
    last = made.commit({"README.md": "4"})
    catalog.service.refresh()

    found = {commit: impacts.of_changes(commit) for commit in (before, since[:9], changing, last)}

    assert [item.changed_total for item in found.values()] == [1, 1, 0, 0]
    assert {found[before].since, found[since[:9]].since} == {1}
    assert found[last] == found[changing]
    other = repo({"x": "1"}, name="elsewhere")
    with pytest.raises(InputError, match=r"comes from the commit [0-9a-f]{40} or one before it"):
        impacts.of_changes(other.git("rev-parse", "HEAD"))


def test_what_is_named_and_not_there_has_an_impact_too(
    catalog: Catalog, repo: MakeRepository, impacts: ImpactService
) -> None:
    texts = component("a", owner="nobody", more="dependsOn: ['component:gone']"), component("b", more="system: none")
    catalog.ingest(repo({"catalog-info.yaml": documents(*texts)}).url)

    gone = impacts.of_entity(ref("component:gone"))

    assert (gone.root.is_there, gone.to_json()["root"]["exists"]) == (False, False)
    assert [item.ref for item, _ in gone.reached.dependents] == ["component:default/a"]
    assert broken(impacts, "group:nobody")["component:default/a", "ownedBy"][0] == "spec.owner"
    assert broken(impacts, "system:none")["component:default/b", "partOf"][0] == "spec.system"
    with pytest.raises(NotFoundError):
        impacts.of_entity(ref("component:never"))


def test_a_graph_shows_the_kinds_and_layers_asked_for(
    catalog: Catalog, repo: MakeRepository, subgraphs: SubGraphService
) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                LAYERS,
                component("a", more="layer: high, dependsOn: ['component:b', 'resource:r']"),
                component("b", more="layer: low, dependsOn: ['component:c']"),
                component("c", more="layer: high"),
                entity("Resource", "r", "type: database, owner: team-a, dependsOn: ['component:d']"),
                component("d", more="layer: low"),
            )
        }
    )
    catalog.ingest(made.url)
    root = ref("component:a")

    def names(**chosen) -> list[str]:
        found = subgraphs.around(root, depth=5, types=["dependsOn"], **chosen)
        shown = {node.ref for node in found.nodes}
        assert all({edge.source, edge.target} <= shown for edge in found.edges)
        return sorted(node.ref.name for node in found.nodes)

    assert names() == ["a", "b", "c", "d", "r"]
    # What is behind a node that is not shown is not walked to.
    assert names(kinds=["Component"]) == ["a", "b", "c"]
    assert names(layers=["high"]) == ["a"]
    assert names(layers=["high", "layer:default/low"]) == ["a", "b", "c"]
    assert names(kinds=["resource"]) == ["a", "r"]
    cut = subgraphs.around(root, depth=5, types=["dependsOn"], most=2)
    assert (len(cut.nodes), cut.is_truncated) == (2, True)
    for chosen in ({"kinds": ["odd"]}, {"layers": ["odd"]}):
        with pytest.raises(InputError, match="odd"):
            names(**chosen)
    for form in WRITERS:
        assert "dependsOn" in subgraphs.around(root).written(form)


def test_what_is_removed_is_missed_where_only_a_field_names_it(
    catalog: Catalog, repo: MakeRepository, impacts: ImpactService
) -> None:
    portal = "portal/v1alpha1"
    made = repo(
        {
            "catalog-info.yaml": documents(
                group("team-a", more="roles: [builder]"),
                entity("Role", "builder", "layers: [low]", version=portal),
                entity(
                    "Layer",
                    "low",
                    "rank: 1, owner: team-a, ownerRoles: [builder], approvers: [builder], "
                    "stewards: [{duty: checks, role: builder}]",
                    version=portal,
                ),
                entity("Layer", "high", "rank: 2, owner: team-a, ownerRoles: [], mayDependOn: [low]", version=portal),
                entity("Policy", "p", "owner: team-a, rule: portal/owner-exists, layers: [low]", version=portal),
                entity(
                    "KindDefinition",
                    "prompt",
                    "owner: team-a, names: {kind: Prompt, plural: prompts}, group: acme, version: v1, layer: low, "
                    "schema: {}",
                    version=portal,
                ),
                entity("Prompt", "hello", "owner: team-a", version="acme/v1"),
                entity("Project", "x", "owner: team-a, lifecycle: x, goal: g, needs: [builder]", version=portal),
                entity("System", "s", "owner: team-a, layer: low"),
                component("inside", more="system: s"),
            )
        }
    )
    catalog.ingest(made.url)

    def fields(text: str) -> set[tuple[str, str | None]]:
        found = impacts.of_entity(ref(text), removed=True).breaks or []
        return {(item.ref.partition("/")[2], item.field) for item in found if item.relation == "names"}

    assert fields("role:builder") == {
        ("low", "spec.ownerRoles"),
        ("low", "spec.approvers"),
        ("low", "spec.stewards"),
        ("x", "spec.needs"),
    }
    assert fields("layer:low") == {
        ("builder", "spec.layers"),
        ("high", "spec.mayDependOn"),
        ("p", "spec.layers"),
        ("prompt", "spec.layer"),
    }
    places = broken(impacts, "layer:low")
    assert places[ref("system:s"), "inLayer"][0] == "spec.layer"
    by_system, by_kind = (
        places[ref("component:inside"), "inLayer"],
        places[EntityRef("prompt:default/hello"), "inLayer"],
    )
    assert by_system == by_kind
    assert by_system == (None, "it stands there through its system, domain or kind, and would stand in no layer")
    assert broken(impacts, "kinddefinition:prompt") == {
        ("prompt:default/hello", "ofKind"): (None, "its kind would not be known")
    }
