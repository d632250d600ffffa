"""Says whether the team of an asset holds the roles that it needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portal.errors import InputError
from portal.graph.balance import Balance, Held, Mate, Necessity, Need, weigh
from portal.graph.policies import Facts
from portal.graph.walk import over, walk
from portal.model.layer import Layer, Role, contributors_of, layer_of, named, role_of, stewards_of
from portal.model.ref import EntityRef
from portal.model.relation import ABOVE_TYPES, BELOW_TYPES
from portal.services.ownership import OwnershipService
from portal.store import graph
from portal.store.database import Connection, Database
from portal.store.graph import Node


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


class BalanceService:
    """Answers from roles, layers, teams."""

    def __init__(self, database: Database, ownership: OwnershipService) -> None:
        self._database = database
        self._ownership = ownership

    def balance(self, ref: EntityRef) -> BalanceAnswer:
        """Return the balance of an entity's team, or of a group by all that it owns.

        Raises `NotFoundError`, and `InputError` for what has no team: a person, what has no owner, what stands in no
        layer and asks for nothing.
        """
        with self._database.reading() as connection:
            entity = self._ownership.node_seen_by(connection, ref)
            if entity.kind == "user":
                raise InputError(f"{ref} is a person; ask for a group, or for an entity that has an owner")
            owner = ref if entity.kind == "group" else entity.owner
            if owner is None:
                raise InputError(f"{ref} has no owner, and so no team; set spec.owner")
            subjects = self._subjects(connection, entity)
            bodies = graph.documents_of(
                connection, {found for node in subjects for found in (node.ref, node.layer, node.system) if found}
            )
            roles = {
                found: role_of(body, found) for found, body in graph.declared_of_kinds(connection, ("role",)).items()
            }
            layers = {
                found: layer_of(body, found)
                for found, body in bodies.items()
                if found.kind == "layer" and any(node.layer == found for node in subjects)
            }
            # Stewards are named asset by asset: of a group as such no duty is asked.
            needs = _needs(subjects, bodies, layers, roles, with_duties=entity.kind != "group")
            if not needs:
                raise InputError(
                    f"Nothing asks {ref} for a role: no layer that it stands in, no spec.needs of a project"
                )
            places = [entity] if entity.kind != "group" else []
            team, within = self._team(connection, owner, places, bodies)
            holders: dict[EntityRef, list[EntityRef]] = {}
            for role, who in graph.steps_from(connection, {need.role for need in needs}, types=("roleOf",)):
                holders.setdefault(EntityRef(role), []).append(EntityRef(who))
        ordered = sorted(layers.values(), key=lambda layer: (-layer.rank, layer.ref))
        return BalanceAnswer(entity, ordered, team, weigh(needs, team, roles=roles, holders=holders, within=within))

    def _subjects(self, connection: Connection, entity: Node) -> list[Node]:
        """Return what asks for roles: an entity itself, of a group one asset of each layer, and all its projects."""
        if entity.kind != "group":
            return [entity]
        owned = {EntityRef(ref) for _, ref in graph.steps_from(connection, [entity.ref], types=("ownerOf",))}
        found: dict[EntityRef, Node] = {}
        seen: set[EntityRef | None] = {None}
        for node in self._ownership.nodes_seen_by(connection, owned).values():
            if node.owner == entity.ref and (node.kind == "project" or node.layer not in seen):
                seen.add(node.layer)
                found[node.ref] = node
        return list(found.values())

    def _team(
        self,
        connection: Connection,
        owner: EntityRef,
        places: Iterable[Node],
        bodies: Mapping[EntityRef, Mapping[str, Any]],
    ) -> tuple[list[Mate], Collection[EntityRef]]:
        """Return who works on an entity: the owner's people, stewards, contributors, those of its system too.

        Also the owner's groups and people, whether they are there or not.
        """
        ways: dict[EntityRef, dict[str, None]] = {}
        for node in places:
            for ref in (node.ref, node.system):
                body = bodies.get(ref, {}) if ref is not None else {}
                origin = ref or node.ref
                for who in contributors_of(body, origin):
                    ways.setdefault(who, {})["contributor"] = None
                for who, duty in stewards_of(body, origin):
                    ways.setdefault(who, {})[f"steward for {duty}"] = None
        # What leads from each who is named to the people in it.
        steps = graph.steps_beyond(connection, {owner, *ways}, types=BELOW_TYPES)
        seen = {owner, *ways}.union(*steps.values())
        mine = walk(owner, over(steps)).distances
        known = self._ownership.nodes_seen_by(connection, seen)
        facts = self._facts(connection, [ref for ref in seen if ref in known])
        reasons: dict[EntityRef, dict[str, None]] = {}
        for start, told in [(owner, {"": None}), *sorted(ways.items())]:
            reached = walk(start, over(steps))
            people = [ref for ref in sorted(reached.distances) if ref.kind == "user" and ref in known]
            for ref in people or [ref for ref in (start,) if ref in known]:
                through = reached.previous.get(ref)
                member = f"member of {through}" if through is not None else ""
                for way in told:
                    reasons.setdefault(ref, {})[", ".join(part for part in (way, member) if part) or "owner"] = None
        team = [
            Mate(ref, known[ref].title, tuple(told), ref not in mine, _roles_with_holders(facts, ref))
            for ref, told in sorted(reasons.items())
        ]
        return team, mine

    @staticmethod
    def _facts(connection: Connection, refs: Collection[EntityRef]) -> Facts:
        """Return who is above some groups and people, and the roles that all of these hold directly."""
        parents = graph.steps_beyond(connection, refs, types=ABOVE_TYPES)
        seen = {*refs}.union(parents, *parents.values())
        roles: dict[EntityRef, list[EntityRef]] = {}
        for who, role in sorted(graph.steps_from(connection, seen, types=("hasRole",))):
            roles.setdefault(EntityRef(who), []).append(EntityRef(role))
        return Facts((), {}, roles=roles, parents=parents)


def _roles_with_holders(facts: Facts, ref: EntityRef) -> dict[EntityRef, EntityRef]:
    """Return the roles of a group or person, each with who holds it: itself, or else the nearest group above."""
    found: dict[EntityRef, EntityRef] = {}
    up = walk(ref, over(facts.parents))
    for who, _ in sorted(up.distances.items(), key=lambda item: (item[1], item[0])):
        for role in facts.roles.get(who, ()):
            found.setdefault(role, who)
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
            why = f'the layer {layer.name} asks for a steward for "{duty.duty}"'
            found[Need(duty.role, "required", "layer", ref, why)] = None
        for role in layer.owner_roles:
            found[Need(role, "one-of", "layer", ref, f"may own in the layer {layer.name}")] = None
        if ref in usual:
            for role in (role for role, item in roles.items() if ref in item.layers):
                found[Need(role, usual[ref], "layer", ref, f"works in the layer {layer.name}")] = None
    return list(found)


def _said_needs(body: Mapping[str, Any], ref: EntityRef) -> list[Need]:
    said = (body.get("spec") or {}).get("needs")
    return [
        Need(named("role", name, ref), "required", "entity", ref, f"{ref} needs it")
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
