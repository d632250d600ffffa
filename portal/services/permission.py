"""Asks the policy who may do what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from portal.errors import InputError, PluginError
from portal.model.leaves import Leaf, leaves
from portal.model.permission import CATALOG_ENTITY, Conditional, Criteria, Decision, Definite, Permission, Ruling
from portal.model.permission_names import SCAFFOLDER_TASK
from portal.model.permission_rules import entity_filter
from portal.model.ref import EntityRef
from portal.model.resource_rules import resource_test
from portal.model.sentence import Sentence
from portal.services.catalog import CatalogService
from portal.services.identity import Actor, IdentityService
from portal.services.permission_policy import PermissionPolicy, rulings_by

__all__ = [
    "Answer",
    "Application",
    "PermissionPolicy",
    "PermissionService",
    "Question",
    "require_resources",
]

#: Each of some resources that are there, by the reference asked with: the leaves of an entity, a task's members.
Resources = Callable[[Collection[str]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a permission is given; on no, one or several resources. `id` comes back with the answer."""

    id: str
    permission: Permission
    resources: str | tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided on a question: for several resources, on each of them; `reason` as the policy gives it."""

    id: str
    decision: Decision | tuple[Definite, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Application:
    """Criteria to be tried on one or several resources."""

    id: str
    resources: str | tuple[str, ...]
    resource_type: str
    criteria: Criteria


class PermissionService:
    """Answers from the policy; resources are read once for all that is asked together.

    `tasks` tells who created scaffolder tasks, by their id.
    """

    def __init__(
        self,
        catalog: CatalogService,
        identity: IdentityService,
        policy: PermissionPolicy,
        *,
        tasks: Callable[[Collection[str]], Mapping[str, str | None]] = lambda _ids: {},
    ) -> None:
        self._catalog = catalog
        self._identity = identity
        self._policy = policy
        self._tasks = tasks
        self._resources: Mapping[str, Resources] = {CATALOG_ENTITY: self._entities, SCAFFOLDER_TASK: self._created}

    def authorize(self, questions: Sequence[Question], actor: Actor) -> list[Answer]:
        """Return an answer to each question, in their order; on resources that are named it is definite.

        What the actor's token does not allow is denied, whatever the policy says. Raises `PluginError` where the policy
        decides on another resource type than it was asked about.
        """
        rulings = self.rulings([item.permission for item in questions], actor)
        pending: list[Application] = []
        for question, (decision, _) in zip(questions, rulings, strict=True):
            if isinstance(decision, Conditional) and question.resources is not None:
                pending.append(Application(question.id, question.resources, decision.resource_type, decision.criteria))
        applied = iter(self.apply(pending))
        return [
            Answer(
                question.id,
                next(applied).decision
                if isinstance(decision, Conditional) and question.resources is not None
                else decision,
                reason,
            )
            for question, (decision, reason) in zip(questions, rulings, strict=True)
        ]

    def rulings(self, permissions: Sequence[Permission], actor: Actor) -> list[Ruling]:
        """Return what is decided on permissions whatever the resource, with the reasons; see `authorize`."""
        decided = rulings_by(self._policy, permissions, actor, lambda: self.claims_of(actor))
        found = []
        for permission, item in zip(permissions, decided, strict=True):
            ruling = item if item is not None else Ruling("DENY", Sentence("no policy decides on it"))
            if isinstance(ruling.decision, Conditional):
                _require_fitting(permission, ruling.decision)
            limit = limit_of_token(actor, permission)
            found.append(Ruling("DENY", limit) if limit else ruling)
        return found

    def apply(self, applications: Sequence[Application]) -> list[Answer]:
        """Return whether resources meet criteria, in the order asked; those that are not there are denied.

        Raises `InputError` for a resource type that is not known, a rule that is not, or parameters that do not fit.
        Rule: permission-node 0.11 `createPermissionIntegrationRouter`.
        """
        unknown = [item.resource_type for item in applications if item.resource_type not in self._resources]
        if unknown:
            raise InputError(f"Unexpected resource types: {', '.join(unknown)}.")
        wanted: dict[str, set[str]] = {}
        tests = []
        for item in applications:
            tests.append(_test(item))
            wanted.setdefault(item.resource_type, set()).update(_each(item.resources))
        found = {kind: self._resources[kind](refs) for kind, refs in wanted.items()}
        return [
            Answer(item.id, _tried(test, item.resources, found[item.resource_type]))
            for item, test in zip(applications, tests, strict=True)
        ]

    def permitted(self, permission: Permission, items: Sequence[Mapping[str, Any]], actor: Actor) -> list[bool]:
        """Return whether a permission is given on each of some resources that are at hand: parts of a template."""
        ((decision, _),) = self.rulings([permission], actor)
        if not isinstance(decision, Conditional):
            return [decision == "ALLOW"] * len(items)
        test = resource_test(decision.criteria, decision.resource_type)
        return [test(item) for item in items]

    def claims_of(self, actor: Actor) -> Sequence[EntityRef]:
        """Return the references that an actor owns by, their own first; none of who is no user."""
        ref = actor.user_ref
        return [] if ref is None else self._identity.claims_of([ref])[ref]

    def _created(self, ids: Collection[str]) -> Mapping[str, Any]:
        return {task: {"createdBy": creator} for task, creator in self._tasks(ids).items()}

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


def limit_of_token(actor: Actor, permission: Permission) -> str:
    """Return why an actor's token does not allow a permission, empty where it does.

    Rule: backend-defaults 0.18 `PluginPermissionClientWrapper`, for what restricts a service's token.
    """
    if not actor.may_use(permission.name):
        return "the token was not made for it"
    if actor.restrictions is None:
        return ""
    for item in actor.restrictions.values():
        by_name = not item.permissions or permission.name in item.permissions
        if by_name and (not item.actions or permission.action in item.actions):
            return ""
    return "the token's accessRestrictions leave it out"


def _test(item: Application) -> Callable[[Any], bool]:
    if item.resource_type == CATALOG_ENTITY:
        return entity_filter(item.criteria).matches
    return resource_test(item.criteria, item.resource_type)


def _tried(
    test: Callable[[Any], bool], resources: str | tuple[str, ...], found: Mapping[str, Any]
) -> Decision | tuple[Definite, ...]:
    def one(ref: str) -> Definite:
        return "ALLOW" if ref in found and test(found[ref]) else "DENY"

    return one(resources) if isinstance(resources, str) else tuple(one(ref) for ref in resources)


def _each(resources: str | tuple[str, ...]) -> tuple[str, ...]:
    return (resources,) if isinstance(resources, str) else resources


def _parsed(text: str) -> EntityRef | None:
    try:
        return EntityRef.parse(text)
    except InputError:
        return None
