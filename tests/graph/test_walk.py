import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import InputError
from portal.graph.impact import REACHED_TYPES, dependents, owners_to_tell
from portal.graph.walk import Course, over, walk
from portal.model.ref import EntityRef
from portal.model.relation import INVERSES, RELATION_TYPES, Relation

REFS = [EntityRef(f"component:default/c{number}") for number in range(8)]
A, B = REFS[:2]


def graph(*edges: tuple[int, int]) -> dict[EntityRef, list[EntityRef]]:
    found: dict[EntityRef, list[EntityRef]] = {}
    for source, target in edges:
        found.setdefault(REFS[source], []).append(REFS[target])
    return found


def test_a_walk_ends_in_a_cycle() -> None:
    found = walk(REFS[0], over(graph((0, 1), (1, 2), (2, 0))))

    assert found.distances == {REFS[0]: 0, REFS[1]: 1, REFS[2]: 2}
    assert found.path(REFS[2]) == REFS[:3]


def test_a_walk_stops_at_its_depth() -> None:
    made = over(graph((0, 1), (1, 2)))

    assert walk(REFS[0], made, depth=1).distances == {REFS[0]: 0, REFS[1]: 1}
    assert walk(REFS[0], made, depth=0).distances == {REFS[0]: 0}


def test_neighbours_are_asked_for_once_for_each_distance() -> None:
    made = graph((0, 1), (0, 2), (1, 3), (2, 3), (3, 4))
    asked = []

    def noted(frontier):
        asked.append(set(frontier))
        return over(made)(frontier)

    walk(REFS[0], noted)

    assert asked == [{REFS[0]}, {REFS[1], REFS[2]}, {REFS[3]}, {REFS[4]}]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=24), st.randoms())
def test_every_path_is_a_shortest_one_in_whatever_order_steps_come(edges, random) -> None:
    found = walk(REFS[0], over(graph(*edges)))

    pairs = {(REFS[source], REFS[target]) for source, target in edges}
    for ref, distance in found.distances.items():
        path = found.path(ref)
        assert path[0] == REFS[0]
        assert len(path) == distance + 1
        assert all(step in pairs for step in itertools.pairwise(path))
    assert all(
        found.distances[target] <= found.distances[source] + 1 for source, target in pairs if source in found.distances
    )
    random.shuffle(edges)
    assert walk(REFS[0], over(graph(*edges))) == found


def test_what_is_hit_is_told_nearest_first_with_the_way_to_it() -> None:
    found = dependents(walk(REFS[0], over(graph((0, 3), (0, 4), (3, 1), (1, 2)))), REFS[0])

    assert [(item.ref, item.distance, item.path) for item in found] == [
        (REFS[3], 1, (REFS[0], REFS[3])),
        (REFS[4], 1, (REFS[0], REFS[4])),
        (REFS[1], 2, (REFS[0], REFS[3], REFS[1])),
        (REFS[2], 3, (REFS[0], REFS[3], REFS[1], REFS[2])),
    ]


def test_the_nearest_owners_are_told_first() -> None:
    found = walk(REFS[0], over(graph((0, 1), (1, 2), (1, 3), (0, 4))))
    owner, other, far = (EntityRef(f"group:default/{name}") for name in ("a", "b", "c"))

    owners = {REFS[1]: other, REFS[2]: far, REFS[3]: far, REFS[4]: owner}
    told = owners_to_tell((owners.get(ref), distance) for ref, distance in found.distances.items())

    assert [(item.ref, item.count, item.distance) for item in told] == [(owner, 1, 1), (other, 1, 1), (far, 2, 2)]


def test_a_change_reaches_what_needs_not_what_is_needed() -> None:
    assert {"dependencyOf", "apiConsumedBy", "consumedBy", "produces", "trains", "derives"} <= REACHED_TYPES
    assert not REACHED_TYPES & {"dependsOn", "ownerOf", "ownedBy", "hasPart"}


@pytest.mark.parametrize(
    ("direction", "followed", "told"),
    [
        ("out", {"dependsOn"}, [Relation(A, "dependsOn", B)]),
        ("in", {"dependencyOf"}, [Relation(B, "dependsOn", A)]),
        ("both", {"dependsOn", "dependencyOf"}, [Relation(A, "dependsOn", B), Relation(B, "dependsOn", A)]),
    ],
)
def test_a_course_tells_each_relation_as_it_was_asked_for(direction, followed, told) -> None:
    course = Course.of(["dependsOn"], direction)
    leaving = [Relation(A, "dependsOn", B), Relation(A, "dependencyOf", B)]

    assert course.followed == followed
    assert [course.told(relation) for relation in leaving if relation.type in course.followed] == told


def test_a_course_without_types_tells_every_relation_once() -> None:
    course = Course.of(None, "both")

    assert course.followed == set(INVERSES)
    told = {course.told(Relation(A, name, B)) for pair in RELATION_TYPES for name in (pair.forward, pair.inverse)}
    assert {relation.type for relation in told} == {pair.forward for pair in RELATION_TYPES}


def test_an_unknown_relation_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match=r'"owns"; known are .*ownedBy'):
        Course.of(["ownedBy", "owns"], "out")
