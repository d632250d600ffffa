"""Says whom a change reaches: of one entity, of its removal, of all that came after a commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from portal.graph.impact import Dependent, OwnerToTell, owners_to_tell
from portal.graph.removal import Break, breaks_of, naming_kinds
from portal.model.ref import EntityRef
from portal.model.relation import OWNED_BY
from portal.services.beginnings import Beginnings
from portal.services.dependencies import Dependencies
from portal.services.kinds import KindsService
from portal.services.memory import cycles_kept
from portal.services.ownership import OwnershipService, reached_json
from portal.store import dependencies, graph, removal, sources, versions
from portal.store.database import Connection, Database
from portal.store.dependencies import Named
from portal.store.graph import Node


@dataclass(frozen=True, slots=True)
class Reached:
    """What a change reaches: a page of it, nearest first, how much there is, and the owners of all to tell."""

    total: int
    dependents: list[tuple[Dependent, Node]]
    owners: list[OwnerToTell]

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        return {
            "total": self.total,
            "items": [reached_json(item, node) for item, node in self.dependents],
            "owners": [{"ref": owner.ref, "count": owner.count, "distance": owner.distance} for owner in self.owners],
        }


@dataclass(frozen=True, slots=True)
class Impact:
    """Whom a change of an entity reaches; `breaks`, where its removal was asked for, are a page of what would break."""

    root: Node
    reached: Reached
    breaks_total: int = 0
    breaks: list[Break] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        found = {"root": self.root.to_json()} | self.reached.to_json()
        if self.breaks is not None:
            found |= {"breaksTotal": self.breaks_total, "breaks": [item.to_json() for item in self.breaks]}
        return found


@dataclass(frozen=True, slots=True)
class Distances:
    """How many steps some entities are from one that changes, those that it reaches; how many it reaches in all."""

    total: int
    steps: Mapping[EntityRef, int]


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What changed between two revisions, of which a page is told, and whom that reaches."""

    since: int
    revision: int
    changed_total: int
    changed: list[tuple[str, Node]]
    reached: Reached

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        return {
            "since": self.since,
            "revision": self.revision,
            "changedTotal": self.changed_total,
            "changed": [node.to_json() | {"change": change} for change, node in self.changed],
        } | self.reached.to_json()


class ImpactService:
    """Answers from the graph of need, of which each is that of one revision."""

    def __init__(
        self, database: Database, ownership: OwnershipService, kinds: KindsService, beginnings: Beginnings
    ) -> None:
        self._database = database
        self._ownership = ownership
        self._kinds = kinds
        self._beginnings = beginnings
        self._dependencies = Dependencies()

    def of_entity(self, ref: EntityRef, *, limit: int = 500, offset: int = 0, removed: bool = False) -> Impact:
        """Return everything that needs an entity, directly or through others, of one that is only named too.

        Raises `NotFoundError` for one that is neither in the catalog nor named there.

        With `removed` it says what would break without the entity too, whose owners are told as well.
        """
        with cycles_kept(), self._database.reading() as connection:
            root = self._ownership.root_seen_by(connection, ref)
            broken = self._breaks(connection, root) if removed else None
            also = {item.ref for item in broken or ()}
            reached = self._reached(connection, [ref], limit=limit, offset=offset, also=also)
        if broken is None:
            return Impact(root, reached)
        return Impact(root, reached, len(broken), broken[offset : offset + limit])

    def distances(self, ref: EntityRef, others: Collection[EntityRef]) -> Distances:
        """Return which of some entities a change of one reaches, how far away; its own distance is 0."""
        with self._database.reading() as connection:
            numbers = dependencies.numbers_of(connection, {ref, *others})
            reach = self._dependencies.seen_by(connection).reach([numbers[ref]] if ref in numbers else [])
        found = {other: reach.distances[number] for other, number in numbers.items() if number in reach.distances}
        return Distances(len(reach.reached), {EntityRef(other): steps for other, steps in found.items()})

    def of_changes(self, since: str, *, limit: int = 500, offset: int = 0) -> ChangeSet:
        """Return what changed after a commit, or after a revision written as `revision:N`, and what that reaches.

        Raises `InputError` for a commit or revision that the catalog does not know; see `Beginnings.revision`.
        """
        with cycles_kept(), self._database.reading() as connection:
            newest = sources.current_revision(connection)
            revision = self._beginnings.revision(connection, since)
            changes = versions.changes_since(connection, revision)
            page = [*changes][offset : offset + limit]
            known = self._ownership.nodes_seen_by(connection, page)
            reached = self._reached(connection, changes, limit=limit, offset=offset)
        changed = [(changes[ref], known.get(ref) or Node.missing(ref)) for ref in page]
        return ChangeSet(revision, newest, len(changes), changed, reached)

    def _reached(
        self,
        connection: Connection,
        roots: Collection[EntityRef],
        *,
        limit: int,
        offset: int,
        also: Collection[EntityRef] = (),
    ) -> Reached:
        """Return what changes of some entities reach; the owners of `also`, one step away, are told as well."""
        numbers = dependencies.numbers_of(connection, {*roots, *also})
        reach = self._dependencies.seen_by(connection).reach([numbers[ref] for ref in roots if ref in numbers])
        distances = reach.distances
        beside = [numbers[ref] for ref in also if numbers[ref] not in distances]
        everyone = [*distances, *beside]
        # Where all of it is one page its nodes tell most of what numbers stand for.
        is_page = len(distances) <= limit and not offset
        nodes = self._ownership.nodes_by_number_seen_by(connection, everyone) if is_page else {}
        named = {number: Named(node.ref, node.owner) for number, node in nodes.items()}
        named |= dependencies.named(connection, [number for number in everyone if number not in nodes])
        refs = {number: found.ref for number, found in named.items()}
        reached = sorted([(distances[number], refs[number], number) for number in reach.reached])
        page = [number for _, _, number in reached[offset : offset + limit]]
        if not is_page:
            nodes = self._ownership.nodes_by_number_seen_by(connection, page)
        owned = [(named[number].owner, distance) for distance, _, number in reached]
        owned += [(named[number].owner, 1) for number in beside]
        # Whoever is removed is not told of it.
        gone = set(roots) if also else set()
        return Reached(
            len(reached),
            [_told(nodes.get(number), distances[number], reach.path(number, refs)) for number in page],
            owners_to_tell((owner, distance) for owner, distance in owned if owner not in gone),
        )

    def _breaks(self, connection: Connection, root: Node) -> list[Break]:
        kinds = self._kinds.seen_by(connection)
        around = removal.relations_around(connection, root.ref)
        owned = {relation.source for relation, _ in around if relation.type == OWNED_BY.forward}
        nodes = self._ownership.nodes_seen_by(connection, owned)
        return breaks_of(
            root.ref,
            around,
            removal.layers_without(connection, root.ref, default_layers=kinds.default_layers),
            accountable_for={ref for ref, node in nodes.items() if node.owner == root.ref},
            kinds=kinds,
            documents=graph.declared_of_kinds(connection, naming_kinds(root.ref)),
            of_kind=graph.refs_of_kinds(
                connection, [kind.name.lower() for kind in kinds if kind.declared_by == root.ref]
            ),
        )


def _told(node: Node | None, distance: int, path: tuple[EntityRef, ...]) -> tuple[Dependent, Node]:
    return Dependent(path[-1], distance, path), node or Node.missing(path[-1])
