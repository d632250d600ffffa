"""Gathers what a person answers for, alone or in a group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portal.model.layer import Finding
from portal.model.ref import EntityRef
from portal.services.once import Once
from portal.services.ownership import OwnershipService
from portal.store import graph, owned
from portal.store.database import Database
from portal.store.graph import Node

#: What so many people own is remembered.
_MOST_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class OwnAssets:
    """What a person answers for: `groups` are those that they are a member of, in the catalog.

    It is theirs, that of these groups and of all groups below. `counts` are by kind, `items` the first of all, sorted,
    `findings` what the rules find on these.
    """

    person: EntityRef
    groups: list[Node]
    counts: Mapping[str, int]
    items: list[Node]
    findings: Mapping[EntityRef, list[Finding]]

    @property
    def owners(self) -> list[EntityRef]:
        """The person with the groups."""
        return [self.person, *(group.ref for group in self.groups)]

    @property
    def total(self) -> int:
        """How many entities it is."""
        return sum(self.counts.values())


class OwnAssetsService:
    """Answers whose what is, from the side of a person."""

    def __init__(self, database: Database, ownership: OwnershipService) -> None:
        self._database = database
        self._ownership = ownership
        self._once = Once(database, most=_MOST_REMEMBERED)

    def of_person(self, person: EntityRef, *, limit: int = 12) -> OwnAssets:
        """Return what a person answers for; nothing of one whom the catalog does not know."""
        return self._once.of((person, limit), lambda: self._read(person, limit=limit))

    def _read(self, person: EntityRef, *, limit: int) -> OwnAssets:
        with self._database.reading() as connection:
            groups = {EntityRef(group) for _, group in graph.steps_from(connection, [person], types=("memberOf",))}
            below = graph.steps_beyond(connection, groups, types=("parentOf",))
            owners = {person, *groups, *(ref for targets in below.values() for ref in targets)}
            items = self._ownership.owned_seen_by(connection, owners, limit=limit, offset=0)
            findings: dict[EntityRef, list[Finding]] = {}
            for finding in self._ownership.findings_seen_by(connection, [node.ref for node in items]):
                findings.setdefault(finding.ref, []).append(finding)
            known = self._ownership.nodes_seen_by(connection, groups)
            counts = owned.counts_of_owners(connection, owners)
        return OwnAssets(person, list(known.values()), counts, items, findings)
