"""Tells pages what the sender of the request that is being answered may do."""

from __future__ import annotations

from collections.abc import Collection

from portal.api.actor import current_actor
from portal.errors import AuthenticationError, NotAllowedError
from portal.model.permission import CATALOG_ENTITY
from portal.model.permission_names import PERMISSIONS
from portal.model.ref import EntityRef
from portal.services.explanation import ExplanationService, Sought
from portal.services.permission import PermissionService, Question


class CurrentAsking:
    """Who sends the request; see `portal.web.asking.Asking`."""

    def __init__(self, permission: PermissionService, explanation: ExplanationService) -> None:
        self._permission = permission
        self._explanation = explanation

    def against(self, permission: str, refs: Collection[EntityRef] | None = None) -> str:
        """Return why they have no such permission, on one of some entities where these are named; empty if they may."""
        sought = None if refs is None else Sought(tuple(map(str, refs)))
        try:
            self._explanation.require(current_actor(), permission, None if sought is None else lambda: sought)
        except (AuthenticationError, NotAllowedError) as error:
            return error.message
        return ""

    def among(self, permission: str, refs: Collection[EntityRef]) -> frozenset[EntityRef]:
        """Return those of the entities on which they have a permission; all of them are asked about at once."""
        asked = tuple(sorted(refs))
        (answer,) = self._permission.authorize([Question("", PERMISSIONS[permission], asked)], current_actor())
        decided = answer.decision if isinstance(answer.decision, tuple) else (answer.decision,) * len(asked)
        return frozenset(ref for ref, one in zip(asked, decided, strict=True) if one == "ALLOW")

    def on(self, ref: EntityRef, names: Collection[str]) -> frozenset[str]:
        """Return those of some permissions that they have; on the entity, those that are given on entities."""
        permissions = [PERMISSIONS[name] for name in names]
        answers = self._permission.authorize(
            [Question(item.name, item, ref if item.resource_type == CATALOG_ENTITY else None) for item in permissions],
            current_actor(),
        )
        return frozenset(answer.id for answer in answers if answer.decision == "ALLOW")
