"""Knows the groups of the organisation: who is in them, what is below them, how much they answer for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from portal.graph.faults import SEVERITIES
from portal.graph.walk import walk
from portal.model.layer import Layer, layer_of
from portal.model.ref import EntityRef
from portal.services.by_visibility import ByVisibility
from portal.services.ownership import OwnershipService
from portal.services.problems import Asked, ProblemsService
from portal.store import findings, graph, groups, sources
from portal.store.database import Connection, Database


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A group with what is directly its own: parents, children and people that are in the catalog, all sorted."""

    ref: EntityRef
    title: str
    type: str
    parents: Sequence[EntityRef] = ()
    children: Sequence[EntityRef] = ()
    people: Sequence[EntityRef] = ()


@dataclass(frozen=True, slots=True)
class Extent:
    """How much there is of a group with all groups below it; everybody and everything counts once."""

    groups: int
    people: int
    owned: int
    problems: int


@dataclass(frozen=True, slots=True)
class Directory:
    """The groups of one revision, by reference.

    `roots` are those at the top: each group is one of them or below one. `owned` counts what owners answer for
    themselves, `problems` what is wrong with it, `strangers` are owners that are named but not in the catalog.
    `layers` are those that there are, the highest first.
    """

    revision: int
    groups: Mapping[EntityRef, GroupEntry]
    roots: Sequence[EntityRef]
    people: int
    owned: Mapping[EntityRef, int]
    problems: Mapping[str, int]
    strangers: Mapping[EntityRef, int]
    layers: Sequence[Layer]
    _extents: dict[EntityRef, Extent] = field(default_factory=dict)

    def extent(self, ref: EntityRef) -> Extent:
        """Return how much there is of a group; worked out when it is first asked for."""
        found = self._extents.get(ref)
        if found is None:
            reached = [self.groups[group] for group in self.below(ref)]
            people = {person for group in reached for person in group.people}
            found = Extent(
                len(reached) - 1,
                len(people),
                sum(self.owned.get(group.ref, 0) for group in reached),
                sum(self.problems.get(group.ref, 0) for group in reached),
            )
            self._extents[ref] = found
        return found

    def below(self, ref: EntityRef) -> Mapping[EntityRef, int]:
        """Return a group with all groups below it, each with its distance."""
        return walk(
            ref, lambda refs: ((above, child) for above in refs for child in self.groups[above].children)
        ).distances

    def path(self, ref: EntityRef) -> list[GroupEntry]:
        """Return the groups above one, the topmost first; of several parents the first leads on, and cycles end."""
        found: list[EntityRef] = []
        at = ref
        while self.groups[at].parents:
            at = self.groups[at].parents[0]
            if at == ref or at in found:
                break
            found.append(at)
        return [self.groups[group] for group in reversed(found)]


class DirectoryService:
    """Reads the directory once for each revision, for each visibility."""

    def __init__(self, database: Database, ownership: OwnershipService, problems: ProblemsService) -> None:
        self._database = database
        self._ownership = ownership
        self._problems = problems
        self._lock = threading.Lock()
        self._known: ByVisibility[Directory] = ByVisibility()

    def now(self) -> Directory:
        """Return the directory as whoever asks may read it."""
        with self._database.reading() as connection:
            found = self._found(connection)
            if found is not None:
                return found
            problems = self._kept_problems(connection)
        if problems is None:
            # Not asked with a connection in hand: many who wait with one would leave none for the question.
            problems = self._problems.ask(Asked(severity=SEVERITIES), limit=0).counts["owner"]
        with self._database.reading() as connection, self._lock:
            found = self._found(connection)
            if found is None:
                found = _read(connection, problems)
                self._known.keep(connection, found)
            return found

    def _found(self, connection: Connection) -> Directory | None:
        found = self._known.get(connection)
        return found if found is not None and found.revision == sources.current_revision(connection) else None

    def _kept_problems(self, connection: Connection) -> Mapping[str, int] | None:
        """Return how much is wrong with what each owner has, where the newest survey knows it."""
        if not self._ownership.keeps_findings(connection):
            return None
        problems = sources.list_problems(connection)
        nodes = self._ownership.nodes_seen_by(
            connection, {EntityRef(problem.ref) for problem in problems if problem.ref}
        )
        owners = (nodes[EntityRef(problem.ref)].owner for problem in problems if problem.ref in nodes)
        return Counter(findings.kept_counts(connection)) + Counter(str(owner) for owner in owners if owner is not None)


def _read(connection: Connection, problems: Mapping[str, int]) -> Directory:
    listed = groups.groups(connection)
    titles = {group.ref: (group.title.lower(), group.ref) for group in listed}
    people = graph.refs_of_kinds(connection, ("user",))
    parents: dict[EntityRef, set[EntityRef]] = {}
    children: dict[EntityRef, set[EntityRef]] = {}
    members: dict[EntityRef, set[EntityRef]] = {}
    for relation in graph.relations_from(connection, titles, types=("parentOf", "hasMember")):
        if relation.type == "hasMember" and relation.target in people:
            members.setdefault(relation.source, set()).add(relation.target)
        elif relation.type == "parentOf" and relation.target in titles:
            children.setdefault(relation.source, set()).add(relation.target)
            parents.setdefault(relation.target, set()).add(relation.source)
    entries = {
        group.ref: GroupEntry(
            group.ref,
            group.title,
            group.type,
            sorted(parents.get(group.ref, ()), key=titles.__getitem__),
            sorted(children.get(group.ref, ()), key=titles.__getitem__),
            sorted(members.get(group.ref, ())),
        )
        for group in sorted(listed, key=lambda group: titles[group.ref])
    }
    owned = graph.counts_by_owner(connection)
    layers = [layer_of(body, ref) for ref, body in graph.declared_of_kinds(connection, ("layer",)).items()]
    return Directory(
        sources.current_revision(connection),
        entries,
        _roots(entries),
        len(people),
        owned,
        problems,
        {ref: count for ref, count in owned.items() if ref not in titles and ref not in people},
        sorted(layers, key=lambda layer: (-layer.rank, layer.ref)),
    )


def _roots(entries: Mapping[EntityRef, GroupEntry]) -> list[EntityRef]:
    """Return the groups without a parent, in their order; of groups that are above each other the first one."""
    found = [ref for ref, entry in entries.items() if not entry.parents]
    seen: set[EntityRef] = set()

    def look(start: EntityRef) -> None:
        frontier = [start]
        while frontier:
            ref = frontier.pop()
            if ref not in seen:
                seen.add(ref)
                frontier += entries[ref].children

    for ref in found:
        look(ref)
    for ref in entries:
        if ref not in seen:
            found.append(ref)
            look(ref)
    return found
