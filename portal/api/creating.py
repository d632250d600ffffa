"""Tells the pages that begin tasks who asks, with what they may."""

from __future__ import annotations

from collections.abc import Sequence

from portal.api.actor import current_actor
from portal.errors import AuthenticationError, NotAllowedError
from portal.model.ref import EntityRef
from portal.services.explanation import ExplanationService
from portal.services.permission import PermissionService
from portal.services.task_rights import ActorTaskRights, TaskRights


class CurrentCreator:
    """Who sends the request that is being answered, as somebody who begins tasks."""

    def __init__(self, permission: PermissionService, explanation: ExplanationService) -> None:
        self._permission = permission
        self._explanation = explanation

    def user_ref(self) -> str | None:
        """Return the reference of the user who asks."""
        return current_actor().user_ref

    def claims(self) -> Sequence[EntityRef]:
        """Return the references that whoever asks owns by."""
        return self._permission.claims_of(current_actor())

    def rights(self) -> TaskRights:
        """Return what who asks may have a template do."""
        return ActorTaskRights(self._permission, self._explanation, current_actor())

    def refusal(self, permission: str) -> str:
        """Return why whoever asks lacks a permission, empty where they have it."""
        try:
            self._explanation.require(current_actor(), permission)
        except (AuthenticationError, NotAllowedError) as refused:
            return refused.message
        return ""
