"""Layers, with what a rule has to say about an entity in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from portal.errors import InputError
from portal.model.ref import EntityRef
from portal.model.repository_access import AccessPolicy, access_policy_of
from portal.model.value import value

FindingSeverity = Literal["warn", "enforce", "exempt"]


@dataclass(frozen=True, slots=True)
class Role:
    """A role that groups or people hold, the layers where it usually works, and what it does in words."""

    ref: EntityRef
    title: str
    layers: tuple[EntityRef, ...] = ()
    responsibilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty that every asset of a layer needs a steward for, and the role that answers."""

    duty: str
    role: EntityRef


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as its entity declares it; `rank` 1 is the lowest.

    `may_depend_on` are the layers that its assets may need; None means those of the same and lower ranks.
    `enforcement` maps a rule's id to off, warn or enforce. `repository_access` says who gets what in its repositories.
    """

    ref: EntityRef
    title: str
    rank: int
    owner_roles: tuple[EntityRef, ...]
    duties: tuple[Duty, ...] = ()
    may_depend_on: frozenset[EntityRef] | None = None
    approvers: tuple[EntityRef, ...] = ()
    enforcement: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    repository_access: AccessPolicy = field(default_factory=AccessPolicy)

    @property
    def name(self) -> str:
        """The name, lower case."""
        return self.ref.name

    def may_need(self, other: Layer) -> bool:
        """Return whether assets of this layer may depend on those of another."""
        return other.rank <= self.rank if self.may_depend_on is None else other.ref in self.may_depend_on


@dataclass(frozen=True, slots=True)
class Exemption:
    """Leave for an entity to break a rule, with its reason, who gave it, and the last day (UTC) that it holds."""

    entity: EntityRef
    rule: str
    reason: str
    approver: EntityRef
    expires: date
    policy: EntityRef

    def to_json(self) -> dict[str, str]:
        """Return the exemption as JSON has it."""
        return {
            "reason": self.reason,
            "approver": self.approver,
            "expires": self.expires.isoformat(),
            "policy": self.policy,
        }


@value
class Finding:
    """A rule's verdict on an entity: what is wrong in a sentence, how to mend it, and whom else it concerns.

    One that an exemption excuses has the severity `exempt`: it is told until that ends, and counts for nothing.
    """

    rule: str
    severity: FindingSeverity
    ref: EntityRef
    layer: EntityRef | None
    message: str
    fix: str
    related: tuple[EntityRef, ...] = ()
    exemption: Exemption | None = None

    def to_json(self) -> dict[str, str | tuple[EntityRef, ...] | dict[str, str] | None]:
        """Return the finding as JSON has it."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "ref": self.ref,
            "layer": self.layer,
            "message": self.message,
            "fix": self.fix,
            "related": self.related,
            "exemption": None if self.exemption is None else self.exemption.to_json(),
        }


def layer_of(declared: Mapping[str, Any], ref: EntityRef) -> Layer:
    """Return the layer that a Layer entity declares; short names mean roles and layers of its namespace."""
    spec = declared["spec"]
    allowed = spec.get("mayDependOn")
    return Layer(
        ref,
        _title(declared),
        spec["rank"],
        _all_named("role", spec["ownerRoles"], ref),
        tuple(Duty(item["duty"], named("role", item["role"], ref)) for item in spec.get("stewards") or ()),
        None if allowed is None else frozenset(_all_named("layer", allowed, ref)),
        _all_named("role", spec.get("approvers"), ref),
        dict(spec.get("enforcement") or {}),
        str(declared["metadata"].get("description") or ""),
        access_policy_of(spec.get("repositoryAccess")),
    )


def role_of(declared: Mapping[str, Any], ref: EntityRef) -> Role:
    """Return the role that a Role entity declares; short names mean layers of its namespace."""
    spec = declared.get("spec") or {}
    return Role(
        ref,
        _title(declared),
        _all_named("layer", spec.get("layers"), ref),
        tuple(spec.get("responsibilities") or ()),
    )


def accountable_owner(declared: Mapping[str, Any], ref: EntityRef) -> EntityRef | None:
    """Return who is accountable for an entity: its owner, or the first of its owners; None where nobody is named.

    Of owners of which any is malformed none counts.
    """
    spec = declared.get("spec") or {}
    names = [spec["owner"]] if "owner" in spec else spec.get("owners")
    found = []
    for name in names if isinstance(names, list) else ():
        try:
            found.append(EntityRef.parse(name, default_kind="group", default_namespace=ref.namespace))
        except (InputError, TypeError, AttributeError):
            return None
    return next(iter(found), None)


def stewards_of(declared: Mapping[str, Any], ref: EntityRef) -> tuple[tuple[EntityRef, str], ...]:
    """Return who answers for which duty of an entity, as (group or user, duty); what is malformed is left out.

    Backstage's kinds take any `spec.stewards`, so that only Portal's reading of them can be strict.
    """
    found = []
    stewards = (declared.get("spec") or {}).get("stewards")
    for item in stewards if isinstance(stewards, list) else ():
        if isinstance(item, dict) and isinstance(item.get("ref"), str) and isinstance(item.get("duty"), str):
            try:
                who = EntityRef.parse(item["ref"], default_kind="group", default_namespace=ref.namespace)
            except InputError:
                continue
            found.append((who, item["duty"]))
    return tuple(found)


def contributors_of(declared: Mapping[str, Any], ref: EntityRef) -> tuple[EntityRef, ...]:
    """Return who works on an entity; what is malformed is left out, as Backstage's kinds take anything there."""
    names = (declared.get("spec") or {}).get("contributors")
    found = []
    for name in names if isinstance(names, list) else ():
        if isinstance(name, str):
            try:
                found.append(EntityRef.parse(name, default_kind="user", default_namespace=ref.namespace))
            except InputError:
                continue
    return tuple(dict.fromkeys(found))


def named(kind: str, name: str, near: EntityRef) -> EntityRef:
    """Return what a short name beside the entity `near` stands for.

    A text that is no reference becomes one that nothing has: a single bad name must not silence all rules.
    """
    try:
        return EntityRef.parse(name, default_kind=kind, default_namespace=near.namespace)
    except InputError:
        return EntityRef.of(kind, near.namespace, name)


def _all_named(kind: str, names: Any, near: EntityRef) -> tuple[EntityRef, ...]:
    return tuple(named(kind, name, near) for name in names or ())


def _title(declared: Mapping[str, Any]) -> str:
    return str(declared["metadata"].get("title") or declared["metadata"]["name"])
