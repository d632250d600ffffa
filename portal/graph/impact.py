"""Whom a change reaches: what needs an entity, how far away, owned by whom."""

from __future__ import annotations

from collections.abc import Iterable

from portal.graph.walk import Walk
from portal.model.ref import EntityRef
from portal.model.relation import DEPENDENCY_TYPES, INVERSES
from portal.model.value import value

#: A change runs against the direction of need: from what is needed to what needs it.
REACHED_TYPES = frozenset(INVERSES[name] for name in DEPENDENCY_TYPES)


@value
class Dependent:
    """An entity that needs another, directly (distance 1) or through others; `path` leads from the one that changes."""

    ref: EntityRef
    distance: int
    path: tuple[EntityRef, ...]


@value
class OwnerToTell:
    """An owner of what a change reaches: how many entities, and how near the nearest is."""

    ref: EntityRef
    count: int
    distance: int


def dependents(walk: Walk, root: EntityRef) -> list[Dependent]:
    """Return what a walk from `root` has reached, nearest first."""
    paths: dict[EntityRef, tuple[EntityRef, ...]] = {root: (root,)}
    found = []
    for ref, distance in sorted(walk.distances.items(), key=lambda item: (item[1], item[0])):
        if ref != root:
            # What is nearer comes first, so that the path up to the one before is there already.
            paths[ref] = (*paths[walk.previous[ref]], ref)
            found.append(Dependent(ref, distance, paths[ref]))
    return found


def owners_to_tell(reached: Iterable[tuple[str | None, int]]) -> list[OwnerToTell]:
    """Return the owners of what is reached, given as (owner, distance): the nearest first, then those of the most."""
    counts: dict[str, int] = {}
    nearest: dict[str, int] = {}
    for owner, distance in reached:
        if owner is not None:
            counts[owner] = counts.get(owner, 0) + 1
            if distance < nearest.get(owner, distance + 1):
                nearest[owner] = distance
    told = [OwnerToTell(EntityRef(owner), count, nearest[owner]) for owner, count in counts.items()]
    return sorted(told, key=lambda item: (item.distance, -item.count, item.ref))
