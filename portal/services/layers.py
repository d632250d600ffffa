"""Says how each layer stands: what is in it, who owns it, what breaks its rules, who reuses it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from portal.errors import InputError
from portal.graph.likeness import Described, Pair, alike, candidates
from portal.graph.reuse import Use, belongings, uses
from portal.model.layer import Finding, Layer
from portal.model.ref import EntityRef
from portal.model.relation import DEPENDENCY_TYPES
from portal.services.kinds import KindsService
from portal.services.ownership import FRAME_KINDS, LayerView, OwnershipService
from portal.store import graph, sources, standing
from portal.store.database import Connection, Database
from portal.store.graph import Node
from portal.store.standing import Standing

#: Systems and projects hold assets, templates make them: nobody depends on these to use what they stand for.
_NO_ASSETS = frozenset({"system", "project", "template"})
_PER_MILLE = 1000


@dataclass(frozen=True, slots=True)
class Owned:
    """How much an owner has in a layer; `exists` says whether it is in the catalog."""

    ref: EntityRef
    count: int
    exists: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """How often a layer's rule is broken."""

    rule: str
    severity: str
    count: int


class Reused(NamedTuple):
    """An asset with who uses it."""

    node: Node
    use: Use

    def to_json(self) -> dict[str, Any]:
        """Return the asset as JSON tells it."""
        use = self.use
        return self.node.to_json() | {
            "projects": use.projects,
            "projectRefs": use.named,
            "dependents": use.dependents,
        }


class Duplicate(NamedTuple):
    """Two assets that are near-duplicates, the homes of each, which of them to share, what to do in a sentence."""

    pair: Pair
    nodes: tuple[Node, Node]
    homes: tuple[Collection[str], Collection[str]]
    share: EntityRef
    advice: str

    def to_json(self) -> dict[str, Any]:
        """Return the pair as JSON tells it."""
        return {
            "alike": self.pair.alike,
            "reason": self.pair.reason,
            "items": [
                node.to_json() | {"homes": sorted(homes)} for node, homes in zip(self.nodes, self.homes, strict=True)
            ],
            "share": self.share,
            "advice": self.advice,
        }


@dataclass(frozen=True, slots=True)
class LayerReport:
    """How a layer stands; `layer` is None for what stands in none.

    `owned` of the `total` entities have an owner who is in the catalog. The highest layer is not there to be reused:
    `reused` is None there, and of what stands in no layer.
    """

    layer: Layer | None
    kinds: Mapping[str, int]
    owners: Sequence[Owned]
    owned: int
    broken: Sequence[Broken]
    reused: Sequence[Reused] | None
    unused: Sequence[Node]

    @property
    def total(self) -> int:
        """How many entities stand in the layer."""
        return sum(self.kinds.values())

    @property
    def percent(self) -> float | None:
        """The share with an owner who is there, rounded down: 100 means all. None where nothing stands."""
        return _PER_MILLE * self.owned // self.total / 10 if self.total else None

    def to_json(self, *, limit: int, offset: int) -> dict[str, Any]:
        """Return the report as JSON tells it, of each list a page."""
        page = slice(offset, offset + limit)
        reuse = None
        if self.reused is not None:
            reuse = {
                "total": len(self.reused),
                "used": sum(1 for item in self.reused if item.use.projects),
                "items": [item.to_json() for item in self.reused[page]],
            }
        return {
            "layer": None if self.layer is None else self.layer.ref,
            "title": "" if self.layer is None else self.layer.title,
            "rank": None if self.layer is None else self.layer.rank,
            "entities": {"total": self.total, "kinds": self.kinds},
            "owners": {"total": len(self.owners), "items": [asdict(item) for item in self.owners[page]]},
            "coverage": {"percent": self.percent, "owned": self.owned, "total": self.total},
            "violations": {
                "total": sum(item.count for item in self.broken),
                "items": [asdict(item) for item in self.broken],
            },
            "reuse": reuse,
            "unused": {"total": len(self.unused), "items": [node.to_json() for node in self.unused[page]]},
        }


@dataclass(frozen=True, slots=True)
class LayersAnswer:
    """How the layers stand, the highest first, and what stands in none; near-duplicates in the highest."""

    reports: Sequence[LayerReport]
    duplicates: Sequence[Duplicate]
    limit: int
    offset: int

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        page = slice(self.offset, self.offset + self.limit)
        return {
            "layers": [report.to_json(limit=self.limit, offset=self.offset) for report in self.reports],
            "duplicates": {
                "total": len(self.duplicates),
                "items": [item.to_json() for item in self.duplicates[page]],
            },
        }


