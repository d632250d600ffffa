"""Says which accounts get what in the repository of an asset, by the policy of its layer."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from portal.graph.policies import Facts
from portal.model.accounts import accounts_of
from portal.model.integration import NO_INTEGRATIONS, Integrations
from portal.model.ref import EntityRef
from portal.model.relation import BELOW_TYPES
from portal.model.repository_access import AccessPolicy, Grant, RepositoryRight
from portal.services.ownership import OwnershipService
from portal.store import graph
from portal.store.database import Connection, Database

Rights = dict[EntityRef, RepositoryRight]


class RepositoryAccessService:
    """Reads from the catalog who gets what, and by which accounts."""

    def __init__(
        self, database: Database, ownership: OwnershipService, *, integrations: Integrations = NO_INTEGRATIONS
    ) -> None:
        self._database = database.whole
        self._ownership = ownership
        self._host_types = {host.host: host.type for host in integrations}

    def grants(
        self, owner: EntityRef, *, stewards: Collection[tuple[EntityRef, str]], layers: Collection[str]
    ) -> list[Grant]:
        """Return what an owner and stewards, as (who, duty), get in a repository of an asset of some layers.

        Of several layers the one that gives most counts; without any the policy is that of a layer which says nothing.
        A steward gets nothing for a duty whose role, as a layer asks for it, they do not hold. The owner comes first. A
        group without an account at a type of host is followed by its members, and those of groups below it, with
        theirs.
        """
        with self._database.reading() as connection:
            rights = _rights(self._ownership.facts_seen_by(connection), owner, stewards=stewards, layers=layers)
            members = _members(connection, [who for who in rights if who.kind == "group"])
            everybody = {*rights, *(person for people in members.values() for person in people)}
            accounts = {
                ref: accounts_of(body, self._host_types)
                for ref, body in graph.documents_of(connection, sorted(everybody)).items()
            }
        return _granted(rights, members, accounts)


def _rights(
    facts: Facts, owner: EntityRef, *, stewards: Collection[tuple[EntityRef, str]], layers: Collection[str]
) -> Rights:
    """Return what the owner and the stewards get, the owner first."""
    refs = [EntityRef.parse(layer, default_kind="layer") for layer in layers]
    known = [facts.layers[ref] for ref in refs if ref in facts.layers]
    policies = [layer.repository_access for layer in known] or [AccessPolicy()]
    rights = {owner: max((policy.owner for policy in policies), key=lambda right: right.rank)}
    roles = {duty.duty: duty.role for layer in known for duty in layer.duties}
    for who, duty in sorted(stewards):
        role = roles.get(duty)
        if who not in facts.people or (role is not None and role not in facts.roles_of(who)):
            continue
        for right in (policy.of_duty(duty) for policy in policies):
            if right is not None and (who not in rights or rights[who].rank < right.rank):
                rights[who] = right
    return rights


def _members(connection: Connection, groups: Collection[EntityRef]) -> dict[EntityRef, list[EntityRef]]:
    """Return the people in each of some groups and in those below, sorted; one statement for each level."""
    below: dict[EntityRef, set[EntityRef]] = {}
    frontier = set(groups)
    while frontier:
        for group, member in graph.steps_from(connection, frontier, types=BELOW_TYPES):
            below.setdefault(EntityRef(group), set()).add(EntityRef(member))
        reached = {ref for group in frontier for ref in below.setdefault(group, set()) if ref.kind == "group"}
        frontier = reached - below.keys()
    found = {}
    for group in groups:
        inside, pending = set[EntityRef](), {group}
        while pending:
            inside |= pending
            pending = {ref for one in pending for ref in below.get(one, ())} - inside
        found[group] = sorted(ref for ref in inside if ref.kind == "user")
    return found


def _granted(
    rights: Rights, members: Mapping[EntityRef, Collection[EntityRef]], accounts: Mapping[EntityRef, Mapping[str, str]]
) -> list[Grant]:
    """Return grants by accounts; who comes to one host in several ways gets the most that any gives."""
    best: dict[tuple[EntityRef, str], RepositoryRight] = {}
    order: dict[tuple[EntityRef, RepositoryRight], None] = {}

    def give(who: EntityRef, right: RepositoryRight, host_types: Collection[str]) -> None:
        order.setdefault((who, right))
        for host_type in host_types:
            known = best.get((who, host_type))
            if known is None or known.rank < right.rank:
                best[who, host_type] = right

    for who, right in rights.items():
        own = accounts.get(who, {})
        give(who, right, own)
        for member in members.get(who, ()):
            lacking = accounts.get(member, {}).keys() - own.keys()
            if lacking:
                give(member, right, lacking)
    found = []
    for who, right in order:
        names = {kind: name for kind, name in accounts.get(who, {}).items() if best.get((who, kind)) == right}
        if names or rights.get(who) == right:
            found.append(Grant(who, right, names))
    return found
