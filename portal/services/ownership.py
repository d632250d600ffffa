"""Who owns, who is hit, what breaks the layers' rules."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portal.errors import NotFoundError
from portal.graph.impact import REACHED_TYPES, Dependent, OwnerToTell, dependents, owners_to_tell
from portal.graph.lineage import DOWNSTREAM, UPSTREAM, flows
from portal.graph.policies import Asset, Facts, LayerKnown, OwnerExists, OwnerRole, evaluate
from portal.graph.walk import Course, Direction, walk
from portal.model.kind import Kinds
from portal.model.layer import Finding, Layer, Role, layer_of, named, role_of, stewards_of
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.model.relation import DEPENDENCY_TYPES, INVERSES, Relation
from portal.services.kinds import KindsService
from portal.store import graph, sources
from portal.store.database import Connection, Database
from portal.store.graph import Node

__all__ = ["Direction", "Impact", "LayerView", "Lineage", "Node", "OwnershipService", "SubGraph", "Summary"]

RULE_KINDS = ("layer", "policy", "role")
#: Up to so many entities are looked at by themselves where the whole catalog has not been looked at yet.
_FEW = 2_000
PARENT_TYPES = ("memberOf", "childOf")
FACT_TYPES = frozenset({*DEPENDENCY_TYPES, *PARENT_TYPES, "hasRole"})
_PEOPLE = frozenset({"group", "user"})
#: What says how an organisation works, rather than being one of its assets.
_FRAME_KINDS = _PEOPLE | {"location", "layer", "role", "policy", "kinddefinition"}
#: The stricter of two policies for one rule in one layer counts.
_STRICTNESS = {"off": 0, "warn": 1, "enforce": 2}


@dataclass(frozen=True, slots=True)
class SubGraph:
    """A part of the graph. A node that is named but not in the catalog has neither layer nor owner."""

    nodes: list[Node]
    edges: list[Relation]


@dataclass(frozen=True, slots=True)
class Impact:
    """Whom a change of an entity reaches."""

    root: Node
    dependents: list[tuple[Dependent, Node]]
    owners: list[OwnerToTell]

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        return {
            "root": self.root.to_json(),
            "items": [reached_json(item, node) for item, node in self.dependents],
            "owners": [{"ref": owner.ref, "count": owner.count, "distance": owner.distance} for owner in self.owners],
        }


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
    """What follows from one revision of the catalog as a whole."""

    revision: int
    facts: Facts
    findings: list[Finding]
    findings_by_ref: Mapping[EntityRef, list[Finding]]
    views: list[LayerView]


class OwnershipService:
    """Answers from the ownership graph."""

    def __init__(self, database: Database, kinds: KindsService) -> None:
        self._database = database
        self._kinds = kinds
        self._lock = threading.Lock()
        self._known: _State | None = None

    def graph(
        self, root: EntityRef, *, depth: int = 1, direction: Direction = "both", types: Collection[str] | None = None
    ) -> SubGraph:
        """Return what is around an entity. Raises `NotFoundError`, and `InputError` for an unknown relation type.

        `out` follows relations of these types as they are, `in` those that lead here, `both` either. Without types
        every relation is followed in its declared sense (`ownedBy`, `dependsOn`, `partOf`, ...), told once.
        """
        edges: set[Relation] = set()
        with self._database.reading() as connection:
            course = Course.of(types, direction, known=self._kinds.seen_by(connection).relation_types)
            self.node_seen_by(connection, root)

            def around(frontier: Collection[EntityRef]) -> Iterable[tuple[str, str]]:
                found = graph.relations_from(connection, frontier, types=course.followed)
                edges.update(course.told(relation) for relation in found)
                return [(relation.source, relation.target) for relation in found]

            reached = walk(root, around, depth=depth).distances
            known = self.nodes_seen_by(connection, reached)
        return SubGraph([known.get(ref) or _missing(ref) for ref in sorted(reached)], sorted(edges))

    def impact(self, ref: EntityRef) -> Impact:
        """Return everything that needs an entity, directly or through others. Raises `NotFoundError`."""
        with self._database.reading() as connection:
            root = self.node_seen_by(connection, ref)
            found = walk(ref, lambda refs: graph.steps_from(connection, refs, types=REACHED_TYPES))
            known = self.nodes_seen_by(connection, found.distances)
        reached = dependents(found, ref)
        owners = {node.ref: node.owner for node in known.values()}
        return Impact(
            root,
            [(item, known.get(item.ref) or _missing(item.ref)) for item in reached],
            owners_to_tell(reached, owners),
        )

    def lineage(self, ref: EntityRef) -> Lineage:
        """Return what flows into an entity and what it flows into. Raises `NotFoundError`."""
        edges: set[Relation] = set()
        with self._database.reading() as connection:
            root = self.node_seen_by(connection, ref)

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
            [(item, known.get(item.ref) or _missing(item.ref)) for item in dependents(up, ref)],
            [(item, known.get(item.ref) or _missing(item.ref)) for item in dependents(down, ref)],
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
        if refs is None:
            return list(self._state(connection).findings)
        known = self._known
        is_known = known is not None and known.revision == sources.current_revision(connection)
        if not is_known and len(refs) <= _FEW:
            rules = graph.declared_of_kinds(connection, RULE_KINDS)
            return evaluate(self._facts_about(connection, refs, rules))
        by_ref = self._state(connection).findings_by_ref
        return [finding for ref in sorted(set(refs)) for finding in by_ref.get(ref, ())]

    def check_owner(self, owner_ref: EntityRef, layer: str) -> list[Finding]:
        """Return what speaks against an owner in a layer, given by name; empty where nothing does."""
        with self._database.reading() as connection:
            facts = self._state(connection).facts
        asset = Asset(EntityRef("asset:default/new"), owner_ref, EntityRef.parse(layer, default_kind="layer"))
        found = evaluate(facts, rules=(OwnerExists(), OwnerRole()), assets=[asset])
        if facts.layers and asset.layer not in facts.layers:
            # Whatever the policies say of assets that are there: nothing new is made in a layer that is not.
            message = f'There is no layer "{layer}".'
            fix = f"Known layers: {', '.join(sorted(ref.name for ref in facts.layers))}."
            found.append(Finding(LayerKnown.id, "enforce", asset.ref, asset.layer, message, fix))
        return found

    def layers(self) -> list[LayerView]:
        """Return the layers, the highest first, each with its assets; what stands in none comes last."""
        with self._database.reading() as connection:
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
                list(self._state(connection).findings) if layers else [],
            )

    def problems(self) -> list[Problem]:
        """Return the problems of all sources, by file and line."""
        with self._database.reading() as connection:
            return sources.list_problems(connection)

    def nodes_seen_by(self, connection: Connection, refs: Collection[EntityRef] | None = None) -> dict[EntityRef, Node]:
        """Return entities, some or all, as graphs show them, for the catalog as a connection sees it."""
        return graph.nodes(connection, refs=refs, default_layers=self._kinds.seen_by(connection).default_layers)

    def node_seen_by(self, connection: Connection, ref: EntityRef) -> Node:
        """Return one entity as graphs show it. Raises `NotFoundError`."""
        node = self.nodes_seen_by(connection, [ref]).get(ref)
        if node is None:
            raise NotFoundError(f"Entity {ref} not found")
        return node

    def _state(self, connection: Connection) -> _State:
        """Return what follows from the catalog as this connection sees it; worked out once for each revision."""
        revision = sources.current_revision(connection)
        # Held while it is worked out: others who ask wait for the answer instead of working it out as well.
        with self._lock:
            if self._known is not None and self._known.revision == revision:
                return self._known
            state = self._read_state(connection, revision)
            if self._known is None or self._known.revision < revision:
                self._known = state
            return state

    def _read_state(self, connection: Connection, revision: int) -> _State:
        known = self.nodes_seen_by(connection)
        rules = graph.declared_of_kinds(connection, RULE_KINDS)
        facts = self._read_facts(connection, known, rules)
        findings = evaluate(facts)
        by_ref: dict[EntityRef, list[Finding]] = {}
        for finding in findings:
            by_ref.setdefault(finding.ref, []).append(finding)
        roles = {ref: role_of(body, ref) for ref, body in rules.items() if ref.kind == "role"}
        return _State(
            revision,
            facts,
            findings,
            by_ref,
            _views(facts.layers, known.values(), roles),
        )

    def _read_facts(
        self,
        connection: Connection,
        known: Mapping[EntityRef, Node],
        rules: Mapping[EntityRef, Mapping[str, Any]],
    ) -> Facts:
        # Without a layer no rule looks at anything: half of all relations need not be read.
        has_layers = any(ref.kind == "layer" for ref in rules)
        return whole_facts(
            known,
            rules,
            stewarded=graph.declared_with_relation(connection, "stewardedBy") if has_layers else {},
            relations=graph.all_relations(connection, types=FACT_TYPES) if has_layers else (),
            layered=self._kinds.seen_by(connection).layered,
        )

    def _facts_about(
        self, connection: Connection, refs: Collection[EntityRef], rules: Mapping[EntityRef, Mapping[str, Any]]
    ) -> Facts:
        """Return what the rules look at for some entities: these, what they need, who answers for them."""
        layers = {ref: layer_of(body, ref) for ref, body in rules.items() if ref.kind == "layer"}
        if not layers:
            return Facts((), layers)
        known = self.nodes_seen_by(connection, refs)
        steps = sorted(graph.relations_from(connection, known, types={*DEPENDENCY_TYPES, "stewardedBy"}))
        with_stewards = {relation.source for relation in steps if relation.type == "stewardedBy"}
        stewarded = graph.documents_of(connection, with_stewards)
        needs: dict[EntityRef, list[EntityRef]] = {}
        for relation in steps:
            if relation.type != "stewardedBy":
                needs.setdefault(relation.source, []).append(relation.target)
        layered = self._kinds.seen_by(connection).layered
        assets = _assets(known.values(), layered, stewarded=stewarded, needs=needs)
        answering = {asset.owner for asset in assets if asset.owner is not None}
        answering.update(who for asset in assets for who, _ in asset.stewards)
        parents: dict[EntityRef, list[EntityRef]] = {}
        seen: set[EntityRef] = set()
        frontier = set(answering)
        while frontier:
            seen |= frontier
            above = sorted(graph.relations_from(connection, frontier, types=PARENT_TYPES))
            for relation in above:
                parents.setdefault(relation.source, []).append(relation.target)
            frontier = {relation.target for relation in above} - seen
        asked = {role for layer in layers.values() for role in layer.owner_roles}
        asked.update(duty.role for layer in layers.values() for duty in layer.duties)
        roles: dict[EntityRef, list[EntityRef]] = {}
        for relation in sorted(graph.relations_from(connection, asked, types=("roleOf",))):
            roles.setdefault(relation.target, []).append(relation.source)
        others = self.nodes_seen_by(connection, answering.union(*needs.values()))
        return Facts(
            assets,
            layers,
            frozenset(ref for ref, node in others.items() if node.kind in _PEOPLE),
            roles,
            parents,
            {node.ref: node.layer for node in (*others.values(), *known.values())},
            _severities(rules),
        )


def whole_facts(
    known: Mapping[EntityRef, Node],
    rules: Mapping[EntityRef, Mapping[str, Any]],
    *,
    stewarded: Mapping[EntityRef, Mapping[str, Any]],
    relations: Iterable[Relation],
    layered: Collection[str],
) -> Facts:
    """Return all that the rules look at.

    `known` are entities, `rules` documents of `RULE_KINDS`, `stewarded` those of entities with stewards, `relations`
    those of `FACT_TYPES`, `layered` the kinds whose entities stand in layers.
    """
    grouped: dict[str, dict[EntityRef, list[EntityRef]]] = {}
    for relation in sorted(relations):
        use = "needs" if relation.type in DEPENDENCY_TYPES else relation.type
        grouped.setdefault("parents" if use in PARENT_TYPES else use, {}).setdefault(relation.source, []).append(
            relation.target
        )
    return Facts(
        _assets(known.values(), layered, stewarded=stewarded, needs=grouped.get("needs", {})),
        {ref: layer_of(body, ref) for ref, body in rules.items() if ref.kind == "layer"},
        frozenset(ref for ref, node in known.items() if node.kind in _PEOPLE),
        grouped.get("hasRole", {}),
        grouped.get("parents", {}),
        {node.ref: node.layer for node in known.values()},
        _severities(rules),
    )


def _assets(
    nodes: Iterable[Node],
    layered: Collection[str],
    *,
    stewarded: Mapping[EntityRef, Mapping[str, Any]],
    needs: Mapping[EntityRef, Collection[EntityRef]],
) -> list[Asset]:
    return [
        Asset(
            node.ref,
            node.owner,
            node.layer,
            node.kind in layered,
            stewards_of(stewarded.get(node.ref, {}), node.ref),
            tuple(dict.fromkeys(needs.get(node.ref, ()))),
        )
        for node in nodes
        if node.kind in layered or node.owner is not None
    ]


def reached_json(item: Dependent, node: Node) -> dict[str, Any]:
    """Return an entity that a walk has reached as JSON tells it."""
    return node.to_json() | {"distance": item.distance, "path": item.path}


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


def _views(
    layers: Mapping[EntityRef, Layer], nodes: Iterable[Node], roles: Mapping[EntityRef, Role]
) -> list[LayerView]:
    standing: dict[EntityRef | None, list[Node]] = {}
    for node in nodes:
        if node.kind not in _FRAME_KINDS:
            standing.setdefault(node.layer if node.layer in layers else None, []).append(node)
    views = [
        LayerView(
            layer,
            standing.get(layer.ref, []),
            [roles.get(ref) or Role(ref, ref.name) for ref in layer.owner_roles],
        )
        for layer in sorted(layers.values(), key=lambda item: (-item.rank, item.ref))
    ]
    return [*views, LayerView(None, standing[None], [])] if None in standing else views


def _missing(ref: EntityRef) -> Node:
    return Node(ref, ref.kind, ref.name, None, None)


def _severities(rules: Mapping[EntityRef, Mapping[str, Any]]) -> dict[tuple[str, EntityRef | None], str]:
    """Return what Policy entities say, by rule and layer; a layer of None means all."""
    found: dict[tuple[str, EntityRef | None], str] = {}
    for ref, body in rules.items():
        if ref.kind != "policy":
            continue
        spec = body["spec"]
        names = spec.get("layers")
        for layer in [None] if names is None else [named("layer", name, ref) for name in names]:
            key = (spec["rule"], layer)
            found[key] = max(found.get(key, "off"), spec["severity"], key=_STRICTNESS.__getitem__)
    return found
