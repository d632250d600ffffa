"""Says whether the team of an asset holds the roles that it needs."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from operator import attrgetter
from typing import Any, Literal, Self

from portal.errors import InputError
from portal.graph.balance import Balance, Held, Mate, Necessity, Need, Way, weigh
from portal.graph.walk import over, walk
from portal.model.layer import Layer, Role, contributors_of, layer_of, named, role_of, stewards_of
from portal.model.ref import EntityRef
from portal.model.relation import BELOW_TYPES
from portal.model.sentence import Sentence
from portal.services.by_visibility import ByVisibility
from portal.services.held_roles import held_roles
from portal.services.members import Member, Members, kept_members, members_of
from portal.services.once import Once
from portal.services.ownership import OwnershipService
from portal.store import graph, sources
from portal.store.database import Connection, Database
from portal.store.graph import Node

__all__ = ["BalanceAnswer", "BalanceService", "Glance", "Held", "Mate", "Standing", "standing"]

#: Teams of so many projects are held at once while all of them are weighed.
_PROJECTS_AT_ONCE = 500
#: So many balances, those asked for last.
_REMEMBERED = 50

#: How a needed role stands: nobody holds it, one person alone does, only people lent by others do, or several do.
Standing = Literal["missing", "single", "lent", "held"]


@dataclass(frozen=True, slots=True)
class BalanceAnswer:
    """The balance of the team that an entity has, or that a group is; `layers` are those that ask for roles."""

    entity: Node
    layers: list[Layer]
    team: list[Mate]
    balance: Balance

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        found = self.balance
        return {
            "entity": self.entity.to_json(),
            "layers": [layer.ref for layer in self.layers],
            "balanced": found.is_balanced,
            "summary": found.summary,
            "missing": found.missing,
            "notes": found.notes,
            "roles": [_held_json(item) for item in found.roles],
            "lent": [
                _mate_json(mate) | {"roles": [{"ref": role.ref, "layers": role.layers} for role in roles]}
                for mate, roles in found.lent
            ],
            "team": [_mate_json(mate) | {"lent": mate.lent, "roles": sorted(mate.roles)} for mate in self.team],
        }


@dataclass(frozen=True, slots=True)
class Glance:
    """How the team of a project stands, without naming anybody.

    `roles` are the required ones, each with how it stands; `people` counts the team and those `lent` to it. `reason`
    says why there is no team to weigh; it is empty where there is one.
    """

    project: Node
    missing: int = 0
    summary: str = ""
    roles: tuple[tuple[Role, Standing], ...] = ()
    people: int = 0
    lent: int = 0
    reason: str = ""

    @property
    def state(self) -> Literal["missing", "single", "balanced", "unknown"]:
        """The worst that there is to say of the team."""
        if self.reason:
            return "unknown"
        if self.missing:
            return "missing"
        return "single" if self.single else "balanced"

    @property
    def single(self) -> int:
        """How many roles one person alone holds."""
        return sum(1 for _, standing in self.roles if standing == "single")

    @property
    def order(self) -> tuple[int, int, str, EntityRef]:
        """What sorts projects: those that lack most first, those without a team last."""
        rank = ("missing", "single", "balanced", "unknown").index(self.state)
        return rank, -(self.missing or self.single), self.project.title.lower(), self.project.ref

    @classmethod
    def of(cls, project: Node, answer: BalanceAnswer | str) -> Self:
        """Return what an answer comes to."""
        if isinstance(answer, str):
            return cls(project, reason=answer)
        found = answer.balance
        return cls(
            project,
            len(found.missing),
            found.summary,
            tuple((item.role, standing(item)) for item in found.roles if item.necessity == "required"),
            len(answer.team),
            sum(1 for mate in answer.team if mate.lent),
        )


def standing(item: Held) -> Standing:
    """Return how a needed role stands."""
    if not item.holders:
        return "missing"
    if item.is_single:
        return "single"
    return "lent" if all(mate.lent for mate in item.holders) else "held"


@dataclass(frozen=True, slots=True)
class _Asked:
    """An entity whose team is weighed: who answers for it, what asks for roles, what names others who work on it."""

    entity: Node
    owner: EntityRef
    subjects: list[Node]
    places: list[Node]


class BalanceService:
    """Answers from roles, layers, teams."""

    def __init__(self, database: Database, ownership: OwnershipService) -> None:
        self._database = database
        self._ownership = ownership
        self._answers = Once(database, most=_REMEMBERED)
        self._lock = threading.Lock()
        self._known: ByVisibility[tuple[int, list[Glance]]] = ByVisibility()

    def balance(self, ref: EntityRef) -> BalanceAnswer:
        """Return the balance of an entity's team, or of a group by all that it owns.

        Raises `NotFoundError`, and `InputError` for what has no team: a person, what has no owner, what stands in no
        layer and asks for nothing.
        """
        found = self._answers.of(ref, lambda: self._balance(ref))
        if isinstance(found, str):
            raise InputError(found)
        return found

    def projects(self) -> list[Glance]:
        """Return how the teams of all projects stand, the worst first; worked out once for each revision."""
        with self._database.reading() as connection:
            revision = sources.current_revision(connection)
            # Held while it is worked out: others who ask wait for the answer instead of working it out as well.
            with self._lock:
                known = self._known.get(connection)
                if known is None or known[0] != revision:
                    known = (revision, self._glances(connection))
                    self._known.keep(connection, known)
        return known[1]

    def _balance(self, ref: EntityRef) -> BalanceAnswer | str:
        with self._database.reading() as connection:
            return self._balances(connection, [self._ownership.node_seen_by(connection, ref)])[ref]

    def _glances(self, connection: Connection) -> list[Glance]:
        refs = sorted(graph.refs_of_kinds(connection, ("project",)))
        found: list[Glance] = []
        for start in range(0, len(refs), _PROJECTS_AT_ONCE):
            nodes = self._ownership.nodes_seen_by(connection, refs[start : start + _PROJECTS_AT_ONCE])
            answers = self._balances(connection, list(nodes.values()))
            found += [Glance.of(node, answers[node.ref]) for node in nodes.values()]
        return sorted(found, key=lambda item: item.order)

    def _balances(self, connection: Connection, entities: Collection[Node]) -> dict[EntityRef, BalanceAnswer | str]:
        """Return the balance of each entity's team, or why it has none."""
        found: dict[EntityRef, BalanceAnswer | str] = {}
        asked: list[_Asked] = []
        owned = self._owned(connection, [node.ref for node in entities if node.kind == "group"])
        for node in entities:
            owner = node.ref if node.kind == "group" else node.owner
            if node.kind == "user":
                found[node.ref] = Sentence(
                    "%(ref)s is a person; ask for a group, or for an entity that has an owner", ref=node.ref
                )
            elif owner is None:
                found[node.ref] = Sentence("%(ref)s has no owner, and so no team; set spec.owner", ref=node.ref)
            elif node.kind == "group":
                asked.append(_Asked(node, owner, _asking(owned.get(node.ref, ())), []))
            else:
                asked.append(_Asked(node, owner, [node], [node]))
        subjects = {node.ref: node for item in asked for node in item.subjects}
        bodies = graph.documents_of(
            connection,
            {ref for node in subjects.values() for ref in (node.ref, node.layer, node.system) if ref is not None},
        )
        roles = {ref: role_of(body, ref) for ref, body in graph.declared_of_kinds(connection, ("role",)).items()}
        layers = {ref: layer_of(body, ref) for ref, body in bodies.items() if ref.kind == "layer"}
        needed: list[tuple[_Asked, list[Layer], list[Need]]] = []
        for item in asked:
            standing = {node.layer for node in item.subjects}
            own = {ref: layer for ref, layer in layers.items() if ref in standing}
            # Stewards are named asset by asset: of a group as such no duty is asked.
            needs = _needs(item.subjects, bodies, own, roles, with_duties=item.entity.kind != "group")
            if needs:
                needed.append((item, sorted(own.values(), key=lambda layer: (-layer.rank, layer.ref)), needs))
            else:
                ref = item.entity.ref
                found[ref] = Sentence(
                    "Nothing asks %(ref)s for a role: no layer that it stands in, no spec.needs of a project", ref=ref
                )
        wanted = {need.role for _, _, needs in needed for need in needs}
        holders = _holders(connection, wanted)
        teams = self._teams(connection, [item for item, _, _ in needed], bodies)
        for item, ordered, needs in needed:
            team, within = teams[item.entity.ref]
            weighed = weigh(needs, team, roles=roles, holders=holders, within=within)
            found[item.entity.ref] = BalanceAnswer(item.entity, ordered, team, weighed)
        return found

    def _owned(self, connection: Connection, groups: Collection[EntityRef]) -> dict[EntityRef, list[Node]]:
        """Return all that each of some groups answers for itself, sorted."""
        refs = {EntityRef(ref) for _, ref in graph.steps_from(connection, groups, types=("ownerOf",))}
        found: dict[EntityRef, list[Node]] = {}
        for node in self._ownership.nodes_seen_by(connection, refs).values():
            if node.owner is not None:
                found.setdefault(node.owner, []).append(node)
        return found

    def _teams(
        self, connection: Connection, asked: Collection[_Asked], bodies: Mapping[EntityRef, Mapping[str, Any]]
    ) -> dict[EntityRef, tuple[list[Mate], Collection[EntityRef]]]:
        """Return who works on each entity: the owner's people, stewards, contributors, those of its system too.

        Also the owner's groups and people, whether they are there or not.
        """
        ways = {item.entity.ref: _ways(item.places, bodies) for item in asked}
        members = self._members(connection, {item.owner for item in asked}.union(*ways.values()))
        found: dict[EntityRef, tuple[list[Mate], Collection[EntityRef]]] = {}
        for item in asked:
            mine = members[item.owner].within
            mates = {mate.ref: mate for mate in _mates(item.owner, members[item.owner], [""], mine)}
            for start, told in sorted(ways[item.entity.ref].items()):
                for mate in _mates(start, members[start], told, mine):
                    known = mates.get(mate.ref)
                    more = tuple(dict.fromkeys((*known.by, *mate.by))) if known is not None else mate.by
                    mates[mate.ref] = replace(mate, by=more)
            found[item.entity.ref] = (sorted(mates.values(), key=attrgetter("ref")), mine)
        return found

    def _members(self, connection: Connection, starts: Collection[EntityRef]) -> dict[EntityRef, Members]:
        """Return whom each of some groups and people reaches; one that reaches nobody counts as its only member."""
        kept = kept_members(connection, self._ownership, starts)
        steps = graph.steps_beyond(connection, [ref for ref in starts if ref not in kept], types=BELOW_TYPES)
        walks = {start: walk(start, over(steps)) for start in starts if start not in kept}
        known = self._ownership.nodes_seen_by(
            connection, {ref for walked in walks.values() for ref in walked.distances}
        )
        held = held_roles(connection, list(known))
        return kept | {
            start: Members(
                walked.distances.keys(),
                members_of(walked, known) or [Member(ref, known[ref].title, ref) for ref in (start,) if ref in known],
                held,
            )
            for start, walked in walks.items()
        }


