"""Bends a policy by the access rules that Policy documents declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portal.model.access_rule import AccessRule, some_of
from portal.model.permission import CATALOG_ENTITY, Conditional, Criteria, EveryOf, NoneOf, Permission, Ruling
from portal.model.sentence import Sentence, several
from portal.services.access_facts import AccessFacts
from portal.services.identity import Actor
from portal.services.permission_policy import Claims, PermissionPolicy, rulings_by


class DeclaredAccess:
    """What another policy decides, with what rules that allow add, less what rules that deny take: those bind all."""

    def __init__(self, facts: AccessFacts, inner: PermissionPolicy) -> None:
        self._facts = facts
        self._inner = inner

    def decide(self, permissions: Sequence[Permission], actor: Actor, claims: Claims) -> Sequence[Ruling]:
        """See `PermissionPolicy.decide`."""
        decided = [
            item if item is not None else Ruling("DENY", Sentence("no policy decides on it"))
            for item in rulings_by(self._inner, permissions, actor, claims)
        ]
        rules = self._facts.access_rules()
        spoken = {item: [rule for rule in rules if rule.speaks_of(item)] for item in permissions}
        if not any(spoken.values()):
            return decided
        seen = self._seen(actor, claims)
        holding = {rule.policy for found in spoken.values() for rule in found if rule.holds_for(seen)}
        return [
            self._bent(ruling, permission, [rule for rule in spoken[permission] if rule.policy in holding])
            for permission, ruling in zip(permissions, decided, strict=True)
        ]

    def _seen(self, actor: Actor, claims: Claims) -> Mapping[str, Any]:
        held = list(claims())
        return {
            "type": actor.type,
            # CEL knows texts alone, not those that are more: whoever has signed in is a reference.
            "ref": str(actor.subject),
            "claims": [str(ref) for ref in held],
            "roles": [str(ref) for ref in self._facts.roles_of(held)],
        }

    def _bent(self, ruling: Ruling, permission: Permission, rules: Sequence[AccessRule]) -> Ruling:
        allowing, denying = ([rule for rule in rules if rule.effect == effect] for effect in ("allow", "deny"))
        for rule in denying:
            if self._criteria(rule) is None:
                return Ruling("DENY", _told(rule))
        for rule in allowing:
            if self._criteria(rule) is None:
                ruling = Ruling("ALLOW", _told(rule))
        if permission.resource_type != CATALOG_ENTITY:
            return ruling
        if ruling.decision != "ALLOW":
            ruling = self._widened(ruling, [rule for rule in allowing if self._criteria(rule) is not None])
        return self._narrowed(ruling, denying)

    def _widened(self, ruling: Ruling, rules: Sequence[AccessRule]) -> Ruling:
        if not rules:
            return ruling
        parts = [ruling.decision.criteria] if isinstance(ruling.decision, Conditional) else []
        parts += self._all_criteria(rules)
        return Ruling(Conditional(some_of(parts)), _joined(ruling, rules))

    def _narrowed(self, ruling: Ruling, rules: Sequence[AccessRule]) -> Ruling:
        if not rules or ruling.decision == "DENY":
            return ruling
        rest: Criteria = NoneOf(some_of(self._all_criteria(rules)))
        if isinstance(ruling.decision, Conditional):
            rest = EveryOf((ruling.decision.criteria, rest))
        return Ruling(Conditional(rest), _joined(ruling, rules))

    def _all_criteria(self, rules: Sequence[AccessRule]) -> list[Criteria]:
        return [criteria for rule in rules if (criteria := self._criteria(rule)) is not None]

    def _criteria(self, rule: AccessRule) -> Criteria | None:
        return rule.criteria({} if rule.layers is None else self._facts.criteria_of(rule.layers))


def _told(rule: AccessRule) -> str:
    said = f"{rule.explanation} {rule.fix}".rstrip()
    return Sentence("%(policy)s says: %(said)s", policy=rule.policy, said=said)


def _joined(ruling: Ruling, rules: Sequence[AccessRule]) -> str:
    return several(filter(None, (ruling.reason, *map(_told, rules))))
