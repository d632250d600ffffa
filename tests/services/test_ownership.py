from concurrent.futures import ThreadPoolExecutor

import pytest
from catalogs import component, documents, entity, group
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import event

from portal.defaults.kinds import all_kinds
from portal.errors import InputError, NotFoundError
from portal.model.ref import EntityRef
from portal.model.relation import Relation
from portal.services.impact import ImpactService
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.subgraph import SubGraphService
from portal.store import graph

A, B, C = (EntityRef(f"component:default/{name}") for name in "abc")
LAYERS = documents(
    entity("Layer", "low", "rank: 1, owner: team-a, ownerRoles: [builder]", version="portal/v1alpha1"),
    entity("Layer", "high", "rank: 2, owner: team-a, ownerRoles: [maker]", version="portal/v1alpha1"),
    entity("Role", "builder", "layers: [low]", version="portal/v1alpha1"),
)


@pytest.fixture
def ownership(catalog: Catalog) -> OwnershipService:
    return OwnershipService(catalog.database, KindsService(catalog.database, all_kinds()))


@pytest.fixture
def impacts(catalog: Catalog) -> ImpactService:
    return catalog.impacts()


@pytest.fixture
def subgraphs(catalog: Catalog, ownership: OwnershipService) -> SubGraphService:
    return SubGraphService(catalog.database, ownership, KindsService(catalog.database, all_kinds()))


def chain(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                component("a"),
                component("b", more="dependsOn: ['component:a']"),
                component("c", owner="team-b", more="dependsOn: ['component:b', 'component:gone']"),
                group("team-a"),
                group("team-b"),
            )
        }
    )
    assert catalog.ingest(made.url).problems == []


def test_impact_names_what_needs_an_entity_and_whom_to_tell(
    catalog: Catalog, repo: MakeRepository, impacts: ImpactService
) -> None:
    chain(catalog, repo)

    impact = impacts.of_entity(A)

    assert [(item.ref, item.distance, item.path) for item, _ in impact.reached.dependents] == [
        (B, 1, (A, B)),
        (C, 2, (A, B, C)),
    ]
    assert [(item.ref, item.count, item.distance) for item in impact.reached.owners] == [
        ("group:default/team-a", 1, 1),
        ("group:default/team-b", 1, 2),
    ]


def test_the_graph_is_walked_in_the_direction_asked(
    catalog: Catalog, repo: MakeRepository, subgraphs: SubGraphService
) -> None:
    chain(catalog, repo)

    out = subgraphs.around(C, depth=2, direction="out", types=["dependsOn"])
    back = subgraphs.around(A, depth=5, direction="in", types=["dependsOn"])
    both = subgraphs.around(B, depth=1, types=["dependsOn"])

    gone = EntityRef("component:default/gone")
    assert [node.ref for node in out.nodes] == [A, B, C, gone]
    assert out.edges == [Relation(B, "dependsOn", A), Relation(C, "dependsOn", B), Relation(C, "dependsOn", gone)]
    assert back.edges == [Relation(B, "dependsOn", A), Relation(C, "dependsOn", B)]
    assert both.edges == [Relation(B, "dependsOn", A), Relation(C, "dependsOn", B)]
    assert {node.owner for node in both.nodes} == {"group:default/team-a", "group:default/team-b"}


def test_what_is_not_in_the_catalog_has_no_graph(
    catalog: Catalog, repo: MakeRepository, impacts: ImpactService, subgraphs: SubGraphService
) -> None:
    chain(catalog, repo)

    with pytest.raises(NotFoundError):
        subgraphs.around(EntityRef("component:default/never"))
    with pytest.raises(NotFoundError):
        impacts.of_entity(EntityRef("component:default/never"))
    with pytest.raises(InputError, match="dependson"):
        subgraphs.around(A, types=["dependson"])


