"""Holds what is known of a step of a task while it is carried out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.model.secret import SHORTEST_PART, Secret
from portal.scaffolder.task import Progress, Redactor
from portal.services.jobs import StepRunner
from portal.services.task_beginning import Begun
from portal.services.task_limits import NO_DEADLINE, Deadline
from portal.services.telling import Telling
from portal.store.tasks import TaskRow

#: No name of a team or repository is as long, tokens are longer.
_SHORTEST_IN_URL = 20


@dataclass(slots=True)
class Step:
    """A step of a task that is being carried out in one run of it.

    `workspace` is the name of the one that the step before left, then of its own. `hidden` are secrets, and what the
    steps up to this one have made with them: as long as they are held, the log of the process masks them too. `purpose`
    is what they are sealed for.
    """

    task: TaskRow
    index: int
    begun: Begun
    progress: Progress
    run: StepRunner
    workspace: str
    purpose: str
    told: Telling
    hidden: set[Secret] = field(default_factory=set)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    redact: Redactor = field(default_factory=Redactor)
    redact_urls: Redactor = field(default_factory=Redactor)
    deadline: Deadline = NO_DEADLINE

    def hide(self, texts: Collection[str]) -> None:
        """Mask texts that were made with secrets: in this step and in those that come after it."""
        self.redact.hide(texts)
        made = {Secret(text) for text in texts if len(text) >= SHORTEST_PART}
        # A name that was given as a secret may well stand in a url that was made without it.
        self.redact_urls = redactor(made | {item for item in self.hidden if len(item.reveal()) >= _SHORTEST_IN_URL})
        self.hidden |= made

    @property
    def declared(self) -> dict[str, Any]:
        """The step as the template has it."""
        declared: dict[str, Any] = self.task.spec["steps"][self.index]
        return declared

    @property
    def id(self) -> str:
        """Its id in the template."""
        return str(self.declared["id"])


def redactor(hidden: Collection[Secret]) -> Redactor:
    """Return what masks secrets."""
    return Redactor(secret.reveal() for secret in hidden)
