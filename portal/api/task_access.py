"""Tells the scaffolder's routes who asks, with what they may have templates do."""

from __future__ import annotations

from collections.abc import Collection

from portal.api.actor import current_actor
from portal.model.permission import Conditional, Criteria
from portal.model.permission_names import PERMISSIONS
from portal.model.ref import EntityRef
from portal.services.explanation import ExplanationService
from portal.services.permission import PermissionService, Question
from portal.services.task_rights import ActorTaskRights, TaskRights


class CurrentTaskAccess:
    """Who sends the request that is being answered, and what they may have templates do."""

    def __init__(self, permission: PermissionService, explanation: ExplanationService) -> None:
        self._permission = permission
        self._explanation = explanation

    def user_ref(self) -> str | None:
        """Return the reference of the user who asks."""
        return current_actor().user_ref

    def rights(self) -> TaskRights:
        """Return what who asks may have a template do."""
        return ActorTaskRights(self._permission, self._explanation, current_actor())

    def readable(self) -> Criteria | None:
        """Return what the tasks must meet that who asks may list."""
        ((decision, _),) = self._permission.rulings([PERMISSIONS["scaffolder.task.read"]], current_actor())
        return decision.criteria if isinstance(decision, Conditional) else None

    def upgradable(self, refs: Collection[EntityRef]) -> frozenset[EntityRef]:
        """Return those of some entities whose repositories who asks may upgrade."""
        wanted = sorted(set(refs))
        asked = [Question("", PERMISSIONS["portal.asset.upgrade"], tuple(map(str, wanted)))]
        ((begins, _),) = self._permission.rulings([PERMISSIONS["scaffolder.task.create"]], current_actor())
        if begins == "DENY" or not wanted:
            return frozenset()
        (answer,) = self._permission.authorize(asked, current_actor())
        decided = answer.decision if isinstance(answer.decision, tuple) else [answer.decision] * len(wanted)
        return frozenset(ref for ref, one in zip(wanted, decided, strict=True) if one == "ALLOW")
