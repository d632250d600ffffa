"""Reads from the catalog what the layers' rules look at."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from portal.graph.declared_rules import POLICY_RULES, declared_rules
from portal.graph.policies import RULES, Asset, DocumentRule, Facts, Rule, by_entity, evaluate
from portal.model.layer import Finding, layer_of, stewards_of
from portal.model.policy import Policy, policy_of
from portal.model.ref import PEOPLE, EntityRef
from portal.model.relation import ABOVE_TYPES, DEPENDENCY_TYPES
from portal.services.kinds import KindsService
from portal.store import graph
from portal.store.database import Connection
from portal.store.graph import Node

#: The kinds whose entities make rules, lower case.
RULE_KINDS = ("layer", "policy", "role")
#: The rules that ship with Portal.
BUILT_IN_RULES: tuple[Rule, ...] = (*RULES, *POLICY_RULES)
FACT_TYPES = frozenset({*DEPENDENCY_TYPES, *ABOVE_TYPES, "hasRole"})
#: The stricter of two policies for one rule in one layer counts.
_STRICTNESS = {"off": 0, "warn": 1, "enforce": 2}
#: So many documents are held at once while rules look at them.
_PORTION = 5_000

#: Gives the documents of those of some entities that are there.
DocumentsOf = Callable[[Collection[EntityRef]], Mapping[EntityRef, Mapping[str, Any]]]


def utc_today() -> date:
    """Return the day it is in UTC."""
    return datetime.now(UTC).date()


class FactsReader:
    """Reads what rules look at, for the whole catalog or about some entities; then asks the rules.

    `rules` are those that are there without a Policy. `clock` counts the seconds that a declared rule may take.
    """

    def __init__(
        self,
        kinds: KindsService,
        rules: Sequence[Rule] = BUILT_IN_RULES,
        *,
        today: Callable[[], date] = utc_today,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kinds = kinds
        self._rules = tuple(rules)
        self._rule_ids = frozenset(rule.id for rule in rules)
        self._shipped = frozenset(rule.id for rule in BUILT_IN_RULES)
        self.today = today
        self._clock = clock

    def findings(self, facts: Facts, documents_of: DocumentsOf) -> list[Finding]:
        """Return what all rules, those that policies declare too, find; documents are read for those that ask."""
        declared = declared_rules(facts, clock=self._clock) if facts.layers else ()
        rules = [*self._rules, *(rule for rule, _ in declared)]
        reading = [rule for rule in rules if isinstance(rule, DocumentRule)]
        found = evaluate(facts, rules=[rule for rule in rules if not isinstance(rule, DocumentRule)])
        if not reading:
            return _each_once(found)
        wanted = {asset.ref: asset for rule in reading for asset in _concerned(rule, facts)}
        assets = [wanted[ref] for ref in sorted(wanted)]
        for start in range(0, len(assets), _PORTION):
            portion = assets[start : start + _PORTION]
            facts.documents = documents_of([asset.ref for asset in portion])
            found += evaluate(facts, rules=reading, assets=portion)
        facts.documents = {}
        return _each_once(sorted(found, key=by_entity))

    @cached_property
    def rules_digest(self) -> str:
        """Tells the rules apart from those of another Portal: by their ids, and by when their files were written."""
        told = sorted(f"{rule.id}\0{type(rule).__qualname__}\0{_written_at(rule)}" for rule in self._rules)
        return sha256("\n".join([version("portal"), *told]).encode()).hexdigest()

    def whole(
        self, connection: Connection, known: Mapping[EntityRef, Node], rules: Mapping[EntityRef, Mapping[str, Any]]
    ) -> Facts:
        """Return the facts of a whole catalog. `known` are its nodes, `rules` the documents of `RULE_KINDS`."""
        # Without a layer no rule looks at anything: half of all relations need not be read.
        has_layers = any(ref.kind == "layer" for ref in rules)
        return self.of(
            known,
            rules,
            stewarded=graph.declared_with_relation(connection, "stewardedBy") if has_layers else {},
            leading=graph.targets_by_source(connection, types=FACT_TYPES) if has_layers else {},
            layered=self._kinds.seen_by(connection).layered,
        )

    def of(
        self,
        known: Mapping[EntityRef, Node],
        rules: Mapping[EntityRef, Mapping[str, Any]],
        *,
        stewarded: Mapping[EntityRef, Mapping[str, Any]],
        leading: Mapping[str, Mapping[EntityRef, Sequence[EntityRef]]],
        layered: Collection[str],
        today: date | None = None,
    ) -> Facts:
        """Return the facts of an organisation that has been read.

        `known` are its nodes, `rules` the documents of `RULE_KINDS`, `stewarded` those of entities with stewards;
        `leading` says where relations of `FACT_TYPES` lead, `layered` which kinds stand in layers.
        """
        policies = _policies(rules)
        return Facts(
            _assets(known.values(), layered, stewarded=stewarded, needs=_joined(leading, DEPENDENCY_TYPES)),
            {ref: layer_of(body, ref) for ref, body in rules.items() if ref.kind == "layer"},
            frozenset(ref for ref, node in known.items() if node.kind in PEOPLE),
            leading.get("hasRole", {}),
            _joined(leading, ABOVE_TYPES),
            {node.ref: node.layer for node in known.values()},
            _severities(policies.values()),
            policies,
            self._rule_ids,
            self.today() if today is None else today,
        )

    def about(
        self,
        connection: Connection,
        known: Mapping[EntityRef, Node],
        rules: Mapping[EntityRef, Mapping[str, Any]],
        *,
        nodes_of: Callable[[Collection[EntityRef]], Mapping[EntityRef, Node]],
    ) -> Facts:
        """Return the facts about some entities: these, what they need, who answers for them, who exempts them."""
        layers = {ref: layer_of(body, ref) for ref, body in rules.items() if ref.kind == "layer"}
        if not layers:
            return Facts((), layers)
        steps = sorted(graph.relations_from(connection, known, types={*DEPENDENCY_TYPES, "stewardedBy"}))
        with_stewards = {relation.source for relation in steps if relation.type == "stewardedBy"}
        stewarded = graph.documents_of(connection, with_stewards)
        needs: dict[EntityRef, list[EntityRef]] = {}
        for relation in steps:
            if relation.type != "stewardedBy":
                needs.setdefault(relation.source, []).append(relation.target)
        layered = self._kinds.seen_by(connection).layered
        assets = _assets(known.values(), layered, stewarded=stewarded, needs=needs)
        policies = _policies(rules)
        exemptions = [
            exemption
            for policy in policies.values()
            for exemption in policy.exemptions
            if policy.ref in known or exemption.entity in known
        ]
        answering = {asset.owner for asset in assets if asset.owner is not None}
        answering.update(who for asset in assets for who, _ in asset.stewards)
        answering.update(exemption.approver for exemption in exemptions)
        parents = graph.steps_beyond(connection, answering, types=ABOVE_TYPES)
        asked = {role for layer in layers.values() for role in (*layer.owner_roles, *layer.approvers)}
        asked.update(duty.role for layer in layers.values() for duty in layer.duties)
        held = set(graph.relations_from(connection, asked, types=("roleOf",)))
        roles: dict[EntityRef, list[EntityRef]] = {}
        for role, who in sorted((relation.source, relation.target) for relation in held):
            roles.setdefault(who, []).append(role)
        if self._rule_ids != self._shipped or any(policy.expression for policy in policies.values()):
            # Rules that are not Portal's may ask for any role, not only for those that layers name.
            everybody = answering.union(parents, *parents.values())
            for relation in sorted(graph.relations_from(connection, everybody, types=("hasRole",))):
                if relation.target not in roles.get(relation.source, ()):
                    roles.setdefault(relation.source, []).append(relation.target)
        others = nodes_of(answering.union({exemption.entity for exemption in exemptions}, *needs.values()))
        return Facts(
            assets,
            layers,
            frozenset(ref for ref, node in others.items() if node.kind in PEOPLE),
            roles,
            parents,
            {node.ref: node.layer for node in (*others.values(), *known.values())},
            _severities(policies.values()),
            policies,
            self._rule_ids,
            self.today(),
        )


def _each_once(found: Iterable[Finding]) -> list[Finding]:
    """Return findings that differ in rule, entity or message, in their order; a foreign rule may say one twice."""
    return list({by_entity(finding): finding for finding in found}.values())


def _written_at(rule: Rule) -> int:
    path = getattr(sys.modules.get(type(rule).__module__), "__file__", None)
    return Path(path).stat().st_mtime_ns if path else 0


def _concerned(rule: DocumentRule, facts: Facts) -> list[Asset]:
    try:
        return list(rule.concerns(facts, facts.assets))
    except Exception:  # noqa: BLE001  # a foreign rule; asked for each asset, it says on each what is wrong
        return list(facts.assets)


def _joined(
    leading: Mapping[str, Mapping[EntityRef, Collection[EntityRef]]], types: Iterable[str]
) -> dict[EntityRef, list[EntityRef]]:
    """Return where relations of several types lead, by the entity that they leave."""
    found: dict[EntityRef, list[EntityRef]] = {}
    for name in sorted(types):
        for source, targets in leading.get(name, {}).items():
            found.setdefault(source, []).extend(targets)
    return found


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


def _policies(rules: Mapping[EntityRef, Mapping[str, Any]]) -> dict[EntityRef, Policy]:
    return {ref: policy_of(body, ref) for ref, body in sorted(rules.items()) if ref.kind == "policy"}


def _severities(policies: Iterable[Policy]) -> dict[tuple[str, EntityRef | None], str]:
    """Return what policies say, by rule and layer; a layer of None means all."""
    found: dict[tuple[str, EntityRef | None], str] = {}
    for policy in policies:
        if policy.severity is None:
            continue
        for layer in [None] if policy.layers is None else policy.layers:
            key = (policy.rule, layer)
            found[key] = max(found.get(key, "off"), policy.severity, key=_STRICTNESS.__getitem__)
    return found
