"""Walks a graph outwards, a set of entities at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from portal.model.ref import EntityRef
from portal.model.relation import Relation

#: Gives all relations that leave some entities, in one go.
Neighbours = Callable[[Collection[EntityRef]], Iterable[Relation]]


@dataclass(slots=True)
class Walk:
    """What a walk has reached: the distance of each entity, the relation that led there first, and all relations."""

    distances: dict[EntityRef, int] = field(default_factory=dict)
    reached_by: dict[EntityRef, Relation] = field(default_factory=dict)
    relations: set[Relation] = field(default_factory=set)

    def path(self, ref: EntityRef) -> list[EntityRef]:
        """Return one shortest path, from the root to an entity that was reached."""
        path = [ref]
        while path[-1] in self.reached_by:
            path.append(self.reached_by[path[-1]].source)
        return path[::-1]


def walk(root: EntityRef, neighbours: Neighbours, *, depth: int | None = None) -> Walk:
    """Walk from `root` along the relations that `neighbours` gives, at most `depth` far; cycles end.

    Of several shortest paths to an entity the one that sorts first is taken, so that walks compare equal.
    """
    found = Walk({root: 0})
    frontier = {root}
    distance = 0
    while frontier and (depth is None or distance < depth):
        distance += 1
        reached: dict[EntityRef, Relation] = {}
        for relation in sorted(neighbours(frontier)):
            found.relations.add(relation)
            if relation.target not in found.distances:
                reached.setdefault(relation.target, relation)
        found.reached_by |= reached
        found.distances |= dict.fromkeys(reached, distance)
        frontier = set(reached)
    return found


def over(graph: Mapping[EntityRef, Collection[Relation]]) -> Neighbours:
    """Return the neighbours of a graph that is in memory."""
    return lambda frontier: [relation for ref in frontier for relation in graph.get(ref, ())]
