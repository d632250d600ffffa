"""Finds what a change reaches in a graph that is held in memory, where entities are numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from portal.model.ref import EntityRef

if TYPE_CHECKING:
    import rustworkx

#: From what is needed to what needs it, and whether the first of the two declares it (the second does otherwise).
Step: TypeAlias = tuple[int, int, bool]
_Graph: TypeAlias = "rustworkx.PyDiGraph[None, bool]"


class DependencyGraph:
    """What needs what, as of one revision; never changed once it is made, so that many may look at it at once.

    An entity's number is the index of its node: 64 bytes for each step, and nothing beside it.
    """

    def __init__(self, graph: _Graph) -> None:
        self._graph = graph

    @classmethod
    def of(cls, portions: Iterable[Collection[Step]]) -> DependencyGraph:
        """Return the graph of some steps, which come in portions."""
        import rustworkx  # noqa: PLC0415  # 4 MB that an ingest does not need

        graph: _Graph = rustworkx.PyDiGraph()
        for steps in portions:
            _add(graph, steps)
        return cls(graph)

    def with_declared(self, declaring: Collection[int], steps: Collection[Step]) -> DependencyGraph:
        """Return the graph in which some entities declare just these steps; this one stays as it is."""
        graph = self._graph.copy()
        for number in declaring:
            if graph.has_node(number):
                for index, (source, target, by_source) in graph.incident_edge_index_map(number, all_edges=True).items():
                    if number == (source if by_source else target):
                        graph.remove_edge_from_index(index)
        _add(graph, steps)
        return DependencyGraph(graph)

    def steps(self) -> list[Step]:
        """Return all steps, sorted; one that several relations tell comes as often."""
        return sorted(self._graph.weighted_edge_list())

    def reach(self, roots: Collection[int]) -> Reach:
        """Return what is reached from some entities, each with its distance from the nearest of them."""
        there = sorted(number for number in set(roots) if self._graph.has_node(number))
        import rustworkx  # noqa: PLC0415

        layers = rustworkx.bfs_layers(self._graph, there) if there else []
        distances: dict[int, int] = {}
        for distance, layer in enumerate(layers):
            distances.update(dict.fromkeys(layer, distance))
        distances.update(dict.fromkeys(roots, 0))
        return Reach(distances, self._graph)


@dataclass(slots=True)
class Reach:
    """What was reached: the distance of each entity by number, 0 for where it began."""

    distances: Mapping[int, int]
    _graph: _Graph
    _paths: dict[int, tuple[EntityRef, ...]] = field(default_factory=dict)

    @property
    def reached(self) -> list[int]:
        """The numbers of what was reached, without where it began."""
        return [number for number, distance in self.distances.items() if distance]

    def before(self, number: int) -> list[int]:
        """Return what leads to an entity on its shortest paths: all that is one step nearer."""
        distance = self.distances.get
        nearer = self.distances[number] - 1
        return [found for found in self._graph.predecessor_indices(number) if distance(found) == nearer]

    def path(self, number: int, refs: Mapping[int, str]) -> tuple[EntityRef, ...]:
        """Return one shortest path to an entity, from where it begins; `refs` says what numbers stand for.

        Of several that lead to an entity the one whose reference sorts first counts, as in `portal.graph.walk`.
        """
        pending = []
        paths, distances = self._paths, self.distances
        while number not in paths and distances[number]:
            pending.append(number)
            nearer = self.before(number)
            number = nearer[0] if len(nearer) == 1 else min(nearer, key=refs.__getitem__)
        path = paths.get(number) or (EntityRef(refs[number]),)
        for following in reversed(pending):
            path = paths[following] = (*path, EntityRef(refs[following]))
        return path


def _add(graph: _Graph, steps: Collection[Step]) -> None:
    if steps:
        missing = max(max(source, target) for source, target, _ in steps) + 1 - graph.num_nodes()
        if missing > 0:
            graph.add_nodes_from([None] * missing)
        graph.add_edges_from(list(steps))
