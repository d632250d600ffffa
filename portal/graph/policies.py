"""The rules that layers make: who may own, who must steward, what may need what."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple, Protocol, runtime_checkable

from portal.model.layer import Duty, Exemption, Finding, FindingSeverity, Layer
from portal.model.policy import Policy
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence, either

#: So many names are spelt out in a sentence; the finding itself carries them all.
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Asset:
    """What the rules see of an entity. `stewards` are (who, duty); `needs` is what it depends on.

    What is not `layered` stands beside the layers, as a Domain does: its owner must exist, no more is asked of it.
    """

    ref: EntityRef
    owner: EntityRef | None
    layer: EntityRef | None
    layered: bool = True
    stewards: tuple[tuple[EntityRef, str], ...] = ()
    needs: tuple[EntityRef, ...] = ()


@dataclass(slots=True)
class Facts:
    """All that the rules look at, for the whole catalog.

    `people` are the groups and users there are. `roles` are held directly, `parents` the groups above a group or
    person. `severities` are what Policy entities say, by rule and layer, where a layer of None means all layers.
    `policies` are those entities, `rule_ids` the rules that are there without them, `today` is the day in UTC.
    `documents` are the finished documents of the assets that a `DocumentRule` asks for.
    """

    assets: Collection[Asset]
    layers: Mapping[EntityRef, Layer]
    people: frozenset[EntityRef] = frozenset()
    roles: Mapping[EntityRef, Collection[EntityRef]] = field(default_factory=dict)
    parents: Mapping[EntityRef, Collection[EntityRef]] = field(default_factory=dict)
    layer_by_ref: Mapping[EntityRef, EntityRef | None] = field(default_factory=dict)
    severities: Mapping[tuple[str, EntityRef | None], str] = field(default_factory=dict)
    policies: Mapping[EntityRef, Policy] = field(default_factory=dict)
    rule_ids: frozenset[str] = frozenset()
    today: date = date.min
    documents: Mapping[EntityRef, Mapping[str, Any]] = field(default_factory=dict)
    _held: dict[EntityRef, frozenset[EntityRef]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _holders: dict[tuple[EntityRef, ...], list[EntityRef]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _exempted: dict[tuple[str, EntityRef], list[Exemption]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def layer_of(self, asset: Asset) -> Layer | None:
        """Return the layer whose rules an asset must keep; None where there is no such layer."""
        return self.layers.get(asset.layer) if asset.layer is not None and asset.layered else None

    def roles_of(self, ref: EntityRef) -> frozenset[EntityRef]:
        """Return the roles that a group or person holds, directly or through the groups above."""
        if ref not in self._held:
            held: set[EntityRef] = set()
            seen: set[EntityRef] = set()
            frontier = {ref}
            while frontier:
                seen |= frontier
                held.update(role for who in frontier for role in self.roles.get(who, ()))
                frontier = {parent for who in frontier for parent in self.parents.get(who, ())} - seen
            self._held[ref] = frozenset(held)
        return self._held[ref]

    def holders_of(self, roles: Collection[EntityRef]) -> list[EntityRef]:
        """Return the groups that hold one of some roles directly, sorted."""
        key = tuple(roles)
        if key not in self._holders:
            wanted = set(roles)
            self._holders[key] = sorted(
                who for who, held in self.roles.items() if who.kind == "group" and not wanted.isdisjoint(held)
            )
        return self._holders[key]

    def severity(self, rule: str, layer: EntityRef | None) -> str:
        """Return how much a rule matters in a layer: off, warn or enforce; warn where nothing says."""
        return self.told_severity(rule, layer) or "warn"

    def told_severity(self, rule: str, layer: EntityRef | None) -> str | None:
        """Return how much a rule matters in a layer, or None where nothing says.

        What a Policy says for the layer counts first, then what one says for all layers, then the layer's own word.
        """
        for key in ((rule, layer), (rule, None)):
            if key in self.severities:
                return self.severities[key]
        found = self.layers.get(layer) if layer is not None else None
        return found.enforcement.get(rule) if found is not None else None

    def exemptions(self, rule: str, entity: EntityRef) -> list[Exemption]:
        """Return the exemptions of an entity from a rule, whatever they are worth, the last to end first."""
        if self._exempted is None:
            self._exempted = {}
            for policy in self.policies.values():
                for exemption in policy.exemptions:
                    self._exempted.setdefault((exemption.rule, exemption.entity), []).append(exemption)
            for found in self._exempted.values():
                found.sort(key=lambda exemption: (exemption.expires, exemption.policy), reverse=True)
        return self._exempted.get((rule, entity), [])

    def approvers(self, layer: EntityRef | None) -> frozenset[EntityRef]:
        """Return the roles that may grant exemptions in a layer; what stands in none is any layer's matter."""
        one = self.layers.get(layer) if layer is not None else None
        layers = [one] if one is not None else list(self.layers.values())
        return frozenset(role for found in layers for role in found.approvers)

    def may_approve(self, who: EntityRef, layer: EntityRef | None) -> bool:
        """Return whether a group or person may grant exemptions in a layer."""
        return who in self.people and not self.roles_of(who).isdisjoint(self.approvers(layer))

    def standing(self, exemption: Exemption, layer: EntityRef | None) -> str:
        """Return what an exemption of an entity in a layer is worth: `valid`, `ended` or `refused`."""
        if self.today > exemption.expires:
            return "ended"
        return "valid" if self.may_approve(exemption.approver, layer) else "refused"