def _mates(start: EntityRef, members: Members, capacities: Iterable[str], mine: Collection[EntityRef]) -> list[Mate]:
    """Return those of a team who come to it by way of somebody, in some capacities; who is not of `mine` is lent."""
    # Several come through the same group.
    by = cache(partial(_ways_through, tuple(capacities)))
    return [
        Mate(ref, who.title, by(who.through if ref != start else None), ref not in mine, members.roles[ref])
        for who in members.people
        for ref in (who.ref,)
    ]


def _ways_through(capacities: Sequence[str], through: EntityRef | None) -> tuple[Way, ...]:
    return tuple(Way(capacity, through) for capacity in capacities)


def _holders(connection: Connection, roles: Collection[EntityRef]) -> dict[EntityRef, list[EntityRef]]:
    """Return who holds each role directly, people before groups."""
    found: dict[EntityRef, set[EntityRef]] = {}
    for role, who in graph.steps_from(connection, roles, types=("roleOf",)):
        found.setdefault(EntityRef(role), set()).add(EntityRef(who))
    return {role: sorted(who, key=lambda ref: (ref.kind != "user", ref)) for role, who in found.items()}


def _asking(owned: Iterable[Node]) -> list[Node]:
    """Return what asks a group for roles: of all that it owns one asset of each layer, and all projects."""
    found: list[Node] = []
    seen: set[EntityRef | None] = {None}
    for node in owned:
        if node.kind == "project" or node.layer not in seen:
            seen.add(node.layer)
            found.append(node)
    return found


