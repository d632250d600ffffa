"""Tells the pages that begin tasks who asks, with what they may."""

from __future__ import annotations

from collections.abc import Sequence

from portal.api.actor import current_actor
from portal.api.asking import CurrentAsking
from portal.model.ref import EntityRef
from portal.services.task_rights import ActorTaskRights, TaskRights


class CurrentCreator(CurrentAsking):
    """Who sends the request that is being answered, as somebody who begins tasks."""

    def user_ref(self) -> str | None:
        """Return the reference of the user who asks."""
        return current_actor().user_ref

    def claims(self) -> Sequence[EntityRef]:
        """Return the references that whoever asks owns by."""
        return self._permission.claims_of(current_actor())

    def rights(self) -> TaskRights:
        """Return what who asks may have a template do."""
        return ActorTaskRights(self._permission, self._explanation, current_actor())