class Violation(NamedTuple):
    """An asset that breaks a rule: what is wrong, how to mend it, whom else it concerns."""

    asset: Asset
    message: str
    fix: str
    related: tuple[EntityRef, ...] = ()


@runtime_checkable
class Rule(Protocol):
    """A rule: `explanation` says in a sentence what it asks for, `fix` how an asset comes to keep it."""

    id: str
    explanation: str
    fix: str

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[Violation]:
        """Yield each violation among a whole set of assets."""
        ...


@runtime_checkable
class DocumentRule(Rule, Protocol):
    """A rule that looks at whole documents: `check` gets the assets in portions, with their `Facts.documents`."""

    def concerns(self, facts: Facts, assets: Collection[Asset]) -> Iterator[Asset]:
        """Yield the assets whose documents it looks at; no other document is read for it."""
        ...


class OwnerExists:
    """An owner is somebody."""

    id = "portal/owner-exists"
    explanation: str = Sentence("The owner of an asset is a group or user of the catalog.")
    fix: str = Sentence("Set spec.owner to a group or user that exists, or add the one it names to the catalog.")

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[Violation]:
        """Yield assets without a living owner."""
        for asset in assets:
            if asset.owner is None:
                if asset.layered:
                    yield Violation(asset, Sentence("It has no owner."), self.fix)
            elif asset.owner not in facts.people:
                message = Sentence("Its owner %(owner)s is not in the catalog.", owner=asset.owner)
                yield Violation(asset, message, self.fix, (asset.owner,))


class OwnerRole:
    """An owner holds a role that the layer asks for."""

    id = "portal/owner-role"
    explanation: str = Sentence(
        "The owner of an asset holds, directly or through a parent group, one of its layer's owner roles."
    )
    fix: str = Sentence("Set spec.owner to who may own in the layer, or give the owner such a role in its spec.roles.")

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[Violation]:
        """Yield assets whose owner may not own in their layer."""
        fixes: dict[EntityRef, tuple[Sentence, tuple[EntityRef, ...]]] = {}
        for asset in assets:
            layer = facts.layer_of(asset)
            if layer is None or asset.owner is None or asset.owner not in facts.people:
                continue
            if facts.roles_of(asset.owner).isdisjoint(layer.owner_roles):
                if layer.ref not in fixes:
                    able = facts.holders_of(layer.owner_roles)
                    fix = Sentence("%(fix)s Who could own: %(able)s.", fix=self.fix, able=listed(able))
                    fixes[layer.ref] = (fix, tuple(able))
                yield Violation(
                    asset,
                    Sentence(
                        "Its owner %(owner)s holds no role that may own in the layer %(layer)s: %(roles)s.",
                        owner=asset.owner,
                        layer=layer.name,
                        roles=either([role.name for role in layer.owner_roles]),
                    ),
                    *fixes[layer.ref],
                )


