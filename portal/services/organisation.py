"""What answers about owners read of the organisation, as it is now or as it was."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from portal.model.layer import Finding
from portal.model.moment import shown_time
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.services.members import Members, kept_members
from portal.services.ownership import OwnershipService
from portal.store import graph, sources
from portal.store.database import Connection
from portal.store.graph import Node


@dataclass(frozen=True, slots=True)
class AsOf:
    """The revision that an answer about the past holds for, when it was recorded, what is not known of that time."""

    revision: int
    recorded_at_ms: int | None
    not_known: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what JSON tells beside the answer."""
        recorded = None if self.recorded_at_ms is None else shown_time(self.recorded_at_ms)
        return {"at": {"revision": self.revision, "recordedAt": recorded}, "notKnown": self.not_known}


class Organisation(Protocol):
    """One state of the organisation; whoever asks it need not know which. Sets in, mappings out."""

    @property
    def as_of(self) -> AsOf | None:
        """Which past it is; None for the present."""
        ...

    def node(self, ref: EntityRef) -> Node:
        """Return an entity as graphs show it. Raises `NotFoundError`."""
        ...

    def nodes(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, Node]:
        """Return those of the entities that are there, sorted."""
        ...

    def steps_from(self, refs: Collection[EntityRef], *, types: Collection[str]) -> Iterable[tuple[str, str]]:
        """Return where relations of some types lead from some entities, as (from, to); a step may come twice."""
        ...

    def steps_beyond(
        self, refs: Collection[EntityRef], *, types: Collection[str]
    ) -> Mapping[EntityRef, Collection[EntityRef]]:
        """Return where relations of some types lead from some entities, and from all that they lead to."""
        ...

    def kept_members(self, group: EntityRef) -> Members | None:
        """Return whom a large group reaches, where that is kept; None where it is to be looked for."""
        ...

    def documents_of(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, Mapping[str, Any]]:
        """Return the documents of those of the entities that are there, sorted."""
        ...

    def problems(self, refs: Collection[EntityRef]) -> list[Problem]:
        """Return the problems of the entities' files; none where they are not known."""
        ...

    def findings(self, refs: Collection[EntityRef]) -> list[Finding]:
        """Return what the layers' rules find on some entities."""
        ...


class Present:
    """The organisation as it is, read from the catalog that a connection sees."""

    as_of: AsOf | None = None

    def __init__(self, connection: Connection, ownership: OwnershipService) -> None:
        self._connection = connection
        self._ownership = ownership

    def node(self, ref: EntityRef) -> Node:
        """Return an entity as graphs show it. Raises `NotFoundError`."""
        return self._ownership.node_seen_by(self._connection, ref)

    def nodes(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, Node]:
        """Return those of the entities that are there, sorted."""
        return self._ownership.nodes_seen_by(self._connection, refs)

    def steps_from(self, refs: Collection[EntityRef], *, types: Collection[str]) -> Iterable[tuple[str, str]]:
        """Return where relations of some types lead from some entities."""
        return graph.steps_from(self._connection, refs, types=types)

    def steps_beyond(
        self, refs: Collection[EntityRef], *, types: Collection[str]
    ) -> Mapping[EntityRef, Collection[EntityRef]]:
        """Return where relations of some types lead from some entities, and from all that they lead to."""
        return graph.steps_beyond(self._connection, refs, types=types)

    def kept_members(self, group: EntityRef) -> Members | None:
        """Return whom a large group reaches, where the newest survey has kept it."""
        return kept_members(self._connection, self._ownership, [group]).get(group)

    def documents_of(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, Mapping[str, Any]]:
        """Return the finished documents of those of the entities that are there, sorted."""
        return graph.documents_of(self._connection, refs)

    def problems(self, refs: Collection[EntityRef]) -> list[Problem]:
        """Return the problems of the entities' files."""
        return [found.problem for _, found in sources.problems_of_refs(self._connection, sorted(refs))]

    def findings(self, refs: Collection[EntityRef]) -> list[Finding]:
        """Return what the layers' rules find on some entities."""
        return self._ownership.findings_seen_by(self._connection, refs)
