"""Rules that Policy documents declare in CEL, beside those that look at such documents themselves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from portal.errors import InputError
from portal.graph.policies import Asset, Facts, Rule, Violation, listed
from portal.model.expression import Expression
from portal.model.policy import Policy
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence, either

#: So long one expression may take over a whole catalog; an ordinary one takes three seconds for 100,000 entities.
PATIENCE_SECONDS = 30.0
_FAILED_FIX = Sentence('Ask whether a key is there before reading it, as in "has(entity.spec.format) && …".')
_STOPPED_FIX = Sentence("Make its expression simpler, or name fewer kinds or layers.")


class ExpressionRule:
    """A rule that a Policy declares. It holds where that policy, another one or the layer gives it a severity.

    `clock` counts seconds: what takes too long in all is stopped, which is told on the policy.
    """

    def __init__(self, policy: Policy, expression: Expression, *, clock: Callable[[], float]) -> None:
        self.id = policy.rule
        self.explanation = policy.explanation
        self.fix = policy.fix
        self._message = policy.message or Sentence("It breaks a rule: %(rule)s", rule=policy.explanation)
        self._policy = policy
        self._expression = expression
        self._clock = clock
        self._left_seconds = PATIENCE_SECONDS
        self._is_stopped = False

    def concerns(self, facts: Facts, assets: Collection[Asset]) -> Iterator[Asset]:
        """Yield the assets of its kinds in the layers where it matters."""
        kinds = self._policy.kinds
        matters: dict[EntityRef | None, bool] = {}
        for asset in assets:
            if asset.layer not in matters:
                matters[asset.layer] = facts.told_severity(self.id, asset.layer) not in {None, "off"}
            if matters[asset.layer] and (asset.ref.kind in kinds if kinds else asset.layered):
                yield asset

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[Violation]:
        """Yield the assets that do not keep the condition, and those that it cannot be asked of."""
        if self._is_stopped:
            return
        ends = self._clock() + self._left_seconds
        for asset in self.concerns(facts, assets):
            if asset.ref not in facts.documents:
                continue
            if self._clock() > ends:
                self._is_stopped = True
                policy = Asset(self._policy.ref, None, None, layered=False)
                message = Sentence(
                    "Its expression was stopped after %(seconds)s seconds; some assets are not checked.",
                    seconds=f"{PATIENCE_SECONDS:.0f}",
                )
                yield Violation(policy, message, _STOPPED_FIX)
                return
            try:
                if not self._expression.holds(_seen(facts, asset)):
                    yield Violation(asset, self._message, self.fix)
            except InputError as error:
                reason = Sentence("The rule could not be checked: %(why)s.", why=str(error))
                yield Violation(asset, reason, _FAILED_FIX)
        self._left_seconds = ends - self._clock()


class PolicyRule:
    """A policy speaks of a rule that is there."""

    id = "portal/policy-rule"
    explanation: str = Sentence(
        "A Policy names a rule that there is, or declares one under an id that nothing else has."
    )
    fix: str = Sentence("Set spec.rule to the id of a rule that there is; with spec.expression to one that is free.")

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[Violation]:
        """Yield policies without a rule, and those that declare one that is there already."""
        holders = declaring(facts.policies.values(), facts.rule_ids)
        for asset in assets:
            policy = facts.policies.get(asset.ref)
            if policy is None or policy.is_access:
                continue
            holder = holders.get(policy.rule)
            if policy.expression:
                if policy.rule in facts.rule_ids:
                    message = Sentence("It declares %(rule)s, which is there without it.", rule=policy.rule)
                    yield Violation(asset, message, self.fix)
                elif holder is not None and holder.ref != asset.ref:
                    message = Sentence(
                        "It declares %(rule)s, which %(policy)s declares already.", rule=policy.rule, policy=holder.ref
                    )
                    yield Violation(asset, message, self.fix, (holder.ref,))
            elif policy.rule not in facts.rule_ids and holder is None:
                known = sorted({*facts.rule_ids, *holders})
                message = Sentence("There is no rule %(rule)s.", rule=policy.rule)
                fix = Sentence("%(fix)s Known rules: %(rules)s.", fix=self.fix, rules=known)
                yield Violation(asset, message, fix)


class ExemptionEntity:
    """An exemption is of something."""

    id = "portal/exemption-entity"
    explanation: str = Sentence("What a Policy exempts from its rule is in the catalog.")
    fix: str = Sentence("Set the exemption's entity to one of the catalog, or remove the exemption.")

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[Violation]:
        """Yield policies that exempt what is not there, once for each of it."""
        for asset in assets:
            policy = facts.policies.get(asset.ref)
            for exemption in policy.exemptions if policy is not None else ():
                if exemption.entity not in facts.layer_by_ref:
                    message = Sentence("It exempts %(entity)s, which is not in the catalog.", entity=exemption.entity)
                    yield Violation(asset, message, self.fix, (exemption.entity,))


class ExemptionApprover:
    """An exemption is granted by who may grant it."""

    id = "portal/exemption-approver"
    explanation: str = Sentence(
        "Who approves an exemption holds one of the approver roles of the exempted entity's layer."
    )
    fix: str = Sentence("Have the exemption approved by who may, or remove it: it does not count.")

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[Violation]:
        """Yield policies with an exemption that does not count, once for each."""
        for asset in assets:
            policy = facts.policies.get(asset.ref)
            for exemption in policy.exemptions if policy is not None else ():
                if exemption.entity not in facts.layer_by_ref:
                    continue
                layer = facts.layer_by_ref[exemption.entity]
                if facts.standing(exemption, layer) != "refused":
                    continue
                roles = sorted(facts.approvers(layer))
                able = facts.holders_of(roles)
                if exemption.approver not in facts.people:
                    message = Sentence(
                        "The exemption of %(entity)s does not count: its approver %(who)s is not in the catalog.",
                        entity=exemption.entity,
                        who=exemption.approver,
                    )
                else:
                    message = Sentence(
                        "The exemption of %(entity)s does not count: its approver %(who)s holds no role that may grant "
                        "it (%(roles)s).",
                        entity=exemption.entity,
                        who=exemption.approver,
                        roles=either([role.name for role in roles]) if roles else Sentence("the layer names none"),
                    )
                fix = Sentence("%(fix)s Who could approve: %(able)s.", fix=self.fix, able=listed(able))
                yield Violation(asset, message, fix, tuple(able))


POLICY_RULES: tuple[Rule, ...] = (PolicyRule(), ExemptionEntity(), ExemptionApprover())


def declaring(policies: Iterable[Policy], taken: Collection[str]) -> dict[str, Policy]:
    """Return the policies that declare rules, by the rule's id: of several the first by reference, no taken one."""
    found: dict[str, Policy] = {}
    for policy in sorted(policies, key=lambda item: item.ref):
        if policy.expression and policy.rule not in taken:
            found.setdefault(policy.rule, policy)
    return found


