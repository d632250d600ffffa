"""Asks the policy who may do what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from portal.errors import InputError, PluginError
from portal.model.filter import EntityFilter
from portal.model.leaves import Leaf, leaves
from portal.model.permission import CATALOG_ENTITY, Conditional, Criteria, Decision, Definite, Permission
from portal.model.permission_rules import entity_filter
from portal.model.ref import EntityRef
from portal.services.catalog import CatalogService
from portal.services.identity import Actor, IdentityService

#: The leaves of each of some resources that are there, by the reference asked with.
Resources = Callable[[Collection[str]], Mapping[str, Sequence[Leaf]]]
#: The references that the actor owns by, found out when asked for.
Claims = Callable[[], Sequence[EntityRef]]


class PermissionPolicy(Protocol):
    """Decides for whole sets."""

    def decide(self, permissions: Sequence[Permission], actor: Actor, claims: Claims) -> Sequence[Decision]:
        """Return what is decided on each of the permissions, in their order."""


class AllowAll:
    """The policy that allows everything."""

    def decide(self, permissions: Sequence[Permission], actor: Actor, claims: Claims) -> Sequence[Decision]:
        """See `PermissionPolicy.decide`."""
        return ["ALLOW"] * len(permissions)


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a permission is given; on no, one or several resources. `id` comes back with the answer."""

    id: str
    permission: Permission
    resources: str | tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided on a question: for several resources, on each of them."""

    id: str
    decision: Decision | tuple[Definite, ...]


@dataclass(frozen=True, slots=True)
class Application:
    """Criteria to be tried on one or several resources."""

    id: str
    resources: str | tuple[str, ...]
    resource_type: str
    criteria: Criteria


class PermissionService:
    """Answers from the policy; resources are read once for all that is asked together."""

    def __init__(self, catalog: CatalogService, identity: IdentityService, policy: PermissionPolicy) -> None:
        self._catalog = catalog
        self._identity = identity
        self._policy = policy
        self._resources: Mapping[str, Resources] = {CATALOG_ENTITY: self._entities}

    def authorize(self, questions: Sequence[Question], actor: Actor) -> list[Answer]:
        """Return an answer to each question, in their order; on resources that are named it is definite.

        Raises `PluginError` where the policy decides on another resource type than it was asked about.
        """
        decided = self._policy.decide([item.permission for item in questions], actor, lambda: self._claims(actor))
        if len(decided) != len(questions):
            raise PluginError(
                f"The permission policy gave {len(decided)} decisions on {len(questions)} permissions; expected one "
                "on each"
            )
        # Whatever the policy gives the owner of an API token: the token was made for its scopes alone.
        decided = [
            decision if actor.may_use(item.permission.name) else "DENY"
            for item, decision in zip(questions, decided, strict=True)
        ]
        pending: list[Application] = []
        for question, decision in zip(questions, decided, strict=True):
            if isinstance(decision, Conditional):
                _require_fitting(question.permission, decision)
                if question.resources is not None:
                    pending.append(
                        Application(question.id, question.resources, decision.resource_type, decision.criteria)
                    )
        applied = iter(self.apply(pending))
        return [
            next(applied)
            if isinstance(decision, Conditional) and question.resources is not None
            else Answer(question.id, decision)
            for question, decision in zip(questions, decided, strict=True)
        ]

    def apply(self, applications: Sequence[Application]) -> list[Answer]:
        """Return whether resources meet criteria, in the order asked; those that are not there are denied.

        Raises `InputError` for a resource type that is not known, a rule that is not, or parameters that do not fit.
        Rule: permission-node 0.11 `createPermissionIntegrationRouter`.
        """
        unknown = [item.resource_type for item in applications if item.resource_type not in self._resources]
        if unknown:
            raise InputError(f"Unexpected resource types: {', '.join(unknown)}.")
        filters = [entity_filter(item.criteria) for item in applications]
        wanted: dict[str, set[str]] = {}
        for item in applications:
            wanted.setdefault(item.resource_type, set()).update(_each(item.resources))
        found = {kind: self._resources[kind](refs) for kind, refs in wanted.items()}
        return [
            Answer(item.id, _tried(question, item.resources, found[item.resource_type]))
            for item, question in zip(applications, filters, strict=True)
        ]

    def _claims(self, actor: Actor) -> Sequence[EntityRef]:
        ref = actor.user_ref
        return [] if ref is None else self._identity.claims_of([ref])[ref]

    def _entities(self, refs: Collection[str]) -> Mapping[str, Sequence[Leaf]]:
        wanted = {text: ref for text in refs if (ref := _parsed(text)) is not None}
        bodies = self._catalog.by_refs(sorted(set(wanted.values())))
        return {text: leaves(orjson.loads(bodies[ref])) for text, ref in wanted.items() if ref in bodies}


def require_resources(questions: Iterable[Question]) -> None:
    """Raise `InputError` for a question on resources that names none: only backends may get conditions.

    Rule: permission-backend 0.7 `/authorize`.
    """
    if any(item.permission.resource_type is not None and item.resources is None for item in questions):
        raise InputError(
            "Resource permissions require a resourceRef to be set. "
            "Direct user requests without a resourceRef are not allowed."
        )


def _require_fitting(permission: Permission, decision: Conditional) -> None:
    if permission.resource_type is None:
        raise PluginError(
            f"Conditional decision returned from permission policy for non-resource permission {permission.name}"
        )
    if permission.resource_type != decision.resource_type:
        raise PluginError(
            f"Invalid resource conditions returned from permission policy for permission {permission.name}"
        )


def _tried(
    question: EntityFilter, resources: str | tuple[str, ...], found: Mapping[str, Sequence[Leaf]]
) -> Decision | tuple[Definite, ...]:
    def one(ref: str) -> Definite:
        return "ALLOW" if ref in found and question.matches(found[ref]) else "DENY"

    return one(resources) if isinstance(resources, str) else tuple(one(ref) for ref in resources)


def _each(resources: str | tuple[str, ...]) -> tuple[str, ...]:
    return (resources,) if isinstance(resources, str) else resources


def _parsed(text: str) -> EntityRef | None:
    try:
        return EntityRef.parse(text)
    except InputError:
        return None
