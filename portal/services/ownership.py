"""Who owns, what flows where, what breaks the layers' rules."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

from portal.errors import NotFoundError
from portal.graph.impact import Dependent, dependents
from portal.graph.lineage import DOWNSTREAM, UPSTREAM, flows
from portal.graph.policies import Asset, Facts, LayerKnown, OwnerExists, OwnerRole, Rule, evaluate
from portal.graph.walk import walk
from portal.model.kind import Kinds
from portal.model.layer import Finding, Layer, Role, layer_of, role_of
from portal.model.problem import Problem
from portal.model.ref import PEOPLE, EntityRef
from portal.model.relation import INVERSES, Relation
from portal.model.sentence import Sentence
from portal.services.by_visibility import ByVisibility
from portal.services.facts import BUILT_IN_RULES, RULE_KINDS, FactsReader, utc_today
from portal.services.kinds import KindsService
from portal.services.memory import cycles_kept
from portal.services.once import Once
from portal.store import findings, graph, sources, standing
from portal.store.database import Connection, Database
from portal.store.findings import Survey
from portal.store.graph import Node
from portal.store.sight import visibility_of
from portal.store.standing import Standing

__all__ = ["LayerView", "Lineage", "Node", "OwnershipService", "Summary"]

#: Up to so many entities are looked at by themselves where the whole catalog has not been looked at yet.
_FEW = 2_000
#: What says how an organisation works, rather than being one of its assets.
FRAME_KINDS = PEOPLE | {"location", "layer", "role", "policy", "kinddefinition"}
#: What is told of a refusal whose reasons may not be read.
_UNTOLD = "The rules of the layer do not allow it."
#: Grows when what a survey keeps takes another form: what older programs have kept is then worked out again.
_KEPT_FORM = 7
#: For so many visibilities layers are remembered.
_REMEMBERED = 20


@dataclass(frozen=True, slots=True)
class Lineage:
    """What flows into an entity and what it flows into, the nearest first; `edges` run with the flow."""

    root: Node
    upstream: list[tuple[Dependent, Node]]
    downstream: list[tuple[Dependent, Node]]
    edges: list[Relation]

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        return {
            "root": self.root.to_json(),
            "upstream": [reached_json(item, node) for item, node in self.upstream],
            "downstream": [reached_json(item, node) for item, node in self.downstream],
            "edges": [{"source": edge.source, "target": edge.target, "type": edge.type} for edge in self.edges],
        }


@dataclass(frozen=True, slots=True)
class LayerView:
    """A layer with its entities, sorted, and the roles that may own in it; `layer` is None for what stands in none."""

    layer: Layer | None
    nodes: list[Node]
    roles: list[Role]


@dataclass(frozen=True, slots=True)
class Summary:
    """What the catalog holds: counts by kind and layer (empty: none), owners, problems, findings."""

    counts: Mapping[str, Mapping[str, int]]
    layers: list[str]
    owners: Mapping[EntityRef, int]
    problems: list[Problem]
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class _State:
    """What the rules look at in one revision of the catalog, on one day: exemptions end with their day."""

    revision: int
    today: date
    facts: Facts
    views: list[LayerView]


@dataclass(frozen=True, slots=True)
class _Found:
    """What the rules found in one revision, on one day."""

    revision: int
    today: date
    findings: list[Finding]
    by_ref: Mapping[EntityRef, list[Finding]]


class OwnershipService:
    """Answers from the ownership graph.

    `rules` are those that are there without a Policy; `today` tells the day in UTC, by which exemptions end.
    """

    def __init__(
        self,
        database: Database,
        kinds: KindsService,
        *,
        rules: Sequence[Rule] = BUILT_IN_RULES,
        today: Callable[[], date] = utc_today,
    ) -> None:
        self._database = database
        self._kinds = kinds
        self._facts = FactsReader(kinds, rules, today=today)
        self._lock = threading.RLock()
        self._known: ByVisibility[_State] = ByVisibility()
        self._found: ByVisibility[_Found] = ByVisibility()
        self._ranked_layers = Once(database, most=_REMEMBERED)

    def lineage(self, ref: EntityRef) -> Lineage:
        """Return what flows into an entity and what it flows into. Raises `NotFoundError` as `root_seen_by` does."""
        edges: set[Relation] = set()
        with self._database.reading() as connection:
            root = self.root_seen_by(connection, ref)

            def along(frontier: Collection[EntityRef], types: Collection[str]) -> Iterable[tuple[str, str]]:
                found = list(flows(graph.relations_from(connection, frontier, types=types)))
                for relation in found:
                    is_against = relation.type in UPSTREAM
                    edges.add(
                        Relation(relation.target, INVERSES[relation.type], relation.source) if is_against else relation
                    )
                return [(relation.source, relation.target) for relation in found]

            up = walk(ref, lambda frontier: along(frontier, UPSTREAM))
            down = walk(ref, lambda frontier: along(frontier, DOWNSTREAM))
            known = self.nodes_seen_by(connection, {*up.distances, *down.distances})
        return Lineage(
            root,
            [(item, known.get(item.ref) or Node.missing(item.ref)) for item in dependents(up, ref)],
            [(item, known.get(item.ref) or Node.missing(item.ref)) for item in dependents(down, ref)],
            sorted(edges),
        )

    def nodes(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, Node]:
        """Return those of the entities that are in the catalog, as graphs show them."""
        with self._database.reading() as connection:
            return self.nodes_seen_by(connection, refs)

    def findings(self, refs: Collection[EntityRef] | None = None) -> list[Finding]:
        """Return what the layers' rules find over the whole catalog, or on some entities."""
        with self._database.reading() as connection:
            return self.findings_seen_by(connection, refs)

    def findings_seen_by(self, connection: Connection, refs: Collection[EntityRef] | None = None) -> list[Finding]:
        """Return what `findings` does, for the catalog as a connection that only reads sees it.

        For a few entities not more of the catalog is read than their rules look at.
        """
        revision = sources.current_revision(connection)
        found = self._found.get(connection)
        if found is None or not self._is_now(found, revision):
            if self.keeps_findings(connection):
                return findings.kept(connection, refs)
            if refs is not None and len(refs) <= _FEW:
                return self._found_on(connection, refs)
            found = self._all_found(connection)
        if refs is None:
            return list(found.findings)
        return [finding for ref in sorted(set(refs)) for finding in found.by_ref.get(ref, ())]

    def keeps_findings(self, connection: Connection) -> bool:
        """Return whether the newest survey saw what a connection sees, with the same rules, today."""
        # A survey sees everything: what follows from a part of the catalog is another matter.
        return visibility_of(connection).is_all and findings.last_survey(connection) == self.survey(connection)

    def survey(self, connection: Connection) -> Survey:
        """Return what a survey of the catalog that a connection sees would see."""
        revision = sources.current_revision(connection)
        return Survey(revision, self._facts.today().isoformat(), f"{_KEPT_FORM} {self._facts.rules_digest}")

    def facts_about(self, connection: Connection, refs: Collection[EntityRef]) -> Facts:
        """Return what the rules look at on some entities, for the catalog as a connection sees it."""
        return self._facts.about(
            connection,
            self.nodes_seen_by(connection, refs),
            graph.declared_of_kinds(connection, RULE_KINDS),
            nodes_of=lambda others: self.nodes_seen_by(connection, others),
        )

    def _found_on(self, connection: Connection, refs: Collection[EntityRef]) -> list[Finding]:
        facts = self.facts_about(connection, refs)
        wanted = set(refs)
        return [
            finding
            for finding in self._facts.findings(facts, partial(graph.documents_of, connection))
            if finding.ref in wanted
        ]

    @property
    def facts_reader(self) -> FactsReader:
        """Reads what the rules look at."""
        return self._facts

    def facts_seen_by(self, connection: Connection) -> Facts:
        """Return what the rules look at, for the catalog as a connection that only reads sees it."""
        return self._state(connection).facts

    def check_owner(self, owner_ref: EntityRef, layer: str) -> list[Finding]:
        """Return what speaks against an owner in a layer, given by name; empty where nothing does.

        It is decided on all that the catalog holds, and told as far as whoever asks may read it.
        """
        with self._database.whole.reading() as connection:
            found = _against(self._state(connection).facts, owner_ref, layer)
        if not found or self._database.visibility().is_all:
            return found
        with self._database.reading() as connection:
            told = {item.rule: item for item in _against(self._state(connection).facts, owner_ref, layer)}
        return [_told_as(item, told.get(item.rule)) for item in found]

    def able_owners(
        self, layers: Collection[str], owners: Sequence[EntityRef] | None = None, *, anywhere: bool = False
    ) -> list[EntityRef]:
        """Return who of some owners may own in all of some layers, given by name; of everybody if None, groups first.

        With `anywhere` they may own in one at least of all the layers there are. What is not enforced forbids nothing.
        """
        with self._database.whole.reading() as connection:
            facts = self._state(connection).facts
        found = sorted(facts.people, key=lambda ref: (ref.kind != "group", ref)) if owners is None else list(owners)
        for layer in layers:
            found = _able(facts, found, layer)
        if not anywhere or not facts.layers:
            return found
        somewhere = {owner for layer in facts.layers for owner in _able(facts, found, layer)}
        return [owner for owner in found if owner in somewhere]

    def default_layers(self) -> Mapping[str, str]:
        """Return the layer of each kind (lower case) where nothing else says, as far as there are such layers."""
        with self._database.whole.reading() as connection:
            known = self._state(connection).facts.layers
            defaults = self._kinds.seen_by(connection).default_layers
        return {kind: name for kind, name in defaults.items() if EntityRef.of("layer", "default", name) in known}

    def ranked_layers(self) -> list[Layer]:
        """Return the layers, the highest first, without what stands in them, which may be much to read."""
        return list(self._ranked_layers.of("layers", self._read_ranked_layers))

    def layers(self) -> list[LayerView]:
        """Return the layers, the highest first, each with its assets; what stands in none comes last."""
        with self._database.reading() as connection:
            return self.layers_seen_by(connection)

    def layers_seen_by(self, connection: Connection) -> list[LayerView]:
        """Return what `layers` does, for the catalog as a connection that only reads sees it."""
        return list(self._state(connection).views)

    def summary(self) -> Summary:
        """Return what the catalog holds; entities are only counted where there is no layer that makes rules."""
        with self._database.reading() as connection:
            kinds = self._kinds.seen_by(connection)
            bodies = graph.declared_of_kinds(connection, ("layer",))
            layers = {ref: layer_of(body, ref) for ref, body in bodies.items()}
            return Summary(
                _counts(kinds, layers, graph.counts_by_layer(connection, default_layers=kinds.default_layers)),
                [layer.name for layer in sorted(layers.values(), key=lambda layer: (layer.rank, layer.ref))],
                graph.counts_by_owner(connection),
                sources.list_problems(connection),
                self.findings_seen_by(connection) if layers else [],
            )

    def problems(self) -> list[Problem]:
        """Return the problems of all sources, by file and line."""
        with self._database.reading() as connection:
            return sources.list_problems(connection)

    def nodes_seen_by(self, connection: Connection, refs: Collection[EntityRef] | None = None) -> dict[EntityRef, Node]:
        """Return entities, some or all, as graphs show them, for the catalog as a connection sees it."""
        return graph.nodes(connection, refs=refs, default_layers=self._kinds.seen_by(connection).default_layers)

    def nodes_by_number_seen_by(self, connection: Connection, numbers: Collection[int]) -> dict[int, Node]:
        """Return those of the entities that are there, by number, for the catalog as a connection sees it."""
        layers = self._kinds.seen_by(connection).default_layers
        return graph.nodes_by_number(connection, numbers, default_layers=layers)

    def owned_seen_by(
        self, connection: Connection, owners: Collection[EntityRef], *, limit: int, offset: int
    ) -> list[Node]:
        """Return a page of all that some answer for, sorted, for the catalog as a connection sees it."""
        layers = self._kinds.seen_by(connection).default_layers
        return graph.owned_page(connection, owners, limit=limit, offset=offset, default_layers=layers)

    def of_kind_seen_by(self, connection: Connection, kind: str, *, limit: int) -> list[Node]:
        """Return the first entities of a kind (lower case), by title, for the catalog as a connection sees it."""
        layers = self._kinds.seen_by(connection).default_layers
        return graph.of_kind(connection, kind, limit=limit, default_layers=layers)

    def owned(self, owners: Collection[EntityRef], *, limit: int) -> list[Node]:
        """Return the first of all that some answer for, sorted; owners who are only named are looked for too."""
        with self._database.reading() as connection:
            return self.owned_seen_by(connection, owners, limit=limit, offset=0)

    def standings_seen_by(self, connection: Connection) -> list[Standing]:
        """Return how many entities of which kind each owner has in which layer, as a connection sees the catalog."""
        return standing.standings(connection, default_layers=self._kinds.seen_by(connection).default_layers)

    def node_seen_by(self, connection: Connection, ref: EntityRef) -> Node:
        """Return one entity as graphs show it. Raises `NotFoundError`."""
        node = self.nodes_seen_by(connection, [ref]).get(ref)
        if node is None:
            raise NotFoundError(Sentence("Entity %(ref)s not found", ref=ref))
        return node

    def root_seen_by(self, connection: Connection, ref: EntityRef) -> Node:
        """Return what `node_seen_by` does, of an entity that is not there too if others name it."""
        node = self.nodes_seen_by(connection, [ref]).get(ref)
        if node is None and graph.named_among(connection, [ref]):
            return Node.missing(ref)
        return node or self.node_seen_by(connection, ref)

    def _read_ranked_layers(self) -> list[Layer]:
        with self._database.reading() as connection:
            found = graph.declared_of_kinds(connection, ("layer",))
        return _ranked(layer_of(body, ref) for ref, body in found.items())

    def _state(self, connection: Connection) -> _State:
        """Return what the rules look at as this connection sees it; read once for each revision."""
        revision = sources.current_revision(connection)
        # Held while it is worked out: others who ask wait for the answer instead of working it out as well.
        with self._lock:
            known = self._known.get(connection)
            if known is not None and self._is_now(known, revision):
                return known
            with cycles_kept():
                state = self._read_state(connection, revision)
            if known is None or known.revision <= revision:
                self._known.keep(connection, state)
            return state

    def _all_found(self, connection: Connection) -> _Found:
        """Return what the rules find as this connection sees the catalog; worked out once for each revision."""
        revision = sources.current_revision(connection)
        with self._lock:
            known = self._found.get(connection)
            if known is not None and self._is_now(known, revision):
                return known
            state = self._state(connection)
            with cycles_kept():
                listed = self._facts.findings(state.facts, partial(graph.documents_of, connection))
            by_ref: dict[EntityRef, list[Finding]] = {}
            for finding in listed:
                by_ref.setdefault(finding.ref, []).append(finding)
            found = _Found(revision, state.today, listed, by_ref)
            if known is None or known.revision <= revision:
                self._found.keep(connection, found)
            return found

    def _is_now(self, state: _State | _Found, revision: int) -> bool:
        return state.revision == revision and state.today == self._facts.today()

    def _read_state(self, connection: Connection, revision: int) -> _State:
        known = self.nodes_seen_by(connection)
        rules = graph.declared_of_kinds(connection, RULE_KINDS)
        facts = self._facts.whole(connection, known, rules)
        roles = {ref: role_of(body, ref) for ref, body in rules.items() if ref.kind == "role"}
        return _State(revision, facts.today, facts, layer_views(facts.layers, known.values(), roles))


