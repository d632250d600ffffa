"""Layers, with what a rule has to say about an entity in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from portal.model.ref import EntityRef

FindingSeverity = Literal["warn", "enforce"]


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty that every asset of a layer needs a steward for, and the role that answers."""

    duty: str
    role: EntityRef


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as its entity declares it; `rank` 1 is the lowest.

    `may_depend_on` are the layers that its assets may need; None means those of the same and lower ranks.
    """

    ref: EntityRef
    title: str
    rank: int
    owner_roles: tuple[EntityRef, ...]
    duties: tuple[Duty, ...] = ()
    may_depend_on: frozenset[EntityRef] | None = None
    approvers: tuple[EntityRef, ...] = ()
    enforcement: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's verdict on an entity: what is wrong in a sentence, and how to mend it."""

    rule: str
    severity: FindingSeverity
    ref: EntityRef
    layer: EntityRef | None
    message: str
    fix: str
    related: tuple[EntityRef, ...] = ()


def layer_of(declared: Mapping[str, Any], ref: EntityRef) -> Layer:
    """Return the layer that a Layer entity declares; short names mean roles and layers of its namespace."""
    spec = declared["spec"]
    allowed = spec.get("mayDependOn")
    return Layer(
        ref,
        str(declared["metadata"].get("title") or declared["metadata"]["name"]),
        spec["rank"],
        tuple(_named("role", name, ref) for name in spec["ownerRoles"]),
        tuple(Duty(item["duty"], _named("role", item["role"], ref)) for item in spec.get("stewards") or ()),
        None if allowed is None else frozenset(_named("layer", name, ref) for name in allowed),
        tuple(_named("role", name, ref) for name in spec.get("approvers") or ()),
        dict(spec.get("enforcement") or {}),
    )


def _named(kind: str, name: str, near: EntityRef) -> EntityRef:
    return EntityRef.parse(name, default_kind=kind, default_namespace=near.namespace)
