"""What the pages that begin tasks know of whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from portal.model.ref import EntityRef
from portal.services.task_rights import TaskRights
from portal.web.asking import Asking

#: What beginning a task asks for.
BEGIN = "scaffolder.task.create"


class Creator(Asking, Protocol):
    """Who asks, and what they may."""

    def user_ref(self) -> str | None:
        """Return the reference of the user who asks."""
        ...

    def claims(self) -> Sequence[EntityRef]:
        """Return the references that whoever asks owns by."""
        ...

    def rights(self) -> TaskRights | None:
        """Return what who asks may have a template do; None: anything."""
        ...
