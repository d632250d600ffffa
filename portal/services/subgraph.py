"""Shows the part of the graph around an entity."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from portal.errors import InputError
from portal.graph.export import WRITERS, Shown
from portal.graph.walk import Course, Direction, walk
from portal.model.ref import EntityRef
from portal.model.relation import Relation
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService, missing_node
from portal.store import graph
from portal.store.database import Connection, Database
from portal.store.graph import Node

__all__ = ["Direction", "SubGraph", "SubGraphService"]

#: So many nodes a graph has at most: a reader sees nothing in more, and a browser draws none.
MOST_NODES = 2_000


@dataclass(frozen=True, slots=True)
class SubGraph:
    """A part of the graph; `is_truncated` says that there is more than was asked for at most.

    A node that is named but not in the catalog has neither layer nor owner.
    """

    nodes: list[Node]
    edges: list[Relation]
    is_truncated: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the graph as JSON tells it."""
        edges = [{"source": edge.source, "target": edge.target, "type": edge.type} for edge in self.edges]
        return {"nodes": [node.to_json() for node in self.nodes], "edges": edges, "truncated": self.is_truncated}

    def written(self, form: str) -> str:
        """Return the graph in another format, a key of `portal.graph.export.WRITERS`."""
        nodes = [Shown(node.ref, node.kind, node.title, node.layer, node.owner) for node in self.nodes]
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
        most: int = MOST_NODES,
    ) -> SubGraph:
        """Return what is around an entity. Raises `NotFoundError`, and `InputError` for what is not known.

        `out` follows relations of these types as they are, `in` those that lead here, `both` either. Without types
        every relation is followed in its declared sense (`ownedBy`, `dependsOn`, `partOf`, ...), told once. Of `kinds`
        and `layers`, where given, are all nodes but the root; the walk goes on from what is shown only.
        """
        edges: set[Relation] = set()
        with self._database.reading() as connection:
            told = self._kinds.told_by(connection)
            course = Course.of(types, direction, known=told.relation_types)
            shown = {root: self._ownership.node_seen_by(connection, root)}
            wanted_kinds = _kinds_named(kinds, {kind.name.lower() for kind in told})
            wanted_layers = _layers_named(layers, connection)
            is_truncated = False

            def neighbours(frontier: Collection[EntityRef]) -> Iterable[tuple[str, str]]:
                nonlocal is_truncated
                found = graph.relations_from(connection, frontier, types=course.followed)
                new = sorted({relation.target for relation in found}.difference(shown))
                nodes = self._ownership.nodes_seen_by(connection, new)
                fitting = [
                    node
                    for node in (nodes.get(ref) or missing_node(ref) for ref in new)
                    if (wanted_kinds is None or node.kind in wanted_kinds)
                    and (wanted_layers is None or node.layer in wanted_layers)
                ]
                room = max(0, most - len(shown))
                is_truncated = is_truncated or len(fitting) > room
                shown.update((node.ref, node) for node in fitting[:room])
                kept = [relation for relation in found if relation.target in shown]
                edges.update(course.told(relation) for relation in kept)
                return [(relation.source, relation.target) for relation in kept]

            walk(root, neighbours, depth=depth)
        return SubGraph([shown[ref] for ref in sorted(shown)], sorted(edges), is_truncated)


def _kinds_named(names: Collection[str] | None, known: Collection[str]) -> frozenset[str] | None:
    if names is None:
        return None
    wanted = frozenset(name.lower() for name in names)
    for name in sorted(wanted.difference(known)):
        raise InputError(f'Unknown kind "{name}"; known are {", ".join(sorted(known))}')
    return wanted


def _layers_named(names: Collection[str] | None, connection: Connection) -> frozenset[EntityRef] | None:
    if names is None:
        return None
    known = graph.declared_of_kinds(connection, ("layer",))
    wanted = frozenset(EntityRef.parse(name, default_kind="layer") for name in names)
    for ref in sorted(wanted.difference(known)):
        raise InputError(f'Unknown layer "{ref}"; known are {", ".join(sorted(known)) or "none"}')
    return wanted
