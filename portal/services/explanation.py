"""Says who may do what, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from portal.errors import AuthenticationError, InputError, NotAllowedError, NotFoundError
from portal.model.entity import ref_of
from portal.model.layer import accountable_owner
from portal.model.permission import CATALOG_ENTITY, Conditional, Decision, Permission
from portal.model.permission_names import PERMISSIONS
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.services.catalog import CatalogService
from portal.services.identity import Actor
from portal.services.permission import Application, PermissionService, Question

_READ = PERMISSIONS["catalog.entity.read"]
#: So many entities are named in a refusal.
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether an actor has a permission, on an entity or task where one is named, and why.

    The result is `CONDITIONAL` where it depends on a resource that is not named. `owners` own the entity.
    """

    actor: str
    permission: Permission
    resource: str | None
    result: str
    reason: str
    conditions: dict[str, Any] | None
    claims: Sequence[EntityRef]
    owners: Sequence[EntityRef]
    admins: Sequence[EntityRef]

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        return {
            "actor": self.actor,
            "permission": self.permission.to_json(),
            "resourceRef": self.resource,
            "result": self.result,
            "reason": self.reason,
            "conditions": self.conditions,
            "claims": self.claims,
            "owners": self.owners,
            "admins": self.admins,
        }


@dataclass(frozen=True, slots=True)
class Sought:
    """What a request is about; `missing` says that it is not there, to who may not read any of it either."""

    refs: tuple[str, ...]
    missing: str = ""


class ExplanationService:
    """Explains what the policy decides, and refuses in its words."""

    def __init__(
        self, permission: PermissionService, catalog: CatalogService, *, admins: Collection[EntityRef]
    ) -> None:
        self._permission = permission
        self._catalog = catalog
        self._admins = sorted(admins)

    def explain(
        self, actor: Actor, name: str, resource: str | None = None, *, told_to: Actor | None = None
    ) -> Explanation:
        """Return whether an actor has a permission. Raises `InputError` for a permission that is not known.

        An entity that is not there raises `NotFoundError`, and one that `told_to` may not read; None may read all.
        """
        permission = PERMISSIONS.get(name)
        if permission is None:
            raise InputError(
                Sentence(
                    'There is no permission "%(name)s"; there are %(permissions)s',
                    name=name,
                    permissions=sorted(PERMISSIONS),
                )
            )
        if resource is not None and permission.resource_type is None:
            raise InputError(Sentence("%(name)s is not given on single resources; ask without one", name=name))
        owners: Sequence[EntityRef] = ()
        if resource is not None and permission.resource_type == CATALOG_ENTITY:
            resource = ref = EntityRef.parse(resource)
            body = self._catalog.by_refs([ref]).get(ref)
            if body is None or (told_to is not None and not self._told([ref], told_to)):
                raise NotFoundError(Sentence("Entity %(ref)s not found", ref=ref))
            owners = owners_of(orjson.loads(body))
        (answer,) = self._permission.authorize([Question("", permission, resource)], actor)
        decision = answer.decision
        return Explanation(
            actor.subject or actor.type,
            permission,
            resource,
            "CONDITIONAL" if isinstance(decision, Conditional) else str(decision),
            answer.reason,
            decision.criteria.to_json() if isinstance(decision, Conditional) else None,
            self._permission.claims_of(actor),
            owners,
            self._admins,
        )

    def require(self, actor: Actor, name: str, find: Callable[[], Sought] | None = None) -> None:
        """Raise unless an actor has a permission; on what `find` finds, where that is given.

        Raises `NotAllowedError` naming permission, resource and reason, `AuthenticationError` where nobody is signed
        in, `NotFoundError` where what is sought is not there, or may not be read.
        """
        permission = PERMISSIONS[name]
        on_entities = permission.resource_type == CATALOG_ENTITY and find is not None
        ((decision, reason),) = self._permission.rulings([permission], actor)
        # Whoever may not read an entity does not learn that it is there by being let do something to it. What their
        # token was made for does not count there: one for refreshing alone refreshes.
        reader = replace(actor, scopes=None, restrictions=None)
        hides = on_entities and self._permission.rulings([_READ], reader)[0].decision != "ALLOW"
        if find is None or (decision == "ALLOW" and not hides):
            if decision == "DENY":
                raise refusal(actor, name, reason)
            return
        sought = find()
        if sought.missing and not (self._told(sought.refs, reader) if on_entities else sought.refs):
            raise NotFoundError(sought.missing)
        refused = self._refused(decision, sought.refs)
        if refused or decision == "DENY":
            told = self._told(refused, actor) if on_entities else refused
            raise refusal(
                actor, Sentence("%(name)s on %(named)s", name=name, named=_named(told)) if told else name, reason
            )

    def _refused(self, decision: Decision, refs: tuple[str, ...]) -> list[str]:
        """Return those of some resources on which a decision gives no permission."""
        if not isinstance(decision, Conditional):
            return [] if decision == "ALLOW" else list(refs)
        asked = Application("", refs, decision.resource_type, decision.criteria)
        (answer,) = self._permission.apply([asked])
        each = answer.decision if isinstance(answer.decision, tuple) else ()
        return [ref for ref, one in zip(refs, each, strict=True) if one != "ALLOW"]

    def _told(self, refs: Sequence[str], actor: Actor) -> list[str]:
        """Return those of the entities that are there and may be read, with their owners."""
        (answer,) = self._permission.authorize([Question("", _READ, tuple(refs))], actor)
        decided = answer.decision if isinstance(answer.decision, tuple) else [answer.decision] * len(refs)
        readable = [EntityRef.parse(ref) for ref, one in zip(refs, decided, strict=True) if one == "ALLOW"]
        bodies = self._catalog.by_refs(sorted(set(readable)))
        return [
            Sentence(
                "%(ref)s (owned by %(owners)s)",
                ref=ref,
                owners=owners_of(orjson.loads(bodies[ref])) or Sentence("nobody"),
            )
            for ref in readable
            if ref in bodies
        ]


def _named(told: Sequence[str]) -> Sentence | list[str]:
    shown = list(told[:_MOST_NAMED])
    if len(told) <= _MOST_NAMED:
        return shown
    return Sentence("%(shown)s and %(count)s more", shown=shown, count=len(told) - _MOST_NAMED)


def refusal(actor: Actor, what: str, reason: str) -> AuthenticationError | NotAllowedError:
    """Return the refusal of something to an actor."""
    if actor.type == "none":
        return AuthenticationError(
            Sentence(
                "Nobody is signed in, which %(what)s asks for: %(reason)s",
                what=what,
                reason=reason or Sentence("sign in"),
            )
        )
    return NotAllowedError(
        Sentence(
            "%(subject)s may not use %(what)s: %(reason)s",
            subject=actor.subject,
            what=what,
            reason=reason or Sentence("the permission policy says so"),
        )
    )


def owners_of(entity: dict[str, Any]) -> list[EntityRef]:
    """Return the owners that a finished document tells of, the accountable one first."""
    first = accountable_owner(entity, ref_of(entity))
    related = [EntityRef(item["targetRef"]) for item in entity.get("relations") or () if item.get("type") == "ownedBy"]
    return list(dict.fromkeys([first, *related] if first in related else related))
