"""Tells the scaffolder's routes who asks, with what they may have templates do."""

from __future__ import annotations

from portal.api.actor import current_actor
from portal.model.permission import Conditional, Criteria
from portal.model.permission_names import PERMISSIONS
from portal.services.explanation import ExplanationService
from portal.services.permission import PermissionService
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
