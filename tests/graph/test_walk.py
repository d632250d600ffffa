import itertools

from hypothesis import given
from hypothesis import strategies as st

from portal.graph.impact import dependents, owners_to_tell
from portal.graph.walk import over, walk
from portal.model.ref import EntityRef
from portal.model.relation import Relation

REFS = [EntityRef(f"component:default/c{number}") for number in range(8)]


def graph(*edges: tuple[int, int]) -> dict[EntityRef, list[Relation]]:
    found: dict[EntityRef, list[Relation]] = {}
    for source, target in edges:
        found.setdefault(REFS[source], []).append(Relation(REFS[source], "dependencyOf", REFS[target]))
    return found


def test_a_walk_ends_in_a_cycle() -> None:
    found = walk(REFS[0], over(graph((0, 1), (1, 2), (2, 0))))

    assert found.distances == {REFS[0]: 0, REFS[1]: 1, REFS[2]: 2}
    assert found.path(REFS[2]) == REFS[:3]


def test_a_walk_stops_at_its_depth() -> None:
    found = walk(REFS[0], over(graph((0, 1), (1, 2))), depth=1)

    assert found.distances == {REFS[0]: 0, REFS[1]: 1}


def test_the_nearest_owners_are_told_first() -> None:
    found = walk(REFS[0], over(graph((0, 1), (1, 2), (1, 3), (0, 4))))
    owner, other, far = (EntityRef(f"group:default/{name}") for name in ("a", "b", "c"))

    told = owners_to_tell(
        dependents(found, REFS[0]), {REFS[1]: other, REFS[2]: far, REFS[3]: far, REFS[4]: owner, REFS[5]: None}
    )

    assert [(item.ref, item.count, item.distance) for item in told] == [(owner, 1, 1), (other, 1, 1), (far, 2, 2)]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=24))
def test_every_path_is_a_shortest_one(edges: list[tuple[int, int]]) -> None:
    made = graph(*edges)
    found = walk(REFS[0], over(made))

    pairs = {(relation.source, relation.target) for relations in made.values() for relation in relations}
    for ref, distance in found.distances.items():
        path = found.path(ref)
        assert len(path) == distance + 1
        assert all(step in pairs for step in itertools.pairwise(path))
    assert all(
        found.distances[target] <= found.distances[source] + 1 for source, target in pairs if source in found.distances
    )