class LayerKnown:
    """An asset stands in a layer."""

    id = "portal/layer-known"
    explanation: str = Sentence(
        "An asset stands in a layer that exists: its own, its system's, that system's domain's, or its kind's."
    )
    fix: str = Sentence("Set spec.layer to a layer that exists, or spec.system to a system that stands in one.")

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[Violation]:
        """Yield assets without a layer."""
        known = [layer.name for layer in sorted(facts.layers.values(), key=lambda item: (item.rank, item.ref))]
        fix = Sentence("%(fix)s Known layers: %(layers)s.", fix=self.fix, layers=known)
        for asset in assets:
            if asset.layer is None:
                if asset.layered:
                    yield Violation(asset, Sentence("It stands in no layer."), fix)
            elif asset.layer not in facts.layers:
                message = Sentence("Its layer %(layer)s is not in the catalog.", layer=asset.layer)
                yield Violation(asset, message, fix, (asset.layer,))


class LayerDirection:
    """Dependencies go down."""

    id = "portal/layer-direction"
    explanation: str = Sentence("An asset depends only on assets of the layers that its layer may depend on.")
    fix: str = Sentence("Move what is needed into a layer that may be depended on, or turn the dependency round.")

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[Violation]:
        """Yield assets that need something of a layer above, once for each thing needed."""
        for asset in assets:
            layer = facts.layer_of(asset)
            if layer is None:
                continue
            for needed in asset.needs:
                place = facts.layer_by_ref.get(needed)
                other = facts.layers.get(place) if place is not None else None
                if other is not None and not layer.may_need(other):
                    message = Sentence(
                        "It stands in %(layer)s and depends on %(needed)s of %(other)s.",
                        layer=layer.name,
                        needed=needed,
                        other=other.name,
                    )
                    allowed = [
                        found.name
                        for found in sorted(facts.layers.values(), key=lambda item: (item.rank, item.ref))
                        if layer.may_need(found)
                    ]
                    fix = Sentence(
                        "%(fix)s %(layer)s may depend on: %(allowed)s.",
                        fix=self.fix,
                        layer=layer.name,
                        allowed=allowed or Sentence("nothing"),
                    )
                    yield Violation(asset, message, fix, (needed,))


class StewardDuty:
    """Each duty of a layer has a steward."""

    id = "portal/steward-duty"
    explanation: str = Sentence("For each duty of its layer an asset has a steward who holds the duty's role.")
    fix: str = Sentence("Add to spec.stewards one who holds the duty's role.")

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[Violation]:
        """Yield assets that lack a steward, once for each duty."""
        fixes: dict[Duty, tuple[Sentence, tuple[EntityRef, ...]]] = {}
        for asset in assets:
            layer = facts.layer_of(asset)
            for duty in layer.duties if layer is not None else ():
                stewards = [who for who, what in asset.stewards if what == duty.duty and who in facts.people]
                if not any(duty.role in facts.roles_of(who) for who in stewards):
                    if duty not in fixes:
                        fixes[duty] = self._fix(duty, facts.holders_of([duty.role]))
                    message = Sentence(
                        'Nobody with the role %(role)s is named as steward for "%(duty)s".',
                        role=duty.role.name,
                        duty=duty.duty,
                    )
                    yield Violation(asset, message, *fixes[duty])

    def _fix(self, duty: Duty, able: Sequence[EntityRef]) -> tuple[Sentence, tuple[EntityRef, ...]]:
        """Return how a missing steward for a duty is mended, and who could be it."""
        if not able:
            return Sentence("%(fix)s Who could: %(able)s.", fix=self.fix, able=listed(able)), ()
        fix = Sentence(
            "Add to spec.stewards one who holds the duty's role: %(example)s. Who could: %(able)s.",
            example=f"{{ref: {able[0]}, duty: {duty.duty}}}",
            able=listed(able),
        )
        return fix, tuple(able)