def test_a_layer_comes_from_the_entity_its_system_its_domain_or_its_kind(
    catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                LAYERS,
                entity("Domain", "d", "owner: team-a, layer: low"),
                entity("System", "s", "owner: team-a, domain: d"),
                entity("System", "own", "owner: team-a, layer: high"),
                component("own", more="layer: high, system: s"),
                component("by-system", more="system: own"),
                component("by-domain", more="system: s"),
                component("none"),
                entity("Dataset", "by-kind", "type: table, lifecycle: x, owner: team-a", version="portal/v1alpha1"),
                group("team-a", more="roles: [builder]"),
            )
        }
    )
    assert catalog.ingest(made.url).problems == []
    with catalog.database.reading() as connection:
        nodes = graph.nodes(connection, default_layers=all_kinds().default_layers)

    layers = {ref.name: node.layer for ref, node in nodes.items() if ref.kind in {"component", "dataset"}}

    assert layers == {
        "own": "layer:default/high",
        "by-system": "layer:default/high",
        "by-domain": "layer:default/low",
        "none": None,
        "by-kind": "layer:default/shared",
    }
    findings = {(finding.ref.name, finding.rule) for finding in ownership.findings()}
    assert ("none", "portal/layer-known") in findings
    assert ("by-kind", "portal/layer-known") in findings
    assert ("by-system", "portal/owner-role") in findings
    assert not {rule for name, rule in findings if name == "by-domain"}


def test_an_owner_is_checked_before_anything_is_made(
    catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    made = repo({"catalog-info.yaml": documents(LAYERS, group("team-a", more="roles: [builder]"), group("team-b"))})
    catalog.ingest(made.url)
    good, other, gone = (EntityRef(f"group:default/{name}") for name in ("team-a", "team-b", "gone"))

    assert ownership.check_owner(good, "low") == []
    assert [finding.rule for finding in ownership.check_owner(other, "low")] == ["portal/owner-role"]
    assert [finding.rule for finding in ownership.check_owner(gone, "low")] == ["portal/owner-exists"]
    assert [finding.rule for finding in ownership.check_owner(good, "odd")] == ["portal/layer-known"]


def test_the_number_of_statements_is_always_the_same(
    catalog: Catalog, repo: MakeRepository, impacts: ImpactService
) -> None:
    counts = []
    for size in (10, 20):
        files = documents(
            component(f"root-{size}"),
            *(component(f"n{size}-{number}", more=f"dependsOn: ['component:root-{size}']") for number in range(size)),
        )
        catalog.ingest(repo({"catalog-info.yaml": files}, name=f"r{size}").url)
        seen: list[str] = []

        def note(connection, cursor, statement, parameters, context, executemany, seen=seen) -> None:
            seen.append(statement)

        # What needs what is held from then on.
        impacts.of_entity(EntityRef(f"component:default/root-{size}"))
        event.listen(catalog.database.engine, "before_cursor_execute", note)
        assert len(impacts.of_entity(EntityRef(f"component:default/root-{size}")).reached.dependents) == size
        event.remove(catalog.database.engine, "before_cursor_execute", note)
        counts.append(len(seen))

    assert counts[0] == counts[1]


def test_without_relation_types_each_is_followed_in_its_declared_sense(
    catalog: Catalog, repo: MakeRepository, subgraphs: SubGraphService, ownership: OwnershipService
) -> None:
    chain(catalog, repo)
    team = EntityRef("group:default/team-a")

    out = subgraphs.around(B, direction="out")
    back = subgraphs.around(B, direction="in")
    both = subgraphs.around(B)

    assert out.edges == [Relation(B, "dependsOn", A), Relation(B, "ownedBy", team)]
    assert back.edges == [Relation(C, "dependsOn", B)]
    assert both.edges == sorted(out.edges + back.edges)
    assert subgraphs.around(B, depth=0).nodes == [ownership.nodes([B])[B]]


def test_a_cycle_of_needs_hits_everything_in_it_once(
    catalog: Catalog, repo: MakeRepository, impacts: ImpactService
) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                component("a", more="dependsOn: ['component:c', 'component:a']"),
                component("b", more="dependsOn: ['component:a']"),
                component("c", more="dependsOn: ['component:b']"),
            )
        }
    )
    catalog.ingest(made.url)

    assert [(item.ref, item.distance) for item, _ in impacts.of_entity(A).reached.dependents] == [(B, 1), (C, 2)]


