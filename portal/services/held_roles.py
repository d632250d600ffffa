"""Reads which roles somebody holds, as one of the catalog or because a group above does."""

from __future__ import annotations

from collections.abc import Collection

from portal.graph.walk import over, walk
from portal.model.ref import EntityRef
from portal.model.relation import ABOVE_TYPES
from portal.store import graph
from portal.store.database import Connection


def held_roles(connection: Connection, refs: Collection[EntityRef]) -> dict[EntityRef, dict[EntityRef, EntityRef]]:
    """Return the roles of some groups and people, each with who holds it: oneself, or else the nearest group above."""
    parents = graph.steps_beyond(connection, refs, types=ABOVE_TYPES)
    seen = {*refs}.union(parents, *parents.values())
    roles: dict[EntityRef, list[EntityRef]] = {}
    for who, role in sorted({*graph.steps_from(connection, seen, types=("hasRole",))}):
        roles.setdefault(EntityRef(who), []).append(EntityRef(role))
    above: dict[tuple[EntityRef, ...], dict[EntityRef, EntityRef]] = {}
    found: dict[EntityRef, dict[EntityRef, EntityRef]] = {}
    for ref in refs:
        # Those who are in the same groups hold the same by way of them: of a large group most do.
        groups = tuple(parents.get(ref, ()))
        if groups not in above:
            held = above.setdefault(groups, {})
            up = walk(ref, over(parents))
            for who, distance in sorted(up.distances.items(), key=lambda item: (item[1], item[0])):
                for role in roles.get(who, ()) if distance else ():
                    held.setdefault(role, who)
        found[ref] = above[groups] | dict.fromkeys(roles.get(ref, ()), ref)
    return found