RULES: tuple[Rule, ...] = (OwnerExists(), OwnerRole(), LayerKnown(), LayerDirection(), StewardDuty())


def evaluate(
    facts: Facts, *, rules: Collection[Rule] = RULES, assets: Collection[Asset] | None = None
) -> list[Finding]:
    """Return what the rules find over all assets, or some of them; nothing where there is no layer at all.

    An asset that a rule cannot be checked on, as the rule raises, is told with the reason, as a warning.
    """
    if not facts.layers:
        return []
    found: list[Finding] = []
    for rule in rules:
        for violation, grade in _graded(facts, rule, facts.assets if assets is None else assets):
            found.append(_finding(facts, rule.id, violation, grade))
    return sorted(found, key=by_entity)


def by_entity(finding: Finding) -> tuple[str, str, str]:
    """Return what findings are sorted by."""
    return (finding.ref, finding.rule, finding.message)


def _graded(facts: Facts, rule: Rule, assets: Collection[Asset]) -> Iterator[tuple[Violation, FindingSeverity]]:
    """Yield what a rule finds, with its severity, but for what is off."""
    found, failed = _checked(facts, rule, assets)
    for violation in found:
        severity = facts.severity(rule.id, violation.asset.layer)
        if severity != "off":
            yield violation, "enforce" if severity == "enforce" else "warn"
    for violation in failed:
        if facts.severity(rule.id, violation.asset.layer) != "off":
            yield violation, "warn"


def _checked(facts: Facts, rule: Rule, assets: Collection[Asset]) -> tuple[list[Violation], list[Violation]]:
    """Return what a rule finds; where it raises it is asked for each asset alone, and those that it fails on come last.

    Rules come from other distributions too: what they raise must neither stop the rest nor go unseen.
    """
    try:
        return [_sound(violation) for violation in rule.check(facts, assets)], []
    except Exception:  # noqa: BLE001  # whatever a foreign rule raises; below it is told on the asset
        found: list[Violation] = []
        failed: list[Violation] = []
        for asset in assets:
            try:
                found += [_sound(violation) for violation in rule.check(facts, [asset])]
            except Exception as error:  # noqa: BLE001
                why = f"{type(error).__name__}: {error}"
                reason = Sentence("The rule could not be checked: %(why)s.", why=why)
                failed.append(Violation(asset, reason, Sentence("Tell whoever the rule comes from.")))
        return found, failed


def _sound(violation: Violation) -> Violation:
    if not (
        isinstance(violation, Violation)
        and isinstance(violation.asset, Asset)
        and isinstance(violation.message, str)
        and isinstance(violation.fix, str)
    ):
        raise TypeError(f"expected a Violation of an Asset, found {type(violation).__name__}")
    return violation


def _finding(facts: Facts, rule: str, violation: Violation, grade: FindingSeverity) -> Finding:
    """Return the finding of a violation, excused where an exemption is valid."""
    asset, message, fix, related = violation
    ended: Exemption | None = None
    for exemption in facts.exemptions(rule, asset.ref):
        standing = facts.standing(exemption, asset.layer)
        if standing == "valid":
            return Finding(rule, "exempt", asset.ref, asset.layer, message, fix, related, exemption)
        if standing == "ended" and ended is None:
            ended = exemption
    if ended is not None:
        message = Sentence(
            "%(message)s Its exemption by %(approver)s ended on %(day)s.",
            message=message,
            approver=ended.approver,
            day=ended.expires,
        )
    return Finding(rule, grade, asset.ref, asset.layer, message, fix, related)


def listed(refs: Collection[EntityRef]) -> Sentence | list[EntityRef]:
    """Return some references as a value of a sentence that names them."""
    if not refs:
        return Sentence("nobody yet")
    shown = list(refs)[:_MOST_NAMED]
    if len(refs) <= _MOST_NAMED:
        return shown
    return Sentence("%(shown)s, %(count)s more", shown=shown, count=len(refs) - _MOST_NAMED)
