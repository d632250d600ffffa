"""Draws the whole catalog small: what depends on what, told of systems instead of entities."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from portal.model.layer import Layer
from portal.model.ref import EntityRef
from portal.model.relation import DEPENDENCY_TYPES
from portal.services.by_visibility import ByVisibility
from portal.services.ownership import LayerView, Node, OwnershipService
from portal.store import graph, sources
from portal.store.database import Connection, Database

#: So many parts are drawn at most, those of the most entities, with so many needs, the most frequent.
MOST_PARTS, MOST_NEEDS = 80, 240


@dataclass(frozen=True, slots=True)
class Part:
    """A system with how many entities stand in it; where `ref` is None, all of a kind in a layer that are in none."""

    key: str
    ref: EntityRef | None
    title: str
    kind: str
    layer: EntityRef | None
    owner: EntityRef | None
    count: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Parts, sorted, and how often entities of one need entities of another, by the keys of the two.

    `left_out` parts are not told for want of room, nor are `needs_left_out` pairs of those that are.
    """

    layers: Sequence[Layer]
    parts: Sequence[Part]
    needs: Mapping[tuple[str, str], int]
    left_out: int = 0
    needs_left_out: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    revision: int
    overview: Overview


class OverviewService:
    """Works the overview out once for each revision."""

    def __init__(self, database: Database, ownership: OwnershipService) -> None:
        self._database = database
        self._ownership = ownership
        self._known: ByVisibility[_Known] = ByVisibility()
        self._lock = threading.Lock()

    def overview(self) -> Overview:
        """Return the catalog as whoever asks may read it."""
        with self._database.reading() as connection:
            revision = sources.current_revision(connection)
            # Held while it is worked out: others who ask wait for the answer instead of working it out as well.
            with self._lock:
                known = self._known.get(connection)
                if known is None or known.revision != revision:
                    known = _Known(revision, self._worked_out(connection))
                    self._known.keep(connection, known)
            return known.overview

    def _worked_out(self, connection: Connection) -> Overview:
        views = self._ownership.layers_seen_by(connection)
        systems = {node.ref for view in views for node in view.nodes if node.kind == "system"}
        homes = {node.ref: _home(node, view, systems) for view in views for node in view.nodes}
        counts = Counter(homes.values())
        # What has nobody beside it in its group stands for itself.
        homes = {ref: ref if home not in systems and counts[home] == 1 else home for ref, home in homes.items()}
        parts = _parts(views, homes)
        shown = {part.key for part in sorted(parts, key=lambda part: (-part.count, part.key))[:MOST_PARTS]}
        needs: Counter[tuple[str, str]] = Counter()
        for source, target in set(graph.all_steps(connection, types=DEPENDENCY_TYPES)):
            ends = homes.get(source), homes.get(target)
            if ends[0] != ends[1] and ends[0] in shown and ends[1] in shown:
                needs[ends[0], ends[1]] += 1
        return Overview(
            [view.layer for view in views if view.layer is not None],
            [part for part in parts if part.key in shown],
            dict(sorted(sorted(needs.items(), key=lambda need: (-need[1], need[0]))[:MOST_NEEDS])),
            len(parts) - len(shown),
            max(0, len(needs) - MOST_NEEDS),
        )


def _home(node: Node, view: LayerView, systems: set[EntityRef]) -> str:
    """Return the key of the part that an entity belongs to."""
    if node.ref in systems:
        return node.ref
    if node.system in systems:
        return node.system
    return f"{view.layer.ref if view.layer else ''}|{node.kind}"


def _parts(views: Sequence[LayerView], homes: Mapping[EntityRef, str]) -> list[Part]:
    counts = Counter(homes.values())
    parts: dict[str, Part] = {}
    for view in views:
        layer = view.layer.ref if view.layer else None
        for node in view.nodes:
            key = homes[node.ref]
            # A system counts itself, which is no entity within it.
            if key == node.ref:
                count = counts[key] - 1 if node.kind == "system" else 1
                parts[key] = Part(key, node.ref, node.title, node.kind, layer, node.owner, count)
            elif "|" in key and key not in parts:
                parts[key] = Part(key, None, node.kind, node.kind, layer, None, counts[key])
    return [parts[key] for key in sorted(parts)]
