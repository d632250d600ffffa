"""Shows the part of the graph around an entity, or between two."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from portal.errors import InputError
from portal.graph.export import WRITERS, Shown
from portal.graph.walk import Course, Direction, Neighbours, walk
from portal.graph.ways import Ways, ways
from portal.model.kind import Kinds
from portal.model.layer import Layer, layer_of
from portal.model.ref import EntityRef
from portal.model.relation import Relation
from portal.model.sentence import Sentence
from portal.services.kinds import KindsService, check_kinds
from portal.services.ownership import OwnershipService
from portal.store import graph
from portal.store.database import Connection, Database
from portal.store.graph import Node

__all__ = ["Direction", "SubGraph", "SubGraphService"]

#: So many nodes a graph has at most: a reader sees nothing in more, and a browser draws none.
MOST_NODES = 2_000
#: So many entities are looked at for a way between two, and so many more are opened beside a walk.
_MOST_SEARCHED, MOST_EXPANDED = 20_000, 50
#: A way between two entities may be so long where nothing is said of it.
LONGEST_WAY = 100
_OPPOSITE: Mapping[Direction, Direction] = {"in": "out", "out": "in", "both": "both"}


@dataclass(frozen=True, slots=True)
class SubGraph:
    """A part of the graph; `left_out` entities, at least, would be in it were there more room.

    A node that is named but not in the catalog has neither layer nor owner. `layers` are those that there are, the
    highest first. Between two entities, `way` is one shortest way with both of them, empty where there is none;
    `is_cut` then says that the search ended before all had been seen.
    """

    nodes: list[Node]
    edges: list[Relation]
    left_out: int = 0
    layers: Sequence[Layer] = ()
    way: Sequence[EntityRef] = ()
    is_cut: bool = False

    @property
    def is_truncated(self) -> bool:
        """Whether there is more than is told."""
        return self.left_out > 0 or self.is_cut

    def to_json(self) -> dict[str, Any]:
        """Return the graph as JSON tells it."""
        edges = [{"source": edge.source, "target": edge.target, "type": edge.type} for edge in self.edges]
        return {
            "nodes": [node.to_json() for node in self.nodes],
            "edges": edges,
            "truncated": self.is_truncated,
            "leftOut": self.left_out,
            "layers": [{"ref": layer.ref, "title": layer.title, "rank": layer.rank} for layer in self.layers],
            "way": list(self.way),
        }

    def written(self, form: str) -> str:
        """Return the graph in another format, a key of `portal.graph.export.WRITERS`."""
        nodes = [Shown(node.ref, node.kind, node.title, node.layer, node.owner, node.is_there) for node in self.nodes]
        return WRITERS[form](nodes, self.edges)


class SubGraphService:
    """Walks from an entity along relations."""

    def __init__(self, database: Database, ownership: OwnershipService, kinds: KindsService) -> None:
        self._database = database
        self._ownership = ownership
        self._kinds = kinds

    def around(
        self,
        root: EntityRef,
        *,
        depth: int = 1,
        direction: Direction = "both",
        types: Collection[str] | None = None,
        kinds: Collection[str] | None = None,
        layers: Collection[str] | None = None,
        expand: Collection[EntityRef] = (),
        most: int = MOST_NODES,
    ) -> SubGraph:
        """Return what is around an entity. Raises `NotFoundError`, and `InputError` for what is not known.

        `out` follows relations of these types as they are, `in` those that lead here, `both` either. Without types
        every relation is followed in its declared sense (`ownedBy`, `dependsOn`, `partOf`, ...), told once. Of `kinds`
        and `layers`, where given, are all nodes but the root; the walk goes on from what is shown only. From those of
        `expand` that are shown it goes one step further.
        """
        if len(expand) > MOST_EXPANDED:
            raise InputError(
                Sentence(
                    "%(count)s entities to expand are too many; at most %(most_expanded)s are",
                    count=len(expand),
                    most_expanded=MOST_EXPANDED,
                )
            )
        with self._database.reading() as connection:
            walked = self._gathering(
                connection, root, direction=direction, types=types, kinds=kinds, layers=layers, most=most
            )
            walk(root, walked.neighbours, depth=depth)
            pending = set(expand)
            while ready := pending & walked.shown.keys():
                pending -= ready
                # Each round shows more, from which others that are asked for may be reached.
                walked.neighbours(ready)
            return walked.told()

    def between(
        self,
        root: EntityRef,
        to: EntityRef,
        *,
        depth: int = LONGEST_WAY,
        direction: Direction = "both",
        types: Collection[str] | None = None,
        kinds: Collection[str] | None = None,
        layers: Collection[str] | None = None,
        most: int = MOST_NODES,
    ) -> SubGraph:
        """Return all shortest ways from an entity to another, of at most `depth` steps; just the two without any.

        The rest is as in `around`. Raises `NotFoundError` where either is not in the catalog.
        """
        with self._database.reading() as connection:
            walked = self._gathering(
                connection, root, direction=direction, types=types, kinds=kinds, layers=layers, most=most
            )
            walked.shown[to] = self._ownership.root_seen_by(connection, to)
            found = ways(
                root,
                to,
                forwards=walked.steps(walked.course),
                backwards=walked.steps(Course(walked.course.types, _OPPOSITE[direction], walked.course.inverses)),
                depth=depth,
                most=_MOST_SEARCHED,
            )
            return walked.told_between(found)

    def hidden_steps(
        self, found: SubGraph, *, direction: Direction = "both", types: Collection[str] | None = None
    ) -> dict[EntityRef, int]:
        """Return how many entities beside those of a graph a walk from each of its entities leads to, where it does."""
        with self._database.reading() as connection:
            course = Course.of(types, direction, known=self._kinds.told_by(connection).relation_types)
            counts = graph.neighbour_counts(connection, [node.ref for node in found.nodes], types=course.followed)
        beside: dict[EntityRef, set[EntityRef]] = {}
        for edge in found.edges:
            beside.setdefault(edge.source, set()).add(edge.target)
            beside.setdefault(edge.target, set()).add(edge.source)
        hidden = {ref: count - len(beside.get(ref, ())) for ref, count in counts.items()}
        return {ref: count for ref, count in hidden.items() if count > 0}

    def _gathering(
        self,
        connection: Connection,
        root: EntityRef,
        *,
        direction: Direction,
        types: Collection[str] | None,
        kinds: Collection[str] | None,
        layers: Collection[str] | None,
        most: int,
    ) -> _Gathering:
        told = self._kinds.told_by(connection)
        known = {ref: layer_of(body, ref) for ref, body in graph.declared_of_kinds(connection, ("layer",)).items()}
        return _Gathering(
            connection,
            self._ownership,
            Course.of(types, direction, known=told.relation_types),
            kinds=_kinds_named(kinds, told),
            layers=_layers_named(layers, known),
            known_layers=sorted(known.values(), key=lambda layer: (-layer.rank, layer.ref)),
            shown={root: self._ownership.root_seen_by(connection, root)},
            most=most,
        )


@dataclass(slots=True)
class _Gathering:
    """What a walk over one connection shows; `kinds` and `layers` say what fits, None for all."""

    connection: Connection
    ownership: OwnershipService
    course: Course
    kinds: frozenset[str] | None
    layers: frozenset[EntityRef] | None
    known_layers: Sequence[Layer]
    shown: dict[EntityRef, Node]
    most: int
    edges: set[Relation] = field(default_factory=set)
    left_out: set[EntityRef] = field(default_factory=set)

    def neighbours(self, frontier: Collection[EntityRef]) -> Iterable[tuple[str, str]]:
        """Show what is one step from some entities, as far as it fits; return the steps to it."""
        found = graph.relations_from(self.connection, frontier, types=self.course.followed)
        fitting = self._fitting({relation.target for relation in found}.difference(self.shown))
        room = max(0, self.most - len(self.shown))
        self.left_out.update(node.ref for node in fitting[room:])
        self.shown.update((node.ref, node) for node in fitting[:room])
        kept = [relation for relation in found if relation.target in self.shown]
        self.edges.update(self.course.told(relation) for relation in kept)
        return [(relation.source, relation.target) for relation in kept]

    def steps(self, course: Course) -> Neighbours:
        """Return what gives the steps of a course to what fits, or is shown already."""

        def neighbours(frontier: Collection[EntityRef]) -> Iterable[tuple[str, str]]:
            found = list(graph.steps_from(self.connection, frontier, types=course.followed))
            if self.kinds is None and self.layers is None:
                return found
            targets = {EntityRef(target) for _, target in found}
            open_to = {node.ref for node in self._fitting(targets.difference(self.shown))} | self.shown.keys()
            return [step for step in found if step[1] in open_to]

        return neighbours

    def told(self) -> SubGraph:
        """Return what has been shown."""
        nodes = [self.shown[ref] for ref in sorted(self.shown)]
        return SubGraph(nodes, sorted(self.edges), len(self.left_out), self.known_layers)

    def told_between(self, found: Ways) -> SubGraph:
        """Return what lies on ways, on one of them alone where all take too much room."""
        first, after = found.first, found.after
        refs = kept = found.refs
        if len(refs) > self.most:
            kept, after = {*first}, {ref: {following} for ref, following in pairwise(first)}
        known = self.ownership.nodes_seen_by(self.connection, kept)
        followed = graph.relations_from(self.connection, after, types=self.course.followed)
        self.edges.update(
            self.course.told(relation) for relation in followed if relation.target in after[relation.source]
        )
        return SubGraph(
            [known.get(ref) or Node.missing(ref) for ref in sorted(kept)],
            sorted(self.edges),
            len(refs) - len(kept),
            self.known_layers,
            first,
            found.is_cut,
        )

    def _fitting(self, refs: Collection[EntityRef]) -> list[Node]:
        known = self.ownership.nodes_seen_by(self.connection, refs)
        return [
            node
            for node in (known.get(ref) or Node.missing(ref) for ref in sorted(refs))
            if (self.kinds is None or node.kind in self.kinds) and (self.layers is None or node.layer in self.layers)
        ]


def _kinds_named(names: Collection[str] | None, known: Kinds) -> frozenset[str] | None:
    if names is None:
        return None
    wanted = frozenset(name.lower() for name in names)
    check_kinds(wanted, known)
    return wanted


def _layers_named(names: Collection[str] | None, known: Collection[EntityRef]) -> frozenset[EntityRef] | None:
    if names is None:
        return None
    wanted = frozenset(EntityRef.parse(name, default_kind="layer") for name in names)
    for ref in sorted(wanted.difference(known)):
        raise InputError(
            Sentence('Unknown layer "%(ref)s"; known are %(known)s', ref=ref, known=sorted(known) or Sentence("none"))
        )
    return wanted
