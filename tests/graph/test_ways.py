import itertools

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.graph.walk import over
from portal.graph.ways import Ways, ways
from portal.model.ref import EntityRef

REFS = [EntityRef(f"component:default/c{number}") for number in range(9)]
NUMBERS = st.integers(0, len(REFS) - 1)


def found(edges: list[tuple[int, int]], start: int, goal: int, *, depth: int = 100, most: int = 1_000) -> Ways:
    there: dict[EntityRef, list[EntityRef]] = {}
    back: dict[EntityRef, list[EntityRef]] = {}
    for source, target in edges:
        there.setdefault(REFS[source], []).append(REFS[target])
        back.setdefault(REFS[target], []).append(REFS[source])
    return ways(REFS[start], REFS[goal], forwards=over(there), backwards=over(back), depth=depth, most=most)


def all_of(answer: Ways) -> set[tuple[EntityRef, ...]]:
    pending, ended = [(answer.start,)], set()
    while pending:
        way = pending.pop()
        if way[-1] == answer.goal:
            ended.add(way)
        else:
            pending += [(*way, ref) for ref in answer.after.get(way[-1], ())]
    return ended


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30), NUMBERS, NUMBERS)
def test_the_ways_are_all_shortest_ones_and_no_others(edges, start, goal) -> None:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(REFS)))
    graph.add_edges_from(edges)
    try:
        expected = {tuple(REFS[n] for n in way) for way in nx.all_shortest_paths(graph, start, goal)}
    except nx.NetworkXNoPath:
        expected = set()

    answer = found(edges, start, goal)

    assert all_of(answer) == expected
    assert answer.first == list(min(expected, default=()))
    assert not expected or answer.refs == set(itertools.chain(*expected))


@pytest.mark.parametrize(("depth", "length"), [(2, 0), (3, 4)])
def test_a_way_that_is_too_long_is_none(depth: int, length: int) -> None:
    answer = found([(0, 1), (1, 2), (2, 3)], 0, 3, depth=depth)

    assert (len(answer.first), answer.is_cut) == (length, False)


def test_a_search_that_sees_too_much_says_that_it_was_cut() -> None:
    star = [(hub, leaf) for hub in (0, 8) for leaf in range(1, 8) if (hub == 0) == (leaf < 4)]

    assert found([*star, *((leaf, hub) for hub, leaf in star)], 0, 8, most=4).is_cut
