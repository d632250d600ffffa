from __future__ import annotations

import pytest
from catalogs import component, documents, entity
from portals import Catalog
from repositories import MakeRepository

from portal.defaults.kinds import all_kinds
from portal.errors import InputError, NotFoundError
from portal.model.ref import EntityRef
from portal.model.relation import Relation
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.subgraph import MOST_EXPANDED, SubGraphService

A, B, C, D, E = (EntityRef(f"component:default/{name}") for name in "abcde")
LOW, HIGH = (EntityRef(f"layer:default/{name}") for name in ("low", "high"))


@pytest.fixture
def subgraphs(catalog: Catalog, repo: MakeRepository) -> SubGraphService:
    """Two ways from D over B or C to A, with E beyond and a hub that all depend on."""
    layers = documents(
        entity("Layer", "low", "rank: 1, owner: team-a, ownerRoles: [builder]", version="portal/v1alpha1"),
        entity("Layer", "high", "rank: 2, owner: team-a, ownerRoles: [maker]", version="portal/v1alpha1"),
        entity("Role", "builder", "layers: [low]", version="portal/v1alpha1"),
        entity("Role", "maker", "layers: [high]", version="portal/v1alpha1"),
    )
    made = repo(
        {
            "catalog-info.yaml": documents(
                layers,
                component("a", more="layer: low"),
                component("b", more="layer: low, dependsOn: ['component:a']"),
                component("c", more="layer: high, dependsOn: ['component:a']"),
                component("d", more="layer: high, dependsOn: ['component:b', 'component:c', 'component:gone']"),
                component("e", more="layer: high, dependsOn: ['component:d']"),
            )
        }
    )
    catalog.ingest(made.url)
    kinds = KindsService(catalog.database, all_kinds())
    return SubGraphService(catalog.database, OwnershipService(catalog.database, kinds), kinds)


def test_all_shortest_ways_between_two_are_shown(subgraphs: SubGraphService) -> None:
    found = subgraphs.between(D, A, types=["dependsOn"])

    assert [node.ref for node in found.nodes] == [A, B, C, D]
    assert found.edges == [Relation(source, "dependsOn", target) for source, target in ((B, A), (C, A), (D, B), (D, C))]
    assert found.way == [D, B, A]
    assert [layer.ref for layer in found.layers] == [HIGH, LOW]


@pytest.mark.parametrize(
    ("options", "way"),
    [
        ({"direction": "out"}, [D, B, A]),
        ({"direction": "in"}, []),
        ({"depth": 1}, []),
        ({"layers": ["high"]}, [D, C, A]),
        ({"kinds": ["system"]}, []),
    ],
)
def test_ways_keep_to_what_is_asked_for(subgraphs: SubGraphService, options: dict, way: list) -> None:
    found = subgraphs.between(D, A, types=["dependsOn"], **options)

    assert found.way == way
    assert not found.is_truncated
    assert {node.ref for node in found.nodes} >= {D, A}


def test_one_way_is_shown_where_all_take_too_much_room(subgraphs: SubGraphService) -> None:
    found = subgraphs.between(D, A, types=["dependsOn"], most=3)

    assert ([node.ref for node in found.nodes], found.left_out, found.is_truncated) == ([A, B, D], 1, True)
    assert found.edges == [Relation(B, "dependsOn", A), Relation(D, "dependsOn", B)]


def test_both_ends_of_a_way_must_be_there(subgraphs: SubGraphService) -> None:
    with pytest.raises(NotFoundError):
        subgraphs.between(A, EntityRef("component:default/never"))


def test_what_is_named_and_not_there_has_a_graph_too(subgraphs: SubGraphService) -> None:
    gone = EntityRef("component:default/gone")

    found, way = subgraphs.around(gone), subgraphs.between(E, gone)

    assert [(node.ref, node.is_there) for node in found.nodes] == [(D, True), (gone, False)]
    assert way.way == [E, D, gone]


def test_what_is_expanded_is_shown_with_what_is_beside_it(subgraphs: SubGraphService) -> None:
    found = subgraphs.around(A, types=["dependsOn"], expand=[D, B])
    beyond = subgraphs.around(A, types=["dependsOn"], expand=[E])

    assert [node.ref for node in found.nodes] == [A, B, C, D, E, EntityRef("component:default/gone")]
    # What is not in the catalog is told apart from what is, in each form.
    assert [node.to_json().get("exists", True) for node in found.nodes] == [True] * 5 + [False]
    for form, told in (
        ("mermaid", "component, not in the catalog"),
        ("dot", "not in the catalog"),
        ("graphml", "False"),
    ):
        assert told in found.written(form)
    assert [node.ref for node in beyond.nodes] == [A, B, C]
    with pytest.raises(InputError, match="too many"):
        subgraphs.around(A, expand=[A] * (MOST_EXPANDED + 1))


def test_what_is_left_out_is_counted_and_what_is_hidden_beside_each(subgraphs: SubGraphService) -> None:
    found = subgraphs.around(D, types=["dependsOn"], most=3)

    assert (len(found.nodes), found.left_out) == (3, 2)
    assert subgraphs.hidden_steps(found, types=["dependsOn"])[D] == 2
    whole = subgraphs.around(D, types=["dependsOn"], depth=5)
    assert subgraphs.hidden_steps(whole, types=["dependsOn"]) == {}