class LayersService:
    """Answers from the layers as a whole, worked out once for each revision."""

    def __init__(self, database: Database, kinds: KindsService, ownership: OwnershipService) -> None:
        self._database = database
        self._kinds = kinds
        self._ownership = ownership
        self._lock = threading.Lock()
        self._known: tuple[int, list[LayerReport], list[Duplicate]] | None = None

    def layers(self, *, layer: str | None = None, limit: int = 20, offset: int = 0) -> LayersAnswer:
        """Return how the layers stand, or one, given by name or reference. Raises `InputError` for an unknown one."""
        with self._database.reading() as connection:
            _, reports, duplicates = self._state(connection)
        if layer is not None:
            wanted = EntityRef.parse(layer, default_kind="layer")
            found = [report for report in reports if report.layer is not None and report.layer.ref == wanted]
            if not found:
                names = ", ".join(report.layer.name for report in reports if report.layer is not None)
                raise InputError(f'There is no layer "{layer}"; known are: {names or "none"}')
            is_highest = found[0] is reports[0]
            return LayersAnswer(found, duplicates if is_highest else [], limit, offset)
        return LayersAnswer(reports, duplicates, limit, offset)

    def _state(self, connection: Connection) -> tuple[int, list[LayerReport], list[Duplicate]]:
        revision = sources.current_revision(connection)
        # Held while it is worked out: others who ask wait for the answer instead of working it out as well.
        with self._lock:
            if self._known is not None and self._known[0] == revision:
                return self._known
            state = (revision, *self._read_state(connection))
            if self._known is None or self._known[0] < revision:
                self._known = state
            return state

    def _read_state(self, connection: Connection) -> tuple[list[LayerReport], list[Duplicate]]:
        views = self._ownership.layers_seen_by(connection)
        kinds = self._kinds.seen_by(connection)
        known = {view.layer.ref for view in views if view.layer is not None}
        counts = standing.standings(connection, default_layers=kinds.default_layers)
        findings = self._ownership.findings_seen_by(connection)
        nodes = {node.ref: node for view in views for node in view.nodes}
        steps = standing.steps_of(connection, types=DEPENDENCY_TYPES)
        layers: dict[str, str | None] = {ref: node.layer for ref, node in nodes.items()}
        projects = [ref for ref in nodes if ref.kind == "project"]
        belonging = belongings(
            projects,
            needs=_grouped(steps),
            parts=_grouped(standing.steps_of(connection, types=("hasPart",))) if projects else {},
            layers=layers,
        )
        used = uses(steps, belonging)
        highest = max((view.layer.rank for view in views if view.layer is not None), default=0)
        assets = {
            view.layer.ref: [node for node in view.nodes if node.kind in kinds.layered - _NO_ASSETS]
            for view in views
            if view.layer is not None
        }
        reports = []
        for view in views:
            ref = None if view.layer is None else view.layer.ref
            is_reused = view.layer is not None and view.layer.rank < highest
            reports.append(
                _report(
                    view,
                    [item for item in counts if (item.layer if item.layer in known else None) == ref],
                    [item for item in findings if (item.layer if item.layer in known else None) == ref],
                    [Reused(node, used.get(node.ref, Use())) for node in assets[ref]] if ref and is_reused else None,
                )
            )
        top = [node for view in views if view.layer and view.layer.rank == highest for node in assets[view.layer.ref]]
        below = next((view.layer for view in views if view.layer and view.layer.rank < highest), None)
        homes = _homes(top, belonging)
        types = standing.types_of(connection)
        pairs = candidates([Described(node.ref, node.title, types.get(node.ref, ""), homes[node.ref]) for node in top])
        documents = graph.documents_of(connection, {ref for pair in pairs for ref in pair})
        duplicates = [
            _duplicate(pair, (nodes[pair.first], nodes[pair.second]), homes, used, below)
            for pair in alike(pairs, documents)
        ]
        return reports, sorted(duplicates, key=lambda item: (-item.pair.alike, item.pair.first, item.pair.second))


def _report(
    view: LayerView, counts: Iterable[Standing], findings: Iterable[Finding], reused: Sequence[Reused] | None
) -> LayerReport:
    kinds: dict[str, int] = {}
    owners: dict[EntityRef, Owned] = {}
    owned = 0
    for item in counts:
        if item.kind in FRAME_KINDS:
            continue
        kinds[item.kind] = kinds.get(item.kind, 0) + item.count
        owned += item.count if item.owner_exists else 0
        if item.owner is not None:
            before = owners[item.owner].count if item.owner in owners else 0
            owners[item.owner] = Owned(item.owner, before + item.count, item.owner_exists)
    broken: dict[tuple[str, str], int] = {}
    for finding in findings:
        key = (finding.rule, finding.severity)
        broken[key] = broken.get(key, 0) + 1
    order = sorted(reused or (), key=lambda item: (-item.use.projects, -item.use.dependents, item.node.ref))
    return LayerReport(
        view.layer,
        dict(sorted(kinds.items())),
        sorted(owners.values(), key=lambda item: (-item.count, item.ref)),
        owned,
        [Broken(rule, severity, count) for (rule, severity), count in sorted(broken.items())],
        None if reused is None else [item for item in order if item.use.dependents],
        [item.node for item in order if not item.use.dependents],
    )


def _homes(assets: Iterable[Node], belonging: Mapping[EntityRef, Collection[str]]) -> dict[EntityRef, frozenset[str]]:
    """Return where each asset is at home: its projects, or else its system, or else its owner, or else itself."""
    projects: dict[str, set[str]] = {}
    for project, members in belonging.items():
        for member in members:
            projects.setdefault(member, set()).add(project)
    return {
        node.ref: frozenset(projects.get(node.ref) or {str(node.system or node.owner or node.ref)}) for node in assets
    }


def _duplicate(
    pair: Pair,
    nodes: tuple[Node, Node],
    homes: Mapping[EntityRef, frozenset[str]],
    used: Mapping[str, Use],
    below: Layer | None,
) -> Duplicate:
    first, second = (used.get(node.ref, Use()).dependents for node in nodes)
    share, other = (pair.first, pair.second) if first >= second else (pair.second, pair.first)
    more = (
        "Both are needed equally often"
        if first == second
        else f"{share} is needed by more ({max(first, second)} against {min(first, second)})"
    )
    where = f"offer {share} in the layer {below.name}" if below is not None else f"keep {share}"
    advice = f"{more}: {where}, and let those who use {other} use it."
    return Duplicate(pair, nodes, (homes[pair.first], homes[pair.second]), share, advice)


def _grouped(steps: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for source, target in steps:
        found.setdefault(source, []).append(target)
    return found
