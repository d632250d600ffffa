"""Reads whom groups reach, with their roles: of large groups from what the newest survey has kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from portal.graph.walk import Walk, over, walk
from portal.model.ref import EntityRef
from portal.model.relation import BELOW_TYPES
from portal.model.value import value
from portal.services.held_roles import held_roles
from portal.services.ownership import OwnershipService
from portal.store import derived, graph
from portal.store.database import Connection
from portal.store.graph import Node

#: What is kept of each group that reaches many: what is the same for several of its people, then these people.
_LARGE = "members/large/"
#: So many people are looked for: that takes no longer than to read what is kept.
_FEW = 50
#: So many people of all groups are kept (about 100 bytes each), those of the largest groups first, and so much is
#: gone through to find out which these are.
_MOST_KEPT = 200_000
_MOST_STEPS = 10_000_000


@value
class Member:
    """A person who is reached through an owner: directly, or through the group `through`."""

    ref: EntityRef
    title: str
    through: EntityRef


@value
class Members:
    """Whom somebody reaches: `people` are those in the catalog, sorted; `within` are all, groups too, there or not.

    `roles` are those that each of the people holds, each with who holds it: oneself, or a group above.
    """

    within: Collection[EntityRef]
    people: list[Member]
    roles: Mapping[EntityRef, Mapping[EntityRef, EntityRef]]


def members_of(found: Walk, known: Mapping[EntityRef, Node]) -> list[Member]:
    """Return the people whom a walk along what is below has reached; `known` are the entities that are there."""
    return [
        Member(ref, known[ref].title, found.previous.get(ref, ref))
        for ref in sorted(found.distances)
        if ref.kind == "user" and ref in known
    ]


def kept_members(
    connection: Connection, ownership: OwnershipService, refs: Collection[EntityRef]
) -> dict[EntityRef, Members]:
    """Return whom those of some groups reach that are large, where the newest survey saw what the connection sees."""
    groups = [ref for ref in refs if ref.kind == "group"]
    if not groups or not ownership.keeps_findings(connection):
        return {}
    lists = derived.whole_lists(connection, [f"{_LARGE}{ref}" for ref in groups])
    return {EntityRef(name.removeprefix(_LARGE)): _members(*told) for name, told in lists.items()}


def _members(head: Mapping[str, Any], *told: Any) -> Members:
    groups = list(map(EntityRef, head["groups"]))
    shared = [_by_role(held) for held in head["held"]]
    owned = [list(map(EntityRef, own)) for own in head["own"]]
    people: list[Member] = []
    roles: dict[EntityRef, Mapping[EntityRef, EntityRef]] = {}
    for who, title, through, held, own in told:
        ref = EntityRef(who)
        people.append(Member(ref, title, groups[through]))
        roles[ref] = shared[held] | dict.fromkeys(owned[own], ref) if owned[own] else shared[held]
    return Members({*groups, *roles}, people, roles)


def _by_role(held: Collection[str]) -> dict[EntityRef, EntityRef]:
    told = iter(held)
    return {EntityRef(role): EntityRef(who) for role, who in zip(told, told, strict=True)}


def member_lists(connection: Connection, ownership: OwnershipService) -> dict[str, list[Any]]:
    """Return what a survey keeps of whom large groups reach: JSON values by the name of their list."""
    below: dict[EntityRef, list[EntityRef]] = {}
    for group, who in graph.all_steps(connection, types=BELOW_TYPES):
        below.setdefault(group, []).append(who)
    walks: dict[EntityRef, Walk] = {}
    steps = 0
    for group in sorted(below):
        if steps > _MOST_STEPS:
            break
        walked = walk(group, over(below))
        steps += len(walked.distances)
        if len(walked.distances) > _FEW and group.kind == "group":
            walks[group] = walked
    known = ownership.nodes_seen_by(connection, {ref for walked in walks.values() for ref in walked.distances})
    reached = {group: members_of(walked, known) for group, walked in walks.items()}
    left = _MOST_KEPT
    kept: dict[EntityRef, list[Member]] = {}
    for group, members in sorted(reached.items(), key=lambda item: (-len(item[1]), item[0])):
        left -= len(members)
        if len(members) <= _FEW or left < 0:
            break
        kept[group] = members
    roles = held_roles(connection, {member.ref for members in kept.values() for member in members})
    return {f"{_LARGE}{group}": _told(walks[group], members, roles) for group, members in kept.items()}


def _told(
    walked: Walk, members: Collection[Member], roles: Mapping[EntityRef, Mapping[EntityRef, EntityRef]]
) -> list[Any]:
    """Return whom a group reaches as a survey keeps it: groups, and what several hold alike, are told once."""
    here = {member.ref for member in members}
    others = {ref for ref in walked.distances if ref not in here}.union(member.through for member in members)
    groups = {ref: place for place, ref in enumerate(sorted(others))}
    shared: dict[tuple[str, ...], int] = {}
    owned: dict[tuple[str, ...], int] = {}
    told: list[Any] = []
    for member in members:
        ref = member.ref
        above = tuple(text for role, who in sorted(roles[ref].items()) if who != ref for text in (role, who))
        own = tuple(sorted(role for role, who in roles[ref].items() if who == ref))
        places = (shared.setdefault(above, len(shared)), owned.setdefault(own, len(owned)))
        told.append((ref, member.title, groups[member.through], *places))
    return [{"groups": list(groups), "held": list(shared), "own": list(owned)}, *told]
