"""Tells who a group or person is: what stands around it, which roles are held, what it can be asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from portal.errors import NotFoundError
from portal.graph.walk import over, walk
from portal.model.layer import Role, role_of, stewards_of
from portal.model.ref import EntityRef
from portal.model.relation import ABOVE_TYPES
from portal.model.sentence import Sentence
from portal.services.directory import Directory
from portal.services.held_roles import held_roles
from portal.services.ownership import OwnershipService
from portal.store import graph
from portal.store.database import Connection, Database
from portal.store.graph import Node

#: So many people of a group, so many entities beside those it owns are told; the rest is counted.
MOST_TOLD = 25
_BESIDE = ("stewardOf", "contributesTo", "actsFor", "actedForBy")


class HeldRole(NamedTuple):
    """A role with who holds it: oneself, or a group above."""

    role: Role
    holder: EntityRef


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of a group, by way of the group `through`, with the roles held."""

    node: Node
    through: EntityRef
    roles: Sequence[HeldRole]


@dataclass(frozen=True, slots=True)
class Duty:
    """What one is a steward of, for which duties."""

    node: Node
    duties: Sequence[str]


@dataclass(frozen=True, slots=True)
class Told:
    """The first of what one has to do with beside what it owns, of `total`."""

    nodes: Sequence[Node]
    total: int


@dataclass(frozen=True, slots=True)
class Profile:
    """A group or person: its document, the groups above by distance, roles, people of a group.

    `people_total` counts all people, those of the groups below too. `duties` are the first of `duties_total`; `beside`
    says by relation what else it contributes to, whom it acts for, or who acts for it. `known` are all entities named.
    """

    node: Node
    document: Mapping[str, Any]
    above: Sequence[tuple[EntityRef, int]]
    roles: Sequence[HeldRole]
    people: Sequence[Person]
    people_total: int
    duties: Sequence[Duty]
    duties_total: int
    beside: Mapping[str, Told]
    known: Mapping[EntityRef, Node]


class ProfileService:
    """Answers from groups, roles, relations."""

    def __init__(self, database: Database, ownership: OwnershipService) -> None:
        self._database = database
        self._ownership = ownership

    def of(self, ref: EntityRef, directory: Directory, *, is_direct: bool = False) -> Profile:
        """Return who a group or person is; of a group without the people of those below where `is_direct`.

        Raises `NotFoundError`.
        """
        people = _people(directory, ref, is_direct=is_direct)
        shown = dict(list(people.items())[:MOST_TOLD])
        with self._database.reading() as connection:
            document = graph.documents_of(connection, [ref]).get(ref)
            if document is None:
                raise NotFoundError(Sentence("Entity %(ref)s not found", ref=ref))
            up = walk(ref, over(graph.steps_beyond(connection, [ref], types=ABOVE_TYPES)))
            above = sorted(((group, far) for group, far in up.distances.items() if far), key=lambda item: item[::-1])
            leading = graph.first_targets(connection, ref, types=_BESIDE, limit=MOST_TOLD)
            named = {target for _, targets in leading.values() for target in targets}
            known = self._ownership.nodes_seen_by(connection, {ref, *shown, *up.distances, *named, *shown.values()})
            held = _roles(connection, [ref, *shown])
            duties = _duties(connection, ref, leading["stewardOf"][1], known)
        return Profile(
            known.get(ref) or Node.missing(ref),
            document,
            above,
            held[ref],
            [Person(known[person], through, held[person]) for person, through in shown.items() if person in known],
            len(people),
            duties,
            leading["stewardOf"][0],
            {
                name: Told([known.get(target) or Node.missing(target) for target in targets], total)
                for name, (total, targets) in leading.items()
                if total and name != "stewardOf"
            },
            known,
        )


def _people(directory: Directory, ref: EntityRef, *, is_direct: bool) -> dict[EntityRef, EntityRef]:
    """Return the people of a group, each with the nearest group through which they are in it; of a person nobody."""
    if ref not in directory.groups:
        return {}
    groups = {ref: 0} if is_direct else directory.below(ref)
    found: dict[EntityRef, EntityRef] = {}
    for group, _ in sorted(groups.items(), key=lambda item: (item[1], item[0])):
        for person in directory.groups[group].people:
            found.setdefault(person, group)
    return found


def _roles(connection: Connection, refs: Sequence[EntityRef]) -> dict[EntityRef, list[HeldRole]]:
    held = held_roles(connection, refs)
    bodies = graph.documents_of(connection, {role for roles in held.values() for role in roles})
    known = {ref: role_of(body, ref) for ref, body in bodies.items()}
    return {
        ref: sorted(
            (HeldRole(known.get(role) or Role(role, role.name), holder) for role, holder in roles.items()),
            key=lambda item: (item.holder != ref, item.role.title.lower(), item.role.ref),
        )
        for ref, roles in held.items()
    }


def _duties(
    connection: Connection, ref: EntityRef, targets: Sequence[EntityRef], known: Mapping[EntityRef, Node]
) -> list[Duty]:
    bodies = graph.documents_of(connection, targets)
    return [
        Duty(known[target], [duty for who, duty in stewards_of(bodies[target], target) if who == ref])
        for target in targets
        if target in bodies and target in known
    ]
