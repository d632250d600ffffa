"""Who owns, who is hit, what breaks the layers' rules."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from portal.errors import InputError, NotFoundError
from portal.graph.impact import Dependent, OwnerToTell, dependents, owners_to_tell
from portal.graph.policies import Asset, Facts, OwnerExists, OwnerRole, evaluate
from portal.graph.walk import walk
from portal.model.kind import Kinds
from portal.model.layer import Finding, Layer, layer_of
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.model.relation import DEPENDENCY_TYPES, INVERSES, RELATION_TYPES, Relation
from portal.store import graph, sources
from portal.store.database import Connection, Database
from portal.store.graph import Node

Direction = Literal["in", "out", "both"]

#: A change runs against the direction of need: from what is needed to what needs it.
_REACHED_TYPES = frozenset(INVERSES[name] for name in DEPENDENCY_TYPES)
_FACT_TYPES = frozenset({*DEPENDENCY_TYPES, "memberOf", "childOf", "hasRole"})
_UNOWNED_KINDS = frozenset({"group", "user", "location", "layer", "role", "policy", "kinddefinition"})


@dataclass(frozen=True, slots=True)
class SubGraph:
    """A part of the graph. A node that is named and not in the catalog has no kind's title, layer or owner."""

    nodes: list[Node]
    edges: list[Relation]


@dataclass(frozen=True, slots=True)
class Impact:
    """Whom a change of an entity reaches."""

    root: Node
    dependents: list[tuple[Dependent, Node]]
    owners: list[OwnerToTell]


@dataclass(frozen=True, slots=True)
class LayerView:
    """A layer with its entities; `layer` is None for what stands in none."""

    layer: Layer | None
    nodes: list[Node]


@dataclass(frozen=True, slots=True)
class Summary:
    """What the catalog holds: counts by kind and layer (empty: none), owners, problems, findings."""

    counts: Mapping[str, Mapping[str, int]]
    layers: list[str]
    owners: Mapping[EntityRef, int]
    problems: list[Problem]
    findings: list[Finding]