def reached_json(item: Dependent, node: Node) -> dict[str, Any]:
    """Return an entity that a walk has reached as JSON tells it."""
    return node.to_json() | {"distance": item.distance, "path": item.path}


def _against(facts: Facts, owner_ref: EntityRef, layer: str) -> list[Finding]:
    """Return what speaks against an owner in a layer, given by name."""
    asset = Asset(EntityRef("asset:default/new"), owner_ref, EntityRef.parse(layer, default_kind="layer"))
    found = evaluate(facts, rules=(OwnerExists(), OwnerRole()), assets=[asset])
    if facts.layers and asset.layer not in facts.layers:
        # Whatever the policies say of assets that are there: nothing new is made in a layer that is not.
        message = Sentence('There is no layer "%(layer)s".', layer=layer)
        fix = Sentence("Known layers: %(layers)s.", layers=sorted(ref.name for ref in facts.layers))
        found.append(Finding(LayerKnown.id, "enforce", asset.ref, asset.layer, message, fix))
    return found


def _able(facts: Facts, owners: Sequence[EntityRef], layer: str) -> list[EntityRef]:
    """Return those of some owners that no enforced rule forbids to own in a layer."""
    place = EntityRef.parse(layer, default_kind="layer")
    if facts.layers and place not in facts.layers:
        return []
    assets = [Asset(EntityRef.of("asset", "default", str(at)), owner, place) for at, owner in enumerate(owners)]
    found = evaluate(facts, rules=(OwnerExists(), OwnerRole()), assets=assets)
    refused = {finding.ref for finding in found if finding.severity == "enforce"}
    return [owner for asset, owner in zip(assets, owners, strict=True) if asset.ref not in refused]


