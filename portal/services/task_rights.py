"""Says what somebody may have a template do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from portal.model.filter import AnyOf, EntityFilter
from portal.model.permission import Conditional, Criteria, parse_criteria
from portal.model.permission_names import PERMISSIONS, SCAFFOLDER_ACTION
from portal.model.permission_rules import entity_filter
from portal.model.ref import EntityRef
from portal.model.resource_rules import resource_test
from portal.model.sentence import Sentence
from portal.services.explanation import ExplanationService, Sought, refusal
from portal.services.identity import Actor
from portal.services.permission import PermissionService

_STEPS = PERMISSIONS["scaffolder.template.step.read"]
_PARAMETERS = PERMISSIONS["scaffolder.template.parameter.read"]
_EXECUTE = PERMISSIONS["scaffolder.action.execute"]
_CREATE = PERMISSIONS["portal.asset.create"]


@dataclass(frozen=True, slots=True)
class Creatable:
    """Which owners somebody may create something for, None for any, and why these."""

    filter: EntityFilter | None
    reason: str


class TaskRights(Protocol):
    """What a person may have a template do."""

    def permitted(self, template: Mapping[str, Any]) -> dict[str, Any]:
        """Return a template with the steps and parameter pages that the person gets."""
        ...

    def actions(self, template: Mapping[str, Any]) -> Criteria | None:
        """Return what the actions must meet when they run, None for nothing. Raises `NotAllowedError`."""
        ...

    def scopes(self) -> frozenset[str] | None:
        """Return the permissions that an API token leaves to the person; None: no such token is used."""
        ...

    def require_owners(self, owners: Collection[EntityRef]) -> None:
        """Raise `NotAllowedError` unless the person may create something for each of the owners."""
        ...

    def creatable(self) -> Creatable:
        """Return which owners the person may create something for."""
        ...


class TaskAccess(Protocol):
    """Who asks, and what they may."""

    def user_ref(self) -> str | None:
        """Return the reference of the user who asks."""
        ...

    def rights(self) -> TaskRights | None:
        """Return what who asks may have a template do; None: anything."""
        ...

    def readable(self) -> Criteria | None:
        """Return what the tasks must meet that who asks may list; None: nothing."""
        ...

    def upgradable(self, refs: Collection[EntityRef]) -> frozenset[EntityRef]:
        """Return those of some entities whose repositories who asks may upgrade."""
        ...


class ActorTaskRights:
    """What the policy gives to an actor."""

    def __init__(self, permission: PermissionService, explanation: ExplanationService, actor: Actor) -> None:
        self._permission = permission
        self._explanation = explanation
        self._actor = actor

    def permitted(self, template: Mapping[str, Any]) -> dict[str, Any]:
        """See `TaskRights.permitted`. Rule: scaffolder-backend 3 `authorizeTemplate`."""
        spec = dict(template["spec"])
        for name, permission in (("steps", _STEPS), ("parameters", _PARAMETERS)):
            parts = spec.get(name)
            if not parts:
                continue
            listed = parts if isinstance(parts, list) else [parts]
            # What is no mapping has no tags; it is refused later, as for everybody.
            given = self._permission.permitted(
                permission, [part if isinstance(part, Mapping) else {} for part in listed], self._actor
            )
            kept = [part for part, one in zip(listed, given, strict=True) if one]
            spec[name] = kept if isinstance(parts, list) else (kept[0] if kept else [])
        return {**template, "spec": spec}

    def actions(self, template: Mapping[str, Any]) -> Criteria | None:
        """See `TaskRights.actions`."""
        ((decision, reason),) = self._permission.rulings([_EXECUTE], self._actor)
        if decision == "ALLOW":
            return None
        names = sorted({str(step.get("action")) for step in template["spec"].get("steps") or ()})
        if not isinstance(decision, Conditional):
            raise refusal(self._actor, Sentence("%(name)s on %(named)s", name=_EXECUTE.name, named=names), reason)
        return decision.criteria

    def scopes(self) -> frozenset[str] | None:
        """See `TaskRights.scopes`."""
        return self._actor.scopes

    def require_owners(self, owners: Collection[EntityRef]) -> None:
        """See `TaskRights.require_owners`."""
        refs = tuple(map(str, owners))
        self._explanation.require(self._actor, _CREATE.name, lambda: Sought(refs))

    def creatable(self) -> Creatable:
        """See `TaskRights.creatable`."""
        ((decision, reason),) = self._permission.rulings([_CREATE], self._actor)
        if isinstance(decision, Conditional):
            return Creatable(entity_filter(decision.criteria), reason)
        return Creatable(None if decision == "ALLOW" else AnyOf(), reason or Sentence("the permission policy says so"))


def is_permitted_action(criteria: Mapping[str, Any] | None, action: str, given: Mapping[str, Any]) -> bool:
    """Return whether an action with its input meets criteria, as `Criteria.to_json` gives them; None: it does."""
    if criteria is None:
        return True
    return resource_test(parse_criteria(criteria), SCAFFOLDER_ACTION)({"action": action, "input": given})
