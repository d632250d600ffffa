"""Tells a page what whoever looks at it may do, so that it offers that alone."""

from __future__ import annotations

from collections.abc import Collection

from portal.api.actor import current_actor
from portal.model.permission import CATALOG_ENTITY
from portal.model.permission_names import PERMISSIONS
from portal.model.ref import EntityRef
from portal.services.permission import PermissionService, Question


class PageRights:
    """The rights of whoever sends the request that is being answered; routes ask for them again."""

    def __init__(self, permission: PermissionService) -> None:
        self._permission = permission

    def __call__(self, ref: EntityRef, names: Collection[str]) -> frozenset[str]:
        """Return those of some permissions that they have; on the entity, those that are given on entities."""
        permissions = [PERMISSIONS[name] for name in names]
        answers = self._permission.authorize(
            [Question(item.name, item, ref if item.resource_type == CATALOG_ENTITY else None) for item in permissions],
            current_actor(),
        )
        return frozenset(answer.id for answer in answers if answer.decision == "ALLOW")
