"""Tells what a reorganisation does to the organisation: rules broken or mended, teams left unbalanced."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from portal.graph.policies import Asset, Facts, evaluate
from portal.graph.reorg import Changes, Documents, places
from portal.model.amendment import amended
from portal.model.entity import ref_of
from portal.model.layer import Finding, named, stewards_of
from portal.model.ref import PEOPLE, EntityRef

Lack = Literal["members", "owner-role", "needs"]


@dataclass(frozen=True, slots=True)
class Imbalance:
    """A team that lacks something after the change: members, a role to own in a layer, roles that a project needs.

    `about` is the layer or the project; `is_new` says whether the team lacks it only through the change.
    """

    ref: EntityRef
    lack: Lack
    about: EntityRef | None
    roles: tuple[EntityRef, ...]
    message: str
    is_new: bool

    def to_json(self) -> dict[str, Any]:
        """Return the imbalance as JSON tells it."""
        return {
            "ref": self.ref,
            "lack": self.lack,
            "about": self.about,
            "roles": self.roles,
            "message": self.message,
            "isNew": self.is_new,
        }


@dataclass(frozen=True, slots=True)
class Effects:
    """What a change does: findings that come and go, and teams that lack something then."""

    broken: list[Finding]
    mended: list[Finding]
    unbalanced: list[Imbalance]


#: Gives what all rules find; documents, where given, say something else than the catalog's.
Finds = Callable[[Facts, Documents], list[Finding]]


def by_built_in_rules(facts: Facts, documents: Documents) -> list[Finding]:  # noqa: ARG001  # these look at facts alone
    """Return what the rules find that ship with Portal."""
    return evaluate(facts)


def effects_of(
    changes: Changes,
    documents: Documents,
    facts: Facts,
    teams: Collection[EntityRef],
    *,
    find: Finds = by_built_in_rules,
) -> Effects:
    """Return the effects of changes on an organisation; `teams` are the groups and users that the plan names."""
    after = documents_after(changes, documents)
    changed = facts_after(facts, documents, after)
    findings = [finding for finding in find(facts, {}) if finding.severity != "exempt"]
    others = [finding for finding in find(changed, after) if finding.severity != "exempt"]
    had, has = {_key(finding) for finding in findings}, {_key(finding) for finding in others}
    return Effects(
        [finding for finding in others if _key(finding) not in had],
        [finding for finding in findings if _key(finding) not in has],
        _unbalanced(sorted(teams), (documents, facts), (after, changed)),
    )


def documents_after(changes: Changes, documents: Documents) -> dict[EntityRef, Mapping[str, Any]]:
    """Return the documents as they are after the changes."""
    found = {ref: document for ref, document in documents.items() if ref not in changes.dropped}
    for ref, amendments in changes.places.items():
        found[ref] = amended(documents[ref], amendments)
    return found | {ref_of(addition.document): addition.document for addition in changes.added}


def facts_after(facts: Facts, before: Documents, after: Documents) -> Facts:
    """Return what the rules look at once documents say something else."""
    gone, come = before.keys() - after.keys(), after.keys() - before.keys()
    people = (facts.people - gone) | {ref for ref in come if ref.kind in PEOPLE}
    old, new = _memberships(before), _memberships(after)
    parents = {ref: set(above) for ref, above in facts.parents.items()}
    for ref, group in old - new:
        parents.get(ref, set()).discard(group)
    for ref, group in new - old:
        parents.setdefault(ref, set()).add(group)
    roles = {ref: held for ref, held in facts.roles.items() if ref not in gone}
    roles |= {ref: _named(after[ref], ref, "roles", "role") for ref in come}
    return replace(
        facts,
        assets=[_asset_after(asset, before, after) for asset in facts.assets if asset.ref not in gone],
        people=people,
        roles=roles,
        parents={ref: sorted(above) for ref, above in parents.items()},
        layer_by_ref={ref: layer for ref, layer in facts.layer_by_ref.items() if ref not in gone},
    )


def _asset_after(asset: Asset, before: Documents, after: Documents) -> Asset:
    document = after.get(asset.ref)
    if document is None or document is before.get(asset.ref):
        return asset
    owner = next((place.who for place in places(asset.ref, document) if place.path == ("spec", "owner")), asset.owner)
    stewards = stewards_of(document, asset.ref) if asset.stewards else ()
    return replace(asset, owner=owner, stewards=stewards)


def _memberships(documents: Documents) -> set[tuple[EntityRef, EntityRef]]:
    """Return who is in, or below, which group by these documents."""
    found = set()
    for ref, document in documents.items():
        for place in places(ref, document) if ref.kind in PEOPLE else ():
            is_from_above = place.capacity in {"children", "members"}
            found.add((place.who, ref) if is_from_above else (ref, place.who))
    return found


def _key(finding: Finding) -> tuple[str, EntityRef, str, tuple[EntityRef, ...]]:
    # Who else could own is no part of what is wrong; neither is the owner's name.
    related = finding.related if finding.rule == "portal/layer-direction" else ()
    duty = finding.message if finding.rule not in {"portal/owner-role", "portal/owner-exists"} else ""
    return finding.rule, finding.ref, duty, related


def _unbalanced(
    teams: Collection[EntityRef], before: tuple[Documents, Facts], after: tuple[Documents, Facts]
) -> list[Imbalance]:
    there = [team for team in [*teams, *sorted(after[0].keys() - before[0].keys())] if team in after[0]]
    had = {(lack, team, about): roles for team in there for lack, about, roles, _ in _lacks(team, *before)}
    return [
        Imbalance(team, lack, about, roles, message, not set(roles) <= set(had.get((lack, team, about), ())))
        if roles
        else Imbalance(team, lack, about, roles, message, (lack, team, about) not in had)
        for team in dict.fromkeys(there)
        for lack, about, roles, message in _lacks(team, *after)
    ]


def _lacks(
    team: EntityRef, documents: Documents, facts: Facts
) -> Iterator[tuple[Lack, EntityRef | None, tuple[EntityRef, ...], str]]:
    if team not in documents:
        return
    below = sorted({who for who, group in _memberships(documents) if group == team})
    if team.kind == "group" and not below:
        yield "members", None, (), f"{team} has no members."
    owned = [asset for asset in facts.assets if asset.owner == team]
    held = facts.roles_of(team)
    for ref, layer in sorted(facts.layers.items()):
        number = sum(asset.layer == ref and asset.layered for asset in owned)
        if number and held.isdisjoint(layer.owner_roles):
            wanted = " or ".join(role.name for role in layer.owner_roles)
            assets = "1 asset" if number == 1 else f"{number} assets"
            yield (
                "owner-role",
                ref,
                layer.owner_roles,
                f"{team} owns {assets} in {layer.name} and does not hold {wanted}.",
            )
    for asset in owned:
        needed = _named(documents.get(asset.ref, {}), asset.ref, "needs", "role") if asset.ref.kind == "project" else []
        everybody = held.union(*(facts.roles_of(who) for who in below))
        missing = tuple(role for role in needed if role not in everybody)
        if missing:
            names = ", ".join(role.name for role in missing)
            yield "needs", asset.ref, missing, f"{asset.ref} needs {names}; nobody of {team} holds that."


def _named(document: Mapping[str, Any], ref: EntityRef, name: str, kind: str) -> list[EntityRef]:
    found = (document.get("spec") or {}).get(name)
    return [named(kind, text, ref) for text in found if isinstance(text, str)] if isinstance(found, list) else []