class OwnershipService:
    """Answers from the ownership graph."""

    def __init__(self, database: Database, kinds: Kinds) -> None:
        self._database = database
        self._kinds = kinds
        self._lock = threading.Lock()
        self._facts: tuple[int, Facts] | None = None

    def graph(
        self, root: EntityRef, *, depth: int = 1, direction: Direction = "both", types: Collection[str] | None = None
    ) -> SubGraph:
        """Return what is around an entity. Raises `NotFoundError`, and `InputError` for an unknown relation type.

        `out` follows relations of these types as they are, `in` those that lead here, `both` either.
        """
        for name in types or ():
            if name not in INVERSES:
                raise InputError(f'Unknown relation "{name}"; known are {", ".join(sorted(INVERSES))}')
        wanted = None if types is None else set(types)
        incoming = None if wanted is None else {INVERSES[name] for name in wanted}
        with self._database.reading() as connection:
            self._require(connection, root)

            def around(frontier: Collection[EntityRef]) -> Iterable[Relation]:
                if direction == "out":
                    return graph.relations_from(connection, frontier, types=wanted)
                if direction == "in":
                    return graph.relations_from(connection, frontier, types=incoming)
                both = None if wanted is None or incoming is None else wanted | incoming
                return graph.relations_from(connection, frontier, types=both)

            found = walk(root, around, depth=depth)
            known = graph.nodes(connection, refs=found.distances, default_layers=self._kinds.default_layers)
        shown = [known.get(ref) or _missing(ref) for ref in sorted(found.distances)]
        edges = {_told(relation, direction, wanted) for relation in found.relations}
        return SubGraph(shown, sorted(edges))

    def impact(self, ref: EntityRef) -> Impact:
        """Return everything that needs an entity, directly or through others. Raises `NotFoundError`."""
        with self._database.reading() as connection:
            root = self._require(connection, ref)
            found = walk(ref, lambda refs: graph.relations_from(connection, refs, types=_REACHED_TYPES))
            known = graph.nodes(connection, refs=found.distances, default_layers=self._kinds.default_layers)
        reached = dependents(found, ref)
        owners = {node.ref: node.owner for node in known.values()}
        return Impact(
            root,
            [(item, known.get(item.ref) or _missing(item.ref)) for item in reached],
            owners_to_tell(reached, owners),
        )

    def findings(self) -> list[Finding]:
        """Return what the layers' rules find over the whole catalog."""
        with self._database.reading() as connection:
            return evaluate(self._load(connection))

    def check_owner(self, owner_ref: EntityRef, layer: str) -> list[Finding]:
        """Return what speaks against an owner in a layer, given by name; empty where nothing does."""
        with self._database.reading() as connection:
            facts = self._load(connection)
        ref = EntityRef.parse(layer, default_kind="layer")
        asset = Asset(EntityRef("asset:default/new"), owner_ref, ref)
        found = evaluate(facts, rules=(OwnerExists(), OwnerRole()), assets=[asset])
        if facts.layers and ref not in facts.layers:
            known = ", ".join(sorted(item.name for item in facts.layers))
            message, fix = f'There is no layer "{ref.name}".', f"Known layers: {known}."
            found.append(Finding("portal/layer-known", "enforce", asset.ref, ref, message, fix))
        return found

    def layers(self) -> list[LayerView]:
        """Return the layers, the highest first, each with its entities; what stands in none comes last."""
        with self._database.reading() as connection:
            facts = self._load(connection)
            known = graph.nodes(connection, default_layers=self._kinds.default_layers)
        shown = [node for node in known.values() if node.kind not in _UNOWNED_KINDS]
        views = [
            LayerView(layer, [node for node in shown if node.layer == layer.ref])
            for layer in sorted(facts.layers.values(), key=lambda item: (-item.rank, item.ref))
        ]
        rest = [node for node in shown if node.layer not in facts.layers]
        return [*views, LayerView(None, rest)] if rest else views

    def summary(self) -> Summary:
        """Return what the catalog holds."""
        with self._database.reading() as connection:
            facts = self._load(connection)
            known = graph.nodes(connection, default_layers=self._kinds.default_layers)
            problems = sources.list_problems(connection)
        counts: dict[str, dict[str, int]] = {}
        owners: dict[EntityRef, int] = {}
        ranked = [layer.ref.name for layer in sorted(facts.layers.values(), key=lambda item: item.rank)]
        for node in known.values():
            kind = self._kinds.named(node.kind)
            row = counts.setdefault(kind.name if kind else node.kind, {})
            name = node.layer.name if node.layer in facts.layers and node.layer is not None else ""
            row[name] = row.get(name, 0) + 1
            if node.owner is not None:
                owners[node.owner] = owners.get(node.owner, 0) + 1
        return Summary(
            dict(sorted(counts.items())),
            ranked,
            dict(sorted(owners.items(), key=lambda item: (-item[1], item[0]))),
            problems,
            evaluate(facts),
        )

    def problems(self) -> list[Problem]:
        """Return the problems of all sources, by file and line."""
        with self._database.reading() as connection:
            return sources.list_problems(connection)

    def _require(self, connection: Connection, ref: EntityRef) -> Node:
        node = graph.nodes(connection, refs=[ref], default_layers=self._kinds.default_layers).get(ref)
        if node is None:
            raise NotFoundError(f"Entity {ref} not found")
        return node

    def _load(self, connection: Connection) -> Facts:
        """Return the facts of this revision of the catalog; they are read once for each."""
        revision = sources.current_revision(connection)
        with self._lock:
            if self._facts is not None and self._facts[0] == revision:
                return self._facts[1]
        facts = self._read_facts(connection)
        with self._lock:
            self._facts = (revision, facts)
        return facts

    def _read_facts(self, connection: Connection) -> Facts:
        known = graph.nodes(connection, default_layers=self._kinds.default_layers)
        rules = graph.declared_of_kinds(connection, ("layer", "policy"))
        stewarded = graph.declared_with_relation(connection, "stewardedBy")
        grouped: dict[str, dict[EntityRef, list[EntityRef]]] = {}
        needs: dict[EntityRef, list[EntityRef]] = {}
        for relation in graph.all_relations(connection, types=_FACT_TYPES):
            if relation.type in DEPENDENCY_TYPES:
                needs.setdefault(relation.source, []).append(relation.target)
            else:
                grouped.setdefault(relation.type, {}).setdefault(relation.source, []).append(relation.target)
        parents: dict[EntityRef, list[EntityRef]] = {}
        for name in ("memberOf", "childOf"):
            for ref, above in grouped.get(name, {}).items():
                parents.setdefault(ref, []).extend(above)
        assets = [
            Asset(
                node.ref,
                node.owner,
                node.layer,
                node.kind in self._kinds.layered,
                _stewards(stewarded.get(node.ref), node.ref),
                tuple(sorted(set(needs.get(node.ref, ())))),
            )
            for node in known.values()
            if node.kind in self._kinds.layered
        ]
        return Facts(
            assets,
            {ref: layer_of(body, ref) for ref, body in rules.items() if ref.kind == "layer"},
            frozenset(ref for ref in known if ref.kind in {"group", "user"}),
            grouped.get("hasRole", {}),
            parents,
            {node.ref: node.layer for node in known.values()},
            _severities(rules),
        )


def _missing(ref: EntityRef) -> Node:
    return Node(ref, ref.kind, ref.name, None, None)


def _told(relation: Relation, direction: Direction, wanted: set[str] | None) -> Relation:
    """Return a relation as it was asked for: those that lead here are told from their own side."""
    turned = Relation(relation.target, INVERSES[relation.type], relation.source)
    if direction == "in":
        return turned
    if direction == "both":
        if wanted is not None and relation.type not in wanted:
            return turned
        # Both directions of one relation are reached: keep the one that an entity declares for itself.
        if wanted is None and relation.type in _INVERSE_NAMES:
            return turned
    return relation


_INVERSE_NAMES = frozenset(pair.inverse for pair in RELATION_TYPES)


def _stewards(body: Mapping[str, Any] | None, near: EntityRef) -> tuple[tuple[EntityRef, str], ...]:
    found = []
    for item in (body or {}).get("spec", {}).get("stewards") or ():
        if isinstance(item, dict) and isinstance(item.get("ref"), str) and isinstance(item.get("duty"), str):
            try:
                ref = EntityRef.parse(item["ref"], default_kind="group", default_namespace=near.namespace)
            except InputError:
                continue
            found.append((ref, item["duty"]))
    return tuple(found)


def _severities(rules: Mapping[EntityRef, Mapping[str, Any]]) -> dict[tuple[str, EntityRef | None], str]:
    """Return what Policy entities say, by rule and layer; a layer of None means all."""
    found: dict[tuple[str, EntityRef | None], str] = {}
    for ref, body in rules.items():
        if ref.kind == "policy":
            spec = body["spec"]
            names = spec.get("layers")
            layers = [None] if names is None else [
                EntityRef.parse(name, default_kind="layer", default_namespace=ref.namespace) for name in names
            ]  # fmt: skip
            found |= {(spec["rule"], layer): spec["severity"] for layer in layers}
    return found
