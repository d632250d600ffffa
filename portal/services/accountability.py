"""Says who answers for an entity, or for what somebody answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from portal.errors import InputError
from portal.graph.walk import Walk, over, walk
from portal.model.layer import Duty, Finding, contributors_of, layer_of, stewards_of
from portal.model.moment import Moment
from portal.model.problem import Problem
from portal.model.ref import PEOPLE, EntityRef
from portal.model.relation import ABOVE_TYPES, BELOW_TYPES
from portal.model.sentence import Sentence
from portal.services.members import Member, member_lists, members_of
from portal.services.once import Once
from portal.services.organisation import AsOf, Organisation, Present
from portal.services.ownership import OwnershipService
from portal.services.past import PastOrganisations
from portal.services.portfolio import Asked, Portfolio, by_distance, kept_portfolio, portfolio_lists, read_portfolio
from portal.store.database import Connection, Database
from portal.store.graph import Node

#: So many portfolios are remembered; each holds a page of what is owned.
_REMEMBERED = 50


class Origin(NamedTuple):
    """Where something is said that counts for an entity: on the `entity`, its `system`, or its `layer`."""

    place: str
    ref: EntityRef

    def to_json(self) -> dict[str, str]:
        """Return the origin as JSON tells it."""
        return {"place": self.place, "ref": self.ref}


@dataclass(frozen=True, slots=True)
class Steward:
    """Somebody who answers for a duty.

    `who` is None where a layer asks for the duty and nobody holds its role; `role` is that role.
    """

    duty: str
    who: EntityRef | None
    origin: Origin
    role: EntityRef | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the steward as JSON tells it."""
        return {"duty": self.duty, "ref": self.who, "role": self.role, "from": self.origin.to_json()}


class Contributor(NamedTuple):
    """Somebody who works on an entity, or on its system."""

    who: EntityRef
    origin: Origin

    def to_json(self) -> dict[str, Any]:
        """Return the contributor as JSON tells it."""
        return {"ref": self.who, "from": self.origin.to_json()}


@dataclass(frozen=True, slots=True)
class Accountability:
    """Who answers for an entity.

    `owner` is the accountable one, None where none is named; `owner_exists` says whether it is in the catalog. `chain`
    are the groups above it, the nearest first; `people` those whom it reaches; of a group or person without an owner
    both are its own. `co_owners` are named as owners beside it and do not answer for the entity, each with whether it
    is in the catalog. `as_of` says which past it was; None is the present.
    """

    entity: Node
    owner: EntityRef | None
    owner_exists: bool
    co_owners: list[tuple[EntityRef, bool]]
    chain: list[tuple[Node, int]]
    people: list[Member]
    stewards: list[Steward]
    contributors: list[Contributor]
    problems: list[Problem]
    findings: list[Finding]
    as_of: AsOf | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        return {
            "entity": self.entity.to_json(),
            "owner": None if self.owner is None else {"ref": self.owner, "exists": self.owner_exists},
            "coOwners": [{"ref": ref, "exists": exists} for ref, exists in self.co_owners],
            "chain": [node.to_json() | {"distance": distance} for node, distance in self.chain],
            "people": [{"ref": found.ref, "title": found.title, "through": found.through} for found in self.people],
            "stewards": [found.to_json() for found in self.stewards],
            "contributors": [found.to_json() for found in self.contributors],
            "problems": [problem.to_json() for problem in self.problems],
            "findings": [finding.to_json() for finding in self.findings],
        } | (self.as_of.to_json() if self.as_of is not None else {})