def _told_as(decided: Finding, readable: Finding | None) -> Finding:
    """Return what was decided, in the words that follow from what may be read; without names where nothing does."""
    if readable is None:
        return replace(decided, message=_UNTOLD, fix="", related=())
    return replace(decided, message=readable.message, fix=readable.fix, related=readable.related)


def _counts(
    kinds: Kinds, layers: Mapping[EntityRef, Layer], found: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """Return counts by kind (with its case) and the name of a layer that there is, or empty."""
    counts: dict[str, dict[str, int]] = {}
    for name, by_layer in found.items():
        kind = kinds.named(name)
        row = counts.setdefault(kind.name if kind else name, {})
        for ref, count in by_layer.items():
            layer = layers.get(EntityRef(ref))
            row[layer.name if layer else ""] = row.get(layer.name if layer else "", 0) + count
    return dict(sorted(counts.items()))


def layer_views(
    layers: Mapping[EntityRef, Layer], nodes: Iterable[Node], roles: Mapping[EntityRef, Role]
) -> list[LayerView]:
    """Return layers, the highest first, each with its assets of some nodes; what stands in none comes last."""
    standing: dict[EntityRef | None, list[Node]] = {}
    for node in nodes:
        if node.kind not in FRAME_KINDS:
            standing.setdefault(node.layer if node.layer in layers else None, []).append(node)
    views = [
        LayerView(
            layer,
            standing.get(layer.ref, []),
            [roles.get(ref) or Role(ref, ref.name) for ref in layer.owner_roles],
        )
        for layer in _ranked(layers.values())
    ]
    return [*views, LayerView(None, standing[None], [])] if None in standing else views


def _ranked(layers: Iterable[Layer]) -> list[Layer]:
    return sorted(layers, key=lambda layer: (-layer.rank, layer.ref))
