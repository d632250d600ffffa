"""Lists the rules that there are, with where they come from, their severity in each layer, their exemptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from portal.graph.declared_rules import declared_rules
from portal.graph.policies import Facts, Rule
from portal.model.layer import Exemption
from portal.model.policy import Policy, policy_of
from portal.model.ref import EntityRef
from portal.plugins import Registry
from portal.plugins.registry import Unavailable
from portal.services.ownership import OwnershipService
from portal.store import graph
from portal.store.database import Connection, Database


class Granted(NamedTuple):
    """An exemption with what it is worth: `valid`, `ended`, `refused` (by who approved it), `missing` (its entity)."""

    exemption: Exemption
    standing: str

    def to_json(self) -> dict[str, str]:
        """Return the exemption as JSON tells it."""
        return {"entity": self.exemption.entity, **self.exemption.to_json(), "standing": self.standing}


@dataclass(frozen=True, slots=True)
class KnownRule:
    """A rule; `source` names the distribution that it comes from, or the policy that declares it.

    `severities` are by the layer's reference, the lowest layer first.
    """

    id: str
    explanation: str
    fix: str
    source: str
    policy: Policy | None
    severities: list[tuple[EntityRef, str]]
    exemptions: list[Granted]

    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON tells it."""
        return {
            "id": self.id,
            "explanation": self.explanation,
            "fix": self.fix,
            "source": {"type": "distribution" if self.policy is None else "policy", "name": self.source},
            "expression": None if self.policy is None else self.policy.expression,
            "kinds": [] if self.policy is None else sorted(self.policy.kinds),
            "severities": [{"layer": layer, "severity": severity} for layer, severity in self.severities],
            "exemptions": [granted.to_json() for granted in self.exemptions],
        }


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules by id, with those of distributions that cannot be used."""

    rules: list[KnownRule]
    unavailable: list[Unavailable]

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        return {
            "rules": [rule.to_json() for rule in self.rules],
            "unavailable": [
                {"name": item.name, "distribution": item.distribution, "reason": item.reason}
                for item in self.unavailable
            ],
        }


class RulesService:
    """Answers which rules there are."""

    def __init__(self, database: Database, ownership: OwnershipService, registry: Registry[Rule]) -> None:
        self._database = database
        self._ownership = ownership
        self._registry = registry

    def book(self) -> RuleBook:
        """Return all rules."""
        with self._database.reading() as connection:
            facts = self._facts(connection)
        rules = [_known(facts, rule, self._registry.distribution(name)) for name, rule in self._registry.items()]
        for rule, policy in declared_rules(facts):
            rules.append(_known(facts, rule, policy.ref, policy))
        return RuleBook(sorted(rules, key=lambda rule: rule.id), list(self._registry.unavailable))

    def _facts(self, connection: Connection) -> Facts:
        """Return what rules and exemptions follow from, without looking at all of the catalog where layers tell."""
        policies = graph.declared_of_kinds(connection, ("layer", "policy"))
        if not any(ref.kind == "layer" for ref in policies):
            return self._ownership.facts_seen_by(connection)
        exempted = {
            exemption.entity
            for ref, body in policies.items()
            if ref.kind == "policy"
            for exemption in policy_of(body, ref).exemptions
        }
        return self._ownership.facts_about(connection, exempted)


def _known(facts: Facts, rule: Rule, source: str, policy: Policy | None = None) -> KnownRule:
    silent = "warn" if policy is None else "off"
    layers = sorted(facts.layers.values(), key=lambda layer: (layer.rank, layer.ref))
    exemptions = [
        Granted(exemption, _standing(facts, exemption))
        for found in facts.policies.values()
        for exemption in found.exemptions
        if exemption.rule == rule.id
    ]
    return KnownRule(
        rule.id,
        rule.explanation,
        rule.fix,
        source,
        policy,
        [(layer.ref, facts.told_severity(rule.id, layer.ref) or silent) for layer in layers],
        sorted(exemptions, key=lambda granted: (granted.exemption.entity, granted.exemption.expires)),
    )


def _standing(facts: Facts, exemption: Exemption) -> str:
    if exemption.entity not in facts.layer_by_ref:
        return "missing"
    return facts.standing(exemption, facts.layer_by_ref[exemption.entity])