def test_findings_follow_the_catalog(catalog: Catalog, repo: MakeRepository, ownership: OwnershipService) -> None:
    made = repo({"catalog-info.yaml": documents(LAYERS, component("a", more="layer: low"), group("team-a"))})
    catalog.ingest(made.url)
    assert [(item.ref, item.rule) for item in ownership.findings()] == [(A, "portal/owner-role")]
    assert [view.layer.name for view in ownership.layers() if view.layer] == ["high", "low"]

    made.commit(
        {
            "catalog-info.yaml": documents(
                LAYERS, component("a", more="layer: low"), group("team-a", more="roles: [builder]"), component("b")
            )
        }
    )
    catalog.service.refresh()

    assert [(item.ref, item.rule) for item in ownership.findings()] == [(B, "portal/layer-known")]
    assert ownership.findings([A]) == []
    assert [item.ref for item in ownership.findings([A, B])] == [B]


def test_findings_take_the_same_statements_for_any_size_and_few_when_nothing_changed(
    catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    counts = []
    for size in (5, 40):
        stewarded = "layer: low, stewards: [{ref: team-a, duty: x}]"
        files = documents(LAYERS, *(component(f"n{number}", more=stewarded) for number in range(size)), group("team-a"))
        catalog.ingest(repo({"catalog-info.yaml": files}, name=f"r{size}").url)
        for _ in range(2):
            seen: list[str] = []

            def note(connection, cursor, statement, parameters, context, executemany, seen=seen) -> None:
                seen.append(statement)

            event.listen(catalog.database.engine, "before_cursor_execute", note)
            ownership.findings()
            event.remove(catalog.database.engine, "before_cursor_execute", note)
            counts.append(len(seen))

    assert counts[0] == counts[2]
    assert counts[1] == counts[3] < counts[0]


def test_the_stricter_of_two_policies_for_one_rule_counts(
    catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    def policy(name: str, severity: str) -> str:
        spec = f"owner: team-a, rule: portal/owner-role, layers: [low], severity: {severity}"
        return entity("Policy", name, spec, version="portal/v1alpha1")

    made = repo(
        {
            "catalog-info.yaml": documents(
                LAYERS, policy("a", "enforce"), policy("b", "off"), component("a", more="layer: low"), group("team-a")
            )
        }
    )
    catalog.ingest(made.url)

    assert [item.severity for item in ownership.findings()] == ["enforce"]


def test_what_stands_beside_the_layers_needs_a_living_owner_and_no_more(
    catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                LAYERS,
                entity("Domain", "good", "owner: team-a, layer: high"),
                entity("Domain", "bad", "owner: gone"),
                group("team-a"),
            )
        }
    )
    catalog.ingest(made.url)

    assert [(item.ref.name, item.rule) for item in ownership.findings()] == [("bad", "portal/owner-exists")]


def test_the_summary_counts_by_kind_and_layer(
    catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                LAYERS, component("a", more="layer: low"), component("b"), "kind: Odd", group("team-a")
            )
        }
    )
    catalog.ingest(made.url)

    summary = ownership.summary()

    assert summary.counts["Component"] == {"low": 1, "": 1}
    assert summary.layers == ["low", "high"]
    assert summary.owners == {"group:default/team-a": 4}
    assert [problem.code for problem in summary.problems] == [problem.code for problem in ownership.problems()] != []


def test_many_readers_get_one_answer(catalog: Catalog, repo: MakeRepository, ownership: OwnershipService) -> None:
    made = repo({"catalog-info.yaml": documents(LAYERS, component("a"), group("team-a"))})
    catalog.ingest(made.url)

    with ThreadPoolExecutor(8) as readers:
        answers = list(readers.map(lambda _: ownership.findings(), range(16)))

    assert all(answer == answers[0] for answer in answers)
