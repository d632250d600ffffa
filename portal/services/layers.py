"""Says how each layer stands: what is in it, who owns it, what breaks its rules, who reuses it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

from portal.errors import InputError
from portal.graph.likeness import Described, Pair, alike, candidates
from portal.graph.reuse import Use, belongings, uses
from portal.model.layer import Finding, Layer
from portal.model.moment import Moment
from portal.model.ref import EntityRef
from portal.model.relation import DEPENDENCY_TYPES
from portal.services.by_visibility import ByVisibility
from portal.services.facts import DocumentsOf
from portal.services.kinds import KindsService
from portal.services.organisation import AsOf
from portal.services.ownership import FRAME_KINDS, LayerView, OwnershipService
from portal.services.past import Past, PastOrganisations
from portal.store import graph, sources, standing
from portal.store.database import Connection, Database
from portal.store.graph import Node
from portal.store.standing import Standing

#: Systems and projects hold assets, templates make them: nobody depends on these to use what they stand for.
_NO_ASSETS = frozenset({"system", "project", "template"})
_PER_MILLE = 1000
_PART_TYPES = ("hasPart",)


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
    as_of: AsOf | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        page = slice(self.offset, self.offset + self.limit)
        return {
            "layers": [report.to_json(limit=self.limit, offset=self.offset) for report in self.reports],
            "duplicates": {
                "total": len(self.duplicates),
                "items": [item.to_json() for item in self.duplicates[page]],
            },
        } | (self.as_of.to_json() if self.as_of is not None else {})


class LayersService:
    """Answers from the layers as a whole, worked out once for each revision."""

    def __init__(
        self, database: Database, kinds: KindsService, ownership: OwnershipService, past: PastOrganisations
    ) -> None:
        self._database = database
        self._kinds = kinds
        self._ownership = ownership
        self._past = past
        self._lock = threading.Lock()
        self._known: ByVisibility[tuple[int, list[LayerReport], list[Duplicate]]] = ByVisibility()

    def layers(
        self, *, layer: str | None = None, limit: int = 20, offset: int = 0, at: Moment | None = None
    ) -> LayersAnswer:
        """Return how the layers stand, or stood at a moment; or one of them, given by name or reference.

        Raises `InputError` for an unknown layer, and for a moment that the catalog knows nothing of.
        """
        as_of = None
        with self._database.reading() as connection:
            if at is None:
                _, reports, duplicates = self._state(connection)
            else:
                past = self._past.seen_by(connection, at)
                as_of = past.as_of
                reports, duplicates = _reports(_seen_then(past))
        if layer is not None:
            wanted = EntityRef.parse(layer, default_kind="layer")
            found = [report for report in reports if report.layer is not None and report.layer.ref == wanted]
            if not found:
                names = ", ".join(report.layer.name for report in reports if report.layer is not None)
                raise InputError(f'There is no layer "{layer}"; known are: {names or "none"}')
            is_highest = found[0] is reports[0]
            return LayersAnswer(found, duplicates if is_highest else [], limit, offset, as_of)
        return LayersAnswer(reports, duplicates, limit, offset, as_of)

    def _state(self, connection: Connection) -> tuple[int, list[LayerReport], list[Duplicate]]:
        revision = sources.current_revision(connection)
        # Held while it is worked out: others who ask wait for the answer instead of working it out as well.
        with self._lock:
            known = self._known.get(connection)
            if known is not None and known[0] == revision:
                return known
            state = (revision, *_reports(self._seen_now(connection)))
            if known is None or known[0] < revision:
                self._known.keep(connection, state)
            return state

    def _seen_now(self, connection: Connection) -> _Seen:
        kinds = self._kinds.seen_by(connection)
        views = self._ownership.layers_seen_by(connection)
        has_projects = any(node.kind == "project" for view in views for node in view.nodes)
        return _Seen(
            views,
            kinds.layered,
            standing.standings(connection, default_layers=kinds.default_layers),
            self._ownership.findings_seen_by(connection),
            _steps(graph.targets_by_source(connection, types=DEPENDENCY_TYPES)),
            _steps(graph.targets_by_source(connection, types=_PART_TYPES)) if has_projects else [],
            standing.types_of(connection),
            partial(graph.documents_of, connection),
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What reports on layers look at, of the present or a past.

    `needs` and `parts` are steps as (from, to), `types` what `spec.type` says, lower case.
    """

    views: Sequence[LayerView]
    layered: frozenset[str]
    counts: Sequence[Standing]
    findings: Sequence[Finding]
    needs: Sequence[tuple[str, str]]
    parts: Sequence[tuple[str, str]]
    types: Mapping[str, str]
    documents_of: DocumentsOf


def _seen_then(past: Past) -> _Seen:
    organisation = past.organisation
    people = organisation.facts.people
    counts = Counter((node.layer, node.kind, node.owner, node.owner in people) for node in organisation.nodes.values())
    return _Seen(
        organisation.layer_views,
        organisation.kinds.layered,
        [Standing(*key, count) for key, count in counts.items()],
        organisation.findings(past.documents_of),
        organisation.all_steps(DEPENDENCY_TYPES),
        organisation.all_steps(_PART_TYPES),
        organisation.types,
        past.documents_of,
    )


def _reports(seen: _Seen) -> tuple[list[LayerReport], list[Duplicate]]:
    """Return how each layer stands, and the near-duplicates in the highest."""
    views = seen.views
    known = {view.layer.ref for view in views if view.layer is not None}
    nodes = {node.ref: node for view in views for node in view.nodes}
    layers: dict[str, str | None] = {ref: node.layer for ref, node in nodes.items()}
    projects = [ref for ref in nodes if ref.kind == "project"]
    belonging = belongings(projects, needs=_grouped(seen.needs), parts=_grouped(seen.parts), layers=layers)
    used = uses(seen.needs, belonging)
    highest = max((view.layer.rank for view in views if view.layer is not None), default=0)
    assets = {
        view.layer.ref: [node for node in view.nodes if node.kind in seen.layered - _NO_ASSETS]
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
                [item for item in seen.counts if (item.layer if item.layer in known else None) == ref],
                [item for item in seen.findings if (item.layer if item.layer in known else None) == ref],
                [Reused(node, used.get(node.ref, Use())) for node in assets[ref]] if ref and is_reused else None,
            )
        )
    top = [node for view in views if view.layer and view.layer.rank == highest for node in assets[view.layer.ref]]
    below = next((view.layer for view in views if view.layer and view.layer.rank < highest), None)
    homes = _homes(top, belonging)
    pairs = candidates([Described(node.ref, node.title, seen.types.get(node.ref, ""), homes[node.ref]) for node in top])
    documents = seen.documents_of({ref for pair in pairs for ref in pair})
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
        if finding.severity == "exempt":
            continue
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


def _steps(leading: Mapping[str, Mapping[EntityRef, Iterable[EntityRef]]]) -> list[tuple[str, str]]:
    return [(source, target) for found in leading.values() for source, targets in found.items() for target in targets]


def _grouped(steps: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for source, target in steps:
        found.setdefault(source, []).append(target)
    return found
