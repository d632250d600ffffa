"""Gathers what a person answers for, alone or in a group."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from portal.model.layer import Finding
from portal.model.ref import EntityRef
from portal.services.ownership import OwnershipService
from portal.store import graph, owned, sources
from portal.store.database import Connection, Database
from portal.store.graph import Node
from portal.store.sight import visibility_of

#: So many people are remembered; with the next one all are forgotten.
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
        self._lock = threading.Lock()
        self._known: tuple[int, dict[tuple[EntityRef, str, int], OwnAssets]] = (-1, {})

    def of_person(self, person: EntityRef, *, limit: int = 12) -> OwnAssets:
        """Return what a person answers for; nothing of one whom the catalog does not know."""
        with self._database.reading() as connection:
            revision = sources.current_revision(connection)
            asked = (person, visibility_of(connection).key, limit)
            known, kept = self._known
            if known == revision and asked in kept:
                return kept[asked]
            found = self._read(connection, person, limit=limit)
        with self._lock:
            known, kept = self._known
            if known < revision or len(kept) >= _MOST_REMEMBERED:
                self._known = (revision, {asked: found})
            elif known == revision:
                kept[asked] = found
        return found

    def _read(self, connection: Connection, person: EntityRef, *, limit: int) -> OwnAssets:
        groups = {EntityRef(group) for _, group in graph.steps_from(connection, [person], types=("memberOf",))}
        below = graph.steps_beyond(connection, groups, types=("parentOf",))
        owners = {person, *groups, *(ref for targets in below.values() for ref in targets)}
        items = self._ownership.owned_seen_by(connection, owners, limit=limit, offset=0)
        findings: dict[EntityRef, list[Finding]] = {}
        for finding in self._ownership.findings_seen_by(connection, [node.ref for node in items]):
            findings.setdefault(finding.ref, []).append(finding)
        known = self._ownership.nodes_seen_by(connection, groups)
        return OwnAssets(person, list(known.values()), owned.counts_of_owners(connection, owners), items, findings)
