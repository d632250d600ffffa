"""Works out how each layer stands: what is in it, who owns it, what breaks its rules, who reuses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from portal.graph.likeness import Described, Pair, alike, candidates
from portal.graph.reuse import Use, belongings, uses
from portal.model.layer import Finding, Layer
from portal.model.ref import EntityRef
from portal.model.relation import DEPENDENCY_TYPES
from portal.model.sentence import Sentence, restored, stored
from portal.services.facts import DocumentsOf
from portal.services.ownership import FRAME_KINDS, LayerView
from portal.services.past import Past
from portal.store.graph import Node
from portal.store.standing import Standing

#: Systems and projects hold assets, templates make them: nobody depends on these to use what they stand for.
_NO_ASSETS = frozenset({"system", "project", "template"})
PART_TYPES = ("hasPart",)


@dataclass(frozen=True, slots=True)
class Owned:
    """How much an owner has in a layer; `exists` says whether it is in the catalog."""

    ref: EntityRef
    count: int
    exists: bool

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Return the owner that JSON tells of."""
        return cls(EntityRef(told["ref"]), told["count"], told["exists"])


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

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Return the asset that JSON tells of."""
        named = tuple([EntityRef(ref) for ref in told["projectRefs"]])
        return cls(Node.from_json(told), Use(told["projects"], named, told["dependents"]))


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

    def to_stored(self) -> dict[str, Any]:
        """Return the pair as it is kept: beside what JSON tells, the sentences as pages translate them."""
        return self.to_json() | {"said": [stored(self.pair.reason), stored(self.advice)]}

    @classmethod
    def from_stored(cls, told: Mapping[str, Any]) -> Self:
        """Return the pair that was kept."""
        first, second = told["items"]
        nodes = (Node.from_json(first), Node.from_json(second))
        # An older release kept the texts alone.
        reason, advice = told.get("said") or (None, None)
        pair = Pair(nodes[0].ref, nodes[1].ref, told["alike"], restored(told["reason"], reason))
        homes = (first["homes"], second["homes"])
        return cls(pair, nodes, homes, EntityRef(told["share"]), restored(told["advice"], advice))


@dataclass(frozen=True, slots=True)
class LayerStanding:
    """How a layer stands, whole; `layer` is None for what stands in none.

    `owned` of the entities have an owner who is in the catalog. The highest layer is not there to be reused: `reused`
    is None there, and of what stands in no layer.
    """

    layer: Layer | None
    kinds: Mapping[str, int]
    owners: Sequence[Owned]
    owned: int
    broken: Sequence[Broken]
    reused: Sequence[Reused] | None
    unused: Sequence[Node]


class Standings(NamedTuple):
    """How all layers stand, the highest first, and what stands in none; near-duplicates in the highest."""

    layers: list[LayerStanding]
    duplicates: list[Duplicate]


@dataclass(frozen=True, slots=True)
class Seen:
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


class _Uses(NamedTuple):
    """What belongs to each project, and who uses each asset."""

    belonging: Mapping[EntityRef, Collection[str]]
    used: Mapping[str, Use]


def seen_then(past: Past, *, findings: bool = True) -> Seen:
    """Return what reports on the layers of a past look at; rules take longest, and can be left out."""
    organisation = past.organisation
    people = organisation.facts.people
    counts = Counter((node.layer, node.kind, node.owner, node.owner in people) for node in organisation.nodes.values())
    return Seen(
        organisation.layer_views,
        organisation.kinds.layered,
        [Standing(*key, count) for key, count in counts.items()],
        organisation.findings(past.documents_of) if findings else (),
        organisation.all_steps(DEPENDENCY_TYPES),
        organisation.all_steps(PART_TYPES),
        organisation.types,
        past.documents_of,
    )


def standings_of(seen: Seen) -> Standings:
    """Return how each layer stands, and the near-duplicates in the highest."""
    uses = _uses(seen)
    return Standings(_reports(seen, uses), _duplicates(seen, uses))


def reports_of(seen: Seen) -> list[LayerStanding]:
    """Return how each layer stands."""
    return _reports(seen, _uses(seen))


def _uses(seen: Seen) -> _Uses:
    layers: dict[str, str | None] = {node.ref: node.layer for view in seen.views for node in view.nodes}
    projects = [node.ref for view in seen.views for node in view.nodes if node.kind == "project"]
    ahead = frozenset(projects)
    needs = _grouped((source, target) for source, target in seen.needs if source in ahead)
    belonging = belongings(projects, needs=needs, parts=_grouped(seen.parts), layers=layers)
    return _Uses(belonging, uses(seen.needs, belonging))


def _reports(seen: Seen, found: _Uses) -> list[LayerStanding]:
    known = {view.layer.ref for view in seen.views if view.layer is not None}
    highest = _highest(seen)
    reports = []
    for view in seen.views:
        ref = None if view.layer is None else view.layer.ref
        is_reused = view.layer is not None and view.layer.rank < highest
        reports.append(
            _report(
                view,
                [item for item in seen.counts if (item.layer if item.layer in known else None) == ref],
                [item for item in seen.findings if (item.layer if item.layer in known else None) == ref],
                [Reused(node, found.used.get(node.ref, Use())) for node in _assets(seen, view)] if is_reused else None,
            )
        )
    return reports


def _duplicates(seen: Seen, found: _Uses) -> list[Duplicate]:
    highest = _highest(seen)
    top = [node for view in seen.views if view.layer and view.layer.rank == highest for node in _assets(seen, view)]
    nodes = {node.ref: node for node in top}
    below = next((view.layer for view in seen.views if view.layer and view.layer.rank < highest), None)
    homes = _homes(top, found.belonging)
    pairs = candidates([Described(node.ref, node.title, seen.types.get(node.ref, ""), homes[node.ref]) for node in top])
    documents = seen.documents_of({ref for pair in pairs for ref in pair})
    duplicates = [
        _duplicate(pair, (nodes[pair.first], nodes[pair.second]), homes, found.used, below)
        for pair in alike(pairs, documents)
    ]
    return sorted(duplicates, key=lambda item: (-item.pair.alike, item.pair.first, item.pair.second))


def _highest(seen: Seen) -> int:
    return max((view.layer.rank for view in seen.views if view.layer is not None), default=0)


def _assets(seen: Seen, view: LayerView) -> list[Node]:
    kinds = seen.layered - _NO_ASSETS
    return [node for node in view.nodes if node.kind in kinds]


def _report(
    view: LayerView, counts: Iterable[Standing], findings: Iterable[Finding], reused: Sequence[Reused] | None
) -> LayerStanding:
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
    return LayerStanding(
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
    why = (
        Sentence("Both are needed equally often")
        if first == second
        else Sentence(
            "%(share)s is needed by more (%(most)s against %(fewest)s)",
            share=share,
            most=max(first, second),
            fewest=min(first, second),
        )
    )
    what = (
        Sentence("offer %(share)s in the layer %(layer)s", share=share, layer=below.name)
        if below is not None
        else Sentence("keep %(share)s", share=share)
    )
    advice = Sentence("%(why)s: %(what)s, and let those who use %(other)s use it.", why=why, what=what, other=other)
    return Duplicate(pair, nodes, (homes[pair.first], homes[pair.second]), share, advice)


def _grouped(steps: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for source, target in steps:
        found.setdefault(source, []).append(target)
    return found