class AccountabilityService:
    """Answers from owners, groups, layers."""

    def __init__(self, database: Database, ownership: OwnershipService, past: PastOrganisations) -> None:
        self._database = database
        self._ownership = ownership
        self._past = past
        self._answers = Once(database, most=_REMEMBERED)
        self._portfolios = Once(database, most=_REMEMBERED)

    def of_entity(self, ref: EntityRef, *, at: Moment | None = None) -> Accountability:
        """Return who answers for an entity, or who did at a moment.

        Raises `NotFoundError`, and `InputError` for a moment that the catalog knows nothing of.
        """
        if at is None:
            return self._answers.of(ref, lambda: self._of_entity(ref, None))
        return self._of_entity(ref, at)

    def _of_entity(self, ref: EntityRef, at: Moment | None) -> Accountability:
        with self._database.reading() as connection:
            organisation = self._organisation(connection, at)
            entity = organisation.node(ref)
            # Groups and people answer for themselves.
            answering = ref if entity.owner is None and ref.kind in PEOPLE else entity.owner
            up = _walked(organisation, answering, ABOVE_TYPES)
            kept = organisation.kept_members(answering) if answering is not None else None
            down = _walked(organisation, answering if kept is None else None, BELOW_TYPES)
            owners = {EntityRef(who) for _, who in organisation.steps_from([ref], types=("ownedBy",))}
            known = organisation.nodes({*up.distances, *down.distances, *owners})
            origins = _origins(organisation, entity)
            stewards = _stewards(organisation, entity, origins)
            problems, findings = organisation.problems([ref]), organisation.findings([ref])
        return Accountability(
            entity,
            entity.owner,
            entity.owner in known,
            [(who, who in known) for who in sorted(owners) if who != entity.owner],
            by_distance(up, known),
            members_of(down, known) if kept is None else kept.people,
            stewards,
            _contributors(origins),
            problems,
            findings,
            organisation.as_of,
        )

    def portfolio(
        self,
        ref: EntityRef,
        *,
        limit: int = 500,
        offset: int = 0,
        at: Moment | None = None,
        is_direct: bool = False,
    ) -> Portfolio:
        """Return what a group or person answers for, or did at a moment; by itself alone where `is_direct`.

        Of an owner that is only named it is what names it. Raises `NotFoundError` for one that nothing names, and
        `InputError` for what may own nothing and a moment that the catalog does not know.
        """
        if at is None:
            asked = (ref, limit, offset, is_direct)
            return self._portfolios.of(asked, lambda: self._portfolio(ref, limit, offset, None, is_direct=is_direct))
        return self._portfolio(ref, limit, offset, at, is_direct=is_direct)

    def _portfolio(self, ref: EntityRef, limit: int, offset: int, at: Moment | None, *, is_direct: bool) -> Portfolio:
        with self._database.reading() as connection:
            organisation = self._organisation(connection, at)
            owner = self._ownership.root_seen_by(connection, ref) if at is None else organisation.node(ref)
            if ref.kind not in PEOPLE:
                raise InputError(
                    Sentence("%(ref)s owns nothing; expected a group or a user, as only they may own", ref=ref)
                )
            if is_direct:
                return read_portfolio(organisation, Asked(owner, [], frozenset([ref]), limit, offset))
            if at is None and self._ownership.keeps_findings(connection):
                kept = kept_portfolio(connection, self._ownership, owner, limit=limit, offset=offset)
                if kept is not None:
                    return kept
            below = _walked(organisation, ref, ("parentOf",))
            groups = by_distance(below, organisation.nodes(below.distances))
            return read_portfolio(organisation, Asked(owner, groups, frozenset(below.distances), limit, offset))

    def lists(self, connection: Connection) -> dict[str, list[Any]]:
        """Return what a survey keeps of large groups, portfolios and people: JSON values by the name of their list."""
        return portfolio_lists(connection, self._ownership) | member_lists(connection, self._ownership)

    def _organisation(self, connection: Connection, at: Moment | None) -> Organisation:
        return Present(connection, self._ownership) if at is None else self._past.seen_by(connection, at)


def _origins(organisation: Organisation, entity: Node) -> list[tuple[Origin, Mapping[str, Any]]]:
    """Return an entity's document and that of its system, the nearer first: what they say counts for it."""
    bodies = organisation.documents_of([ref for ref in (entity.ref, entity.system) if ref is not None])
    found = [(Origin("entity", entity.ref), bodies[entity.ref])]
    if entity.system is not None and entity.system in bodies:
        found.append((Origin("system", entity.system), bodies[entity.system]))
    return found


def _stewards(
    organisation: Organisation, entity: Node, origins: Iterable[tuple[Origin, Mapping[str, Any]]]
) -> list[Steward]:
    """Return who answers for which duty; for a duty of the layer that nobody is named for, who holds its role."""
    told: dict[tuple[str, EntityRef], Steward] = {}
    for origin, body in origins:
        for who, duty in stewards_of(body, origin.ref):
            # What is said nearer need not be said again.
            told.setdefault((duty, who), Steward(duty, who, origin))
    found = list(told.values())
    layer = organisation.documents_of([entity.layer]) if entity.layer is not None else {}
    named = {steward.duty for steward in found}
    for ref, body in layer.items():
        duties = [duty for duty in layer_of(body, ref).duties if duty.duty not in named]
        found += _by_role(organisation, duties, Origin("layer", ref))
    return found


def _by_role(organisation: Organisation, duties: Collection[Duty], origin: Origin) -> list[Steward]:
    holders: dict[str, set[EntityRef]] = {}
    for role, who in organisation.steps_from({duty.role for duty in duties}, types=("roleOf",)):
        holders.setdefault(role, set()).add(EntityRef(who))
    nobody: list[EntityRef | None] = [None]
    return [
        Steward(duty.duty, who, origin, duty.role)
        for duty in duties
        for who in sorted(holders.get(duty.role, ())) or nobody
    ]


def _contributors(origins: Iterable[tuple[Origin, Mapping[str, Any]]]) -> list[Contributor]:
    found: dict[EntityRef, Contributor] = {}
    for origin, body in origins:
        for who in contributors_of(body, origin.ref):
            found.setdefault(who, Contributor(who, origin))
    return list(found.values())


def _walked(organisation: Organisation, owner: EntityRef | None, types: Collection[str]) -> Walk:
    if owner is None:
        return Walk()
    return walk(owner, over(organisation.steps_beyond([owner], types=types)))
