"""The rules that layers make: who may own, who must steward, what may need what."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from portal.model.layer import Finding, FindingSeverity, Layer
from portal.model.ref import EntityRef


@dataclass(frozen=True, slots=True)
class Asset:
    """What the rules see of an entity. `stewards` are (who, duty); `needs` is what it depends on."""

    ref: EntityRef
    owner: EntityRef | None
    layer: EntityRef | None
    must_have_layer: bool = True
    stewards: tuple[tuple[EntityRef, str], ...] = ()
    needs: tuple[EntityRef, ...] = ()


@dataclass(slots=True)
class Facts:
    """All that the rules look at, for the whole catalog.

    `roles` are held directly, `parents` the groups above a group or person. `severities` overrides, by (rule, layer),
    what the layers' own enforcement says.
    """

    assets: Collection[Asset]
    layers: Mapping[EntityRef, Layer]
    people: frozenset[EntityRef] = frozenset()
    roles: Mapping[EntityRef, Collection[EntityRef]] = field(default_factory=dict)
    parents: Mapping[EntityRef, Collection[EntityRef]] = field(default_factory=dict)
    layer_by_ref: Mapping[EntityRef, EntityRef | None] = field(default_factory=dict)
    severities: Mapping[tuple[str, EntityRef | None], str] = field(default_factory=dict)

    def roles_of(self, ref: EntityRef) -> frozenset[EntityRef]:
        """Return the roles that a group or person holds, directly or through the groups above."""
        held: set[EntityRef] = set()
        seen: set[EntityRef] = set()
        frontier = {ref}
        while frontier:
            seen |= frontier
            held.update(role for who in frontier for role in self.roles.get(who, ()))
            frontier = {parent for who in frontier for parent in self.parents.get(who, ())} - seen
        return frozenset(held)

    def holders_of(self, roles: Collection[EntityRef]) -> list[EntityRef]:
        """Return the groups that hold one of some roles directly, sorted."""
        return sorted(who for who, held in self.roles.items() if who.kind == "group" and set(held) & set(roles))

    def severity(self, rule: str, layer: EntityRef | None) -> str:
        """Return how much a rule matters in a layer: off, warn or enforce."""
        if (rule, layer) in self.severities:
            return self.severities[rule, layer]
        if (rule, None) in self.severities:
            return self.severities[rule, None]
        found = self.layers.get(layer) if layer is not None else None
        return found.enforcement.get(rule, "warn") if found is not None else "warn"


class Rule(Protocol):
    """A rule: `explanation` says in a sentence what it asks for."""

    id: str
    explanation: str

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[tuple[Asset, str, str, tuple[EntityRef, ...]]]:
        """Yield (asset, what is wrong, how to mend it, whom it concerns) for each violation."""
        ...


class OwnerExists:
    """An owner is somebody."""

    id = "portal/owner-exists"
    explanation = "The owner of an asset is a group or user of the catalog."

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[tuple[Asset, str, str, tuple[EntityRef, ...]]]:
        """Yield assets without a living owner."""
        for asset in assets:
            if asset.owner is None:
                yield asset, "It has no owner.", "Set spec.owner to a group.", ()
            elif asset.owner not in facts.people:
                yield (
                    asset,
                    f"Its owner {asset.owner} is not in the catalog.",
                    "Name a group or user that exists, or add it to the catalog.",
                    (asset.owner,),
                )


class OwnerRole:
    """An owner holds a role that the layer asks for."""

    id = "portal/owner-role"
    explanation = "The owner of an asset holds, directly or through a parent group, one of its layer's owner roles."

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[tuple[Asset, str, str, tuple[EntityRef, ...]]]:
        """Yield assets whose owner may not own in their layer."""
        for asset in assets:
            layer = facts.layers.get(asset.layer) if asset.layer is not None else None
            if layer is None or asset.owner is None or asset.owner not in facts.people:
                continue
            if not facts.roles_of(asset.owner) & set(layer.owner_roles):
                roles = " or ".join(role.name for role in layer.owner_roles)
                able = facts.holders_of(layer.owner_roles)
                yield (
                    asset,
                    f"Its owner {asset.owner} holds no role that may own in the layer {layer.ref.name}: {roles}.",
                    f"Who could own: {', '.join(able) or 'nobody yet'}.",
                    tuple(able),
                )


class LayerKnown:
    """An asset stands in a layer."""

    id = "portal/layer-known"
    explanation = (
        "An asset stands in a layer that exists: its own, its system's, that system's domain's, or its kind's."
    )

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[tuple[Asset, str, str, tuple[EntityRef, ...]]]:
        """Yield assets without a layer."""
        names = ", ".join(ref.name for ref in sorted(facts.layers))
        for asset in assets:
            fix = f"Set spec.layer to one of {names}, or spec.system to a system that has one."
            if asset.layer is None:
                if asset.must_have_layer:
                    yield asset, "It stands in no layer.", fix, ()
            elif asset.layer not in facts.layers:
                yield asset, f"Its layer {asset.layer} does not exist.", fix, (asset.layer,)


class LayerDirection:
    """Dependencies go down."""

    id = "portal/layer-direction"
    explanation = "An asset depends only on assets of the layers that its layer may depend on."

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[tuple[Asset, str, str, tuple[EntityRef, ...]]]:
        """Yield assets that need something of a layer above."""
        for asset in assets:
            layer = facts.layers.get(asset.layer) if asset.layer is not None else None
            if layer is None:
                continue
            for needed in asset.needs:
                other = facts.layers.get(facts.layer_by_ref.get(needed) or EntityRef(""))
                if other is None:
                    continue
                allowed = other.rank <= layer.rank if layer.may_depend_on is None else other.ref in layer.may_depend_on
                if not allowed:
                    yield (
                        asset,
                        f"It stands in {layer.ref.name} and depends on {needed} of {other.ref.name}.",
                        f"Move what is needed into {layer.ref.name} or below, or turn the dependency round.",
                        (needed,),
                    )


class StewardDuty:
    """Each duty of a layer has a steward."""

    id = "portal/steward-duty"
    explanation = "For each duty of its layer an asset has a steward who holds the duty's role."

    def check(self, facts: Facts, assets: Collection[Asset]) -> Iterator[tuple[Asset, str, str, tuple[EntityRef, ...]]]:
        """Yield assets that lack a steward."""
        for asset in assets:
            layer = facts.layers.get(asset.layer) if asset.layer is not None else None
            for duty in layer.duties if layer is not None else ():
                stewards = [who for who, what in asset.stewards if what == duty.duty]
                if not any(duty.role in facts.roles_of(who) for who in stewards):
                    able = facts.holders_of([duty.role])
                    yield (
                        asset,
                        f'Nobody with the role {duty.role.name} answers for "{duty.duty}".',
                        f"Add to spec.stewards: {{ref: {able[0] if able else '…'}, duty: {duty.duty}}}.",
                        tuple(able),
                    )


RULES: tuple[Rule, ...] = (OwnerExists(), OwnerRole(), LayerKnown(), LayerDirection(), StewardDuty())


def evaluate(
    facts: Facts, *, rules: Collection[Rule] = RULES, assets: Collection[Asset] | None = None
) -> list[Finding]:
    """Return what the rules find over all assets, or some of them; nothing where there is no layer at all."""
    if not facts.layers:
        return []
    found: list[Finding] = []
    for rule in rules:
        for asset, message, fix, related in rule.check(facts, facts.assets if assets is None else assets):
            severity = facts.severity(rule.id, asset.layer)
            if severity != "off":
                grade: FindingSeverity = "enforce" if severity == "enforce" else "warn"
                found.append(Finding(rule.id, grade, asset.ref, asset.layer, message, fix, related))
    return sorted(found, key=lambda finding: (finding.ref, finding.rule, finding.message))
