"""What may be asked of a policy, with what it may answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

from portal.errors import InputError

Action = Literal["create", "read", "update", "delete"]

ACTIONS: tuple[Action, ...] = ("create", "read", "update", "delete")
CATALOG_ENTITY = "catalog-entity"
_DEEPEST = 20
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Permission:
    """A thing that may be done; one with a resource type is done to resources of that type, one by one."""

    name: str
    action: Action | None = None
    resource_type: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as clients read it. Rule: permission-common 0.9 `createPermission`."""
        attributes = {"action": self.action} if self.action else {}
        if self.resource_type is None:
            return {"type": "basic", "name": self.name, "attributes": attributes}
        return {"type": "resource", "name": self.name, "attributes": attributes, "resourceType": self.resource_type}


#: Rule: catalog-common 1.2.0 `catalogPermissions`, in its order.
CATALOG_PERMISSIONS: tuple[Permission, ...] = (
    Permission("catalog.entity.read", "read", CATALOG_ENTITY),
    Permission("catalog.entity.create", "create"),
    Permission("catalog.entity.delete", "delete", CATALOG_ENTITY),
    Permission("catalog.entity.refresh", "update", CATALOG_ENTITY),
    Permission("catalog.entity.validate"),
    Permission("catalog.location.read", "read"),
    Permission("catalog.location.create", "create"),
    Permission("catalog.location.delete", "delete"),
    Permission("catalog.location.analyze"),
    Permission("catalog.ingestion.read", "read"),
    Permission("catalog.ingestion.manage", "update"),
)


class Criteria(ABC):
    """A question that a resource answers with yes or no."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return it as `parse_criteria` reads it."""


@dataclass(frozen=True, slots=True)
class Condition(Criteria):
    """A rule of a resource type, with its parameters."""

    rule: str
    resource_type: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """See `Criteria.to_json`."""
        return {"rule": self.rule, "resourceType": self.resource_type, "params": dict(self.params)}


@dataclass(frozen=True, slots=True)
class EveryOf(Criteria):
    """All parts hold; there is at least one."""

    parts: tuple[Criteria, ...]

    def to_json(self) -> dict[str, Any]:
        """See `Criteria.to_json`."""
        return {"allOf": [part.to_json() for part in self.parts]}


@dataclass(frozen=True, slots=True)
class SomeOf(Criteria):
    """At least one part holds; there is at least one."""

    parts: tuple[Criteria, ...]

    def to_json(self) -> dict[str, Any]:
        """See `Criteria.to_json`."""
        return {"anyOf": [part.to_json() for part in self.parts]}


@dataclass(frozen=True, slots=True)
class NoneOf(Criteria):
    """The part does not hold."""

    part: Criteria

    def to_json(self) -> dict[str, Any]:
        """See `Criteria.to_json`."""
        return {"not": self.part.to_json()}


@dataclass(frozen=True, slots=True)
class Conditional:
    """A policy's answer that depends on the resource: allowed are those that meet the criteria."""

    criteria: Criteria
    resource_type: str = CATALOG_ENTITY
    plugin_id: str = "catalog"

    def to_json(self) -> dict[str, Any]:
        """Return it as clients read it."""
        return {
            "result": "CONDITIONAL",
            "pluginId": self.plugin_id,
            "resourceType": self.resource_type,
            "conditions": self.criteria.to_json(),
        }


Definite = Literal["ALLOW", "DENY"]
#: What a policy answers.
Decision = Definite | Conditional


class Ruling(NamedTuple):
    """A decision with its reason, a sentence for who asked; empty where the policy gives none."""

    decision: Decision
    reason: str = ""


def parse_permission(value: object, *, path: str = "permission") -> Permission:
    """Return the permission that JSON describes. Raises `InputError` naming the member below `path` that is wrong.

    Members that are not known are left aside. Rule: permission-backend 0.7 `basicPermissionSchema`,
    `resourcePermissionSchema`.
    """
    members = _object(value, path)
    kind = members.get("type")
    if kind not in ("basic", "resource"):
        raise InputError(f'{path}/type: found {_shown(kind)}; expected "basic" or "resource"')
    action = _object(members.get("attributes"), f"{path}/attributes").get("action")
    if action is not None and action not in ACTIONS:
        raise InputError(f"{path}/attributes/action: found {_shown(action)}; expected one of {', '.join(ACTIONS)}")
    resource_type = text(members.get("resourceType"), f"{path}/resourceType") if kind == "resource" else None
    return Permission(text(members.get("name"), f"{path}/name"), cast("Action | None", action), resource_type)


def parse_criteria(value: object, *, path: str = "conditions", depth: int = 0) -> Criteria:
    """Return the criteria that JSON describes: `{"allOf": [..]}`, `{"anyOf": [..]}`, `{"not": ..}` or a condition.

    Raises `InputError` naming the member below `path` that is wrong. Rule: permission-node 0.11
    `permissionCriteriaSchema`.
    """
    if depth > _DEEPEST:
        raise InputError(f"{path}: nested deeper than {_DEEPEST} levels")
    members = _object(value, path)
    for name, build in (("allOf", EveryOf), ("anyOf", SomeOf)):
        if name in members:
            parts = members[name]
            if not isinstance(parts, list) or not parts:
                raise InputError(f"{path}/{name}: found {_shown(parts)}; expected a list that is not empty")
            return build(
                tuple(
                    parse_criteria(part, path=f"{path}/{name}/{index}", depth=depth + 1)
                    for index, part in enumerate(parts)
                )
            )
    if "not" in members:
        return NoneOf(parse_criteria(members["not"], path=f"{path}/not", depth=depth + 1))
    params = members.get("params", {})
    return Condition(
        text(members.get("rule"), f"{path}/rule"),
        text(members.get("resourceType"), f"{path}/resourceType"),
        _object(params, f"{path}/params"),
    )


def text(value: object, path: str) -> str:
    """Return a text. Raises `InputError` naming `path` for anything else."""
    if not isinstance(value, str):
        raise InputError(f"{path}: found {_shown(value)}; expected a text")
    return value


def _object(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{path}: found {_shown(value)}; expected an object")
    return value


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    found = repr(value)
    return found if len(found) <= _SHOWN else f"{found[:_SHOWN]}…"
