"""Walks a graph outwards, a set of entities at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from portal.errors import InputError
from portal.model.ref import EntityRef
from portal.model.relation import RELATION_TYPES, Relation, RelationType
from portal.model.sentence import Sentence

Direction = Literal["in", "out", "both"]

#: Gives every step, as (from, to), that leaves some entities, in one go.
Neighbours = Callable[[Collection[EntityRef]], Iterable[tuple[str, str]]]


@dataclass(slots=True)
class Walk:
    """What a walk has reached: the distance of each entity, and the one before it on a shortest path."""

    distances: dict[EntityRef, int] = field(default_factory=dict)
    previous: dict[EntityRef, EntityRef] = field(default_factory=dict)

    def path(self, ref: EntityRef) -> list[EntityRef]:
        """Return one shortest path, from the root to an entity that was reached."""
        path = [ref]
        while path[-1] in self.previous:
            path.append(self.previous[path[-1]])
        return path[::-1]


def walk(root: EntityRef, neighbours: Neighbours, *, depth: int | None = None) -> Walk:
    """Walk from `root` along the steps that `neighbours` gives, at most `depth` far; cycles end.

    Of several entities that lead to another at the same distance the one that sorts first counts, so that walks
    compare equal, in whatever order the steps are given.
    """
    found = Walk({root: 0})
    frontier: Collection[EntityRef] = {root}
    distance = 0
    while frontier and (depth is None or distance < depth):
        distance += 1
        reached: dict[str, str] = {}
        for source, target in neighbours(frontier):
            if target not in found.distances and (target not in reached or source < reached[target]):
                reached[target] = source
        frontier = {EntityRef(target) for target in reached}
        found.distances.update(dict.fromkeys(frontier, distance))
        found.previous.update((target, EntityRef(reached[target])) for target in frontier)
    return found


@dataclass(frozen=True, slots=True)
class Course:
    """Which relations a walk follows: those of `types` as they are (`out`), those that lead here (`in`), or either.

    Each relation is held in both directions, so that one that leads here is found as its inverse, leaving from here.
    """

    types: frozenset[str]
    direction: Direction
    inverses: Mapping[str, str]

    @classmethod
    def of(
        cls, types: Collection[str] | None, direction: Direction, *, known: Collection[RelationType] = RELATION_TYPES
    ) -> Course:
        """Return the course along some types, or along every relation that is known, in its declared sense.

        Raises `InputError` for an unknown type.
        """
        inverses = {pair.forward: pair.inverse for pair in known} | {pair.inverse: pair.forward for pair in known}
        for name in types or ():
            if name not in inverses:
                raise InputError(
                    Sentence(
                        'Unknown relation "%(name)s"; known are %(inverses)s', name=name, inverses=sorted(inverses)
                    )
                )
        followed = (pair.forward for pair in known) if types is None else types
        return cls(frozenset(followed), direction, inverses)

    @property
    def followed(self) -> frozenset[str]:
        """The types of the relations to read, those that leave the frontier."""
        turned = frozenset(self.inverses[name] for name in self.types)
        return {"out": self.types, "in": turned, "both": self.types | turned}[self.direction]

    def told(self, relation: Relation) -> Relation:
        """Return a relation that was followed as it was asked for: one that leads here is told from its own side."""
        if self.direction != "in" and relation.type in self.types:
            return relation
        return Relation(relation.target, self.inverses[relation.type], relation.source)


def beyond(refs: Iterable[EntityRef], neighbours: Neighbours) -> dict[EntityRef, set[EntityRef]]:
    """Return where the steps that `neighbours` gives lead from some entities, and from all that they lead to."""
    found: dict[EntityRef, set[EntityRef]] = {}
    seen: set[EntityRef] = set()
    frontier = {*refs}
    while frontier:
        seen |= frontier
        for source, target in neighbours(frontier):
            found.setdefault(EntityRef(source), set()).add(EntityRef(target))
        frontier = {target for ref in frontier for target in found.get(ref, ())} - seen
    return found


def over(graph: Mapping[EntityRef, Collection[EntityRef]]) -> Neighbours:
    """Return the neighbours of a graph that is in memory."""
    return lambda frontier: [(ref, target) for ref in frontier for target in graph.get(ref, ())]
