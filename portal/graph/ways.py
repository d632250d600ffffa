"""Finds the shortest ways from one entity to another, a set of entities at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from portal.graph.walk import Neighbours
from portal.model.ref import EntityRef


@dataclass(frozen=True, slots=True)
class Ways:
    """All shortest ways between two entities: `after` says where each entity on one leads on to.

    Without any way `after` is empty; `is_cut` then says that the search ended before it had seen all there is.
    """

    start: EntityRef
    goal: EntityRef
    after: Mapping[EntityRef, Collection[EntityRef]] = field(default_factory=dict)
    is_cut: bool = False

    @property
    def first(self) -> list[EntityRef]:
        """One way, that which sorts first, both ends among it; empty where there is none."""
        if self.start == self.goal:
            return [self.start]
        if not self.after:
            return []
        found = [self.start]
        while found[-1] != self.goal:
            found.append(min(self.after[found[-1]]))
        return found

    @property
    def refs(self) -> set[EntityRef]:
        """Every entity on any of them."""
        return {self.start, self.goal, *self.after, *(ref for refs in self.after.values() for ref in refs)}


@dataclass(slots=True)
class _Side:
    """What was reached from one end: how far away, and from which entities one step nearer."""

    neighbours: Neighbours
    frontier: set[EntityRef]
    seen: dict[EntityRef, set[EntityRef]]
    distance: int = 0

    def go_on(self) -> set[EntityRef]:
        """Take one more step from everywhere; return what is new."""
        fresh: dict[EntityRef, set[EntityRef]] = {}
        for source, target in self.neighbours(self.frontier):
            if target not in self.seen:
                fresh.setdefault(EntityRef(target), set()).add(EntityRef(source))
        self.seen.update(fresh)
        self.frontier = set(fresh)
        self.distance += 1
        return self.frontier

    def back(self, refs: Collection[EntityRef]) -> dict[EntityRef, set[EntityRef]]:
        """Return where each entity between some and this end was reached from."""
        found: dict[EntityRef, set[EntityRef]] = {}
        pending = set(refs)
        while pending:
            ref = pending.pop()
            if ref not in found:
                found[ref] = self.seen[ref]
                pending |= found[ref]
        return found


def ways(
    start: EntityRef, goal: EntityRef, *, forwards: Neighbours, backwards: Neighbours, depth: int, most: int
) -> Ways:
    """Return all shortest ways of at most `depth` steps.

    `forwards` gives the steps that leave entities, `backwards` those that lead to them, told as (to, from). Both ends
    are looked from at once, the side with less to look at first, so that little is seen of what lies beyond either; the
    search ends when it has seen more than `most` entities.
    """
    here, there = (_Side(forwards, {start}, {start: set()}), _Side(backwards, {goal}, {goal: set()}))
    if start == goal:
        return Ways(start, goal)
    while here.frontier and there.frontier and here.distance + there.distance < depth:
        side, other = (here, there) if len(here.frontier) <= len(there.frontier) else (there, here)
        # Any way that is shorter would have met before: all that meets now lies on ways of one length.
        met = side.go_on() & other.seen.keys()
        if met:
            after: dict[EntityRef, set[EntityRef]] = {}
            for ref, before in here.back(met).items():
                for nearer in before:
                    after.setdefault(nearer, set()).add(ref)
            for ref, following in there.back(met).items():
                after.setdefault(ref, set()).update(following)
            return Ways(start, goal, {ref: found for ref, found in after.items() if found})
        if len(here.seen) + len(there.seen) > most:
            return Ways(start, goal, is_cut=True)
    return Ways(start, goal)