def _ways(places: Iterable[Node], bodies: Mapping[EntityRef, Mapping[str, Any]]) -> dict[EntityRef, dict[str, None]]:
    """Return who beside the owner works on some entities and their systems, with how."""
    found: dict[EntityRef, dict[str, None]] = {}
    for node in places:
        for ref in (node.ref, node.system):
            body = bodies.get(ref, {}) if ref is not None else {}
            origin = ref or node.ref
            for who in contributors_of(body, origin):
                found.setdefault(who, {})[Sentence("contributor")] = None
            for who, duty in stewards_of(body, origin):
                found.setdefault(who, {})[Sentence("steward for %(duty)s", duty=duty)] = None
    return found


def _needs(
    subjects: Iterable[Node],
    bodies: Mapping[EntityRef, Mapping[str, Any]],
    layers: Mapping[EntityRef, Layer],
    roles: Mapping[EntityRef, Role],
    *,
    with_duties: bool,
) -> list[Need]:
    """Return the roles that are needed: what projects say, duties, who may own, whom projects of the layer have."""
    found: dict[Need, None] = {}
    usual: dict[EntityRef, Necessity] = {}
    for node in subjects:
        if node.kind == "project":
            said = _said_needs(bodies[node.ref], node.ref)
            found |= dict.fromkeys(said)
            if node.layer is not None and (not said or node.layer not in usual):
                # A project that does not say what it needs is taken to need what its layer has.
                usual[node.layer] = "usual" if said else "required"
    for ref, layer in layers.items():
        for duty in layer.duties if with_duties else ():
            why = Sentence('the layer %(layer)s asks for a steward for "%(duty)s"', layer=layer.name, duty=duty.duty)
            found[Need(duty.role, "required", "layer", ref, why)] = None
        for role in layer.owner_roles:
            why = Sentence("may own in the layer %(layer)s", layer=layer.name)
            found[Need(role, "one-of", "layer", ref, why)] = None
        if ref in usual:
            for role in (role for role, item in roles.items() if ref in item.layers):
                why = Sentence("works in the layer %(layer)s", layer=layer.name)
                found[Need(role, usual[ref], "layer", ref, why)] = None
    return list(found)


def _said_needs(body: Mapping[str, Any], ref: EntityRef) -> list[Need]:
    said = (body.get("spec") or {}).get("needs")
    return [
        Need(named("role", name, ref), "required", "entity", ref, Sentence("%(ref)s needs it", ref=ref))
        for name in (said if isinstance(said, list) else ())
        if isinstance(name, str)
    ]


def _held_json(item: Held) -> dict[str, Any]:
    return {
        "ref": item.role.ref,
        "title": item.role.title,
        "necessity": item.necessity,
        "from": [{"place": need.place, "ref": need.ref, "why": need.why} for need in item.needs],
        "holders": [
            _mate_json(mate) | {"lent": mate.lent, "heldBy": mate.roles[item.role.ref]} for mate in item.holders
        ],
        "single": item.is_single,
        "missing": item.is_missing,
        "candidates": {"total": item.candidates_total, "items": item.candidates},
    }


def _mate_json(mate: Mate) -> dict[str, Any]:
    return {"ref": mate.ref, "title": mate.title, "ways": mate.ways}
