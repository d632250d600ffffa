"""A Portal whose policy lets people read different things."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from portal.app import Portal
from portal.model.permission import Condition, Conditional, Criteria, Decision, NoneOf, Permission
from portal.model.ref import EntityRef
from portal.services.catalog import CatalogService
from portal.services.explanation import ExplanationService
from portal.services.identity import Actor
from portal.services.permission import PermissionService
from portal.services.permission_policy import Claims
from portal.services.visibility import VisibilityService

RESOURCE = "catalog-entity"
#: What is decided on reading, by who asks; None stands for whoever is not signed in.
Reading = Callable[[EntityRef | None, Claims], Decision]


class ReadingPolicy:
    """Decides on reading as it is told, and allows everything else."""

    def __init__(self, reading: Reading) -> None:
        self.asked = 0
        self._reading = reading

    def decide(self, permissions: Sequence[Permission], actor: Actor, claims: Claims) -> Sequence[Decision]:
        """See `PermissionPolicy.decide`."""
        self.asked += 1
        return [
            self._reading(actor.user_ref, claims) if item.name == "catalog.entity.read" else "ALLOW"
            for item in permissions
        ]


def let_read(portal: Portal, reading: Reading) -> ReadingPolicy:
    """Give a Portal, before its application is made, a policy on reading; return that."""
    policy = ReadingPolicy(reading)
    catalog = CatalogService(portal.database.whole)
    permission = PermissionService(catalog, portal.access.identity, policy)
    visibility = VisibilityService(permission, revision=portal.database.lookup.revision)
    explanation = ExplanationService(permission, catalog, admins=())
    portal.__dict__["access"] = replace(
        portal.access, permission=permission, visibility=visibility, explanation=explanation
    )
    return policy


def bearer(portal: Portal, user: str) -> dict[str, str]:
    """Return the headers by which a user asks."""
    return {"authorization": f"Bearer {portal.access.identity.tokens.issue(EntityRef(user)).text}"}


def of_kinds(*kinds: str) -> Criteria:
    """Return the criteria that entities of some kinds meet."""
    return Condition("IS_ENTITY_KIND", RESOURCE, {"kinds": list(kinds)})


def labelled(label: str, value: str) -> Criteria:
    """Return the criteria that entities with a label meet."""
    return Condition("HAS_LABEL", RESOURCE, {"label": label, "value": value})


def owned_by(*claims: str) -> Criteria:
    """Return the criteria that entities of some owners meet."""
    return Condition("IS_ENTITY_OWNER", RESOURCE, {"claims": list(claims)})


def unlabelled(label: str, value: str) -> Conditional:
    """Return the decision that lets all entities be read but those with a label."""
    return Conditional(NoneOf(labelled(label, value)))