def declared_rules(facts: Facts, *, clock: Callable[[], float] = float) -> list[tuple[Rule, Policy]]:
    """Return the rules that the policies declare, each with its policy; without a clock none is ever stopped."""
    rules: list[tuple[Rule, Policy]] = []
    for _, policy in sorted(declaring(facts.policies.values(), facts.rule_ids).items()):
        try:
            rules.append((ExpressionRule(policy, Expression(policy.expression), clock=clock), policy))
        except InputError:
            # Ingest refuses such a document; a catalog that an older release filled may still hold one.
            continue
    return rules


def _seen(facts: Facts, asset: Asset) -> dict[str, Any]:
    """Return what an expression sees of an asset."""
    # The library takes plain texts alone, none that are references as well.
    owner = asset.owner
    return {
        "entity": facts.documents[asset.ref],
        "layer": asset.layer.name if asset.layer is not None else "",
        "owner": {
            "ref": str(owner or ""),
            "kind": owner.kind if owner is not None else "",
            "exists": owner in facts.people,
            "roles": sorted(map(str, facts.roles_of(owner))) if owner is not None else [],
        },
        "stewards": [{"ref": str(who), "duty": duty} for who, duty in asset.stewards],
        "needs": [
            {"ref": str(ref), "kind": ref.kind, "layer": layer.name if (layer := facts.layer_by_ref.get(ref)) else ""}
            for ref in asset.needs
        ],
    }
