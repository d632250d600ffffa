from hypothesis import given
from hypothesis import strategies as st

from portal.graph.reach import DependencyGraph
from portal.graph.walk import over, walk
from portal.model.ref import EntityRef

#: Numbers do not sort as their references do.
REFS = {number: EntityRef(f"component:default/c{(number * 5) % 8}") for number in range(8)}
STEPS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.booleans()), max_size=24)


@given(STEPS, st.sets(st.integers(0, 9), min_size=1, max_size=3))
def test_what_is_reached_equals_a_walk_with_its_paths(steps, roots) -> None:
    graph: dict[EntityRef, list[EntityRef]] = {}
    for source, target, _ in steps:
        graph.setdefault(REFS[source], []).append(REFS[target])
    walks = {root: walk(REFS[root], over(graph)) for root in roots if root in REFS}

    found = DependencyGraph.of([steps]).reach(roots)

    nearest: dict[EntityRef, int] = {REFS[root]: 0 for root in roots if root in REFS}
    for walked in walks.values():
        for ref, distance in walked.distances.items():
            nearest[ref] = min(distance, nearest.get(ref, distance))
    assert {REFS[number]: distance for number, distance in found.distances.items() if number in REFS} == nearest
    for number in found.reached:
        path = list(found.path(number, REFS))
        assert len(path) == found.distances[number] + 1
        assert path[-1] == REFS[number]
        if len(roots) == 1:
            assert path == next(iter(walks.values())).path(REFS[number])


@given(st.lists(STEPS, min_size=1, max_size=4), st.data())
def test_a_graph_that_follows_changes_equals_one_made_anew(states, data) -> None:
    """Each entity declares the steps of a list of its own; some of them declare others in turn."""
    declared: dict[int, list[tuple[int, int, bool]]] = {}
    graph = DependencyGraph.of([])
    for steps in states:
        changed = data.draw(st.sets(st.integers(0, 8), max_size=4))
        before = graph.steps()
        for number in changed:
            declared[number] = [step for step in steps if number == (step[0] if step[2] else step[1])]
        new = [step for number in changed for step in declared[number]]
        graph, older = graph.with_declared(changed, new), graph

        assert older.steps() == before
        assert graph.steps() == DependencyGraph.of([[step for found in declared.values() for step in found]]).steps()


def test_a_long_chain_tells_its_longest_path() -> None:
    count = 5_000
    found = DependencyGraph.of([[(number, number + 1, True) for number in range(count)]]).reach([0])

    refs = {number: EntityRef(f"component:default/{number}") for number in range(count + 1)}
    assert found.path(count, refs) == tuple(refs.values())
