"""What a task that is carried out needs around it, in earnest as in a dry run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from portal.actions.contract import Reader
from portal.actions.workspace import Workspace
from portal.model.secret import Secret
from portal.scaffolder.task import TaskEvent
from portal.store.jobs import JobClaim
from portal.store.tasks import EventRow, TaskRow


@dataclass(frozen=True, slots=True)
class Environment:
    """Names that the operator gives to all templates: `environment.parameters` and `environment.secrets`."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)


class Diary(Protocol):
    """Keeps what happens in tasks; see `portal.services.journal.Journal`."""

    def task(self, task_id: str, /) -> TaskRow | None:
        """Return a task."""
        ...

    def attempt(self, task_id: str, /) -> int:
        """Return the number of the attempt at a task that counts, from 0."""
        ...

    def append(
        self,
        task_id: str,
        events: Sequence[TaskEvent],
        /,
        *,
        claim: JobClaim | None = None,
    ) -> None:
        """Add events."""
        ...

    def change(
        self,
        task_id: str,
        status: str,
        /,
        *,
        attempt: int,
        previous: Collection[str],
        events: Sequence[TaskEvent] = (),
        claim: JobClaim | None = None,
        template_commit: str = "",
    ) -> bool:
        """Set a task's status in this attempt where it is one of `previous`, with events."""
        ...

    def events(self, task_id: str, /, *, types: Collection[str] = ()) -> list[EventRow]:
        """Return a task's events."""
        ...

    def is_cancelled(self, task_id: str, /, *, seconds: float = 0) -> bool:
        """Return whether a task was cancelled, waiting for it at most so long."""
        ...

    def over(self, ids: Collection[str], /) -> list[str]:
        """Return those of some tasks that are not under way."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether Portal stops."""
        ...


class Sources(Protocol):
    """Reads beside templates; see `portal.services.templates.Templates`."""

    def commit(self, location: str, /, *, since: float | None = None) -> str:
        """Return the commit at which a template's source stands, or stood after `since`; empty for a folder."""
        ...

    def reader(self, location: str, /, *, commit: str) -> Reader:
        """Return what reads beside the template at `location`, at that commit."""
        ...


class Places(Protocol):
    """Gives steps their workspaces; see `portal.services.workspaces.Workspaces`."""

    def prepare(
        self, task_id: str, index: int, /, *, before: str, run: str, keeps_earlier: bool, reads_only: bool
    ) -> tuple[Workspace, str, bool]:
        """Return the workspace for a step, its name, and whether that step was begun before."""
        ...

    def keep(self, task_id: str, name: str, /) -> None:
        """Keep a workspace, as its step has left it, where another machine finds it."""
        ...

    def keep_only(self, task_id: str, name: str, /) -> bool:
        """Leave of a task's workspaces the one of this name; return whether it is there."""
        ...

    def older_than(self, seconds: float, /) -> list[str]:
        """Return the tasks whose workspaces nobody has touched for so long."""
        ...

    def remove(self, task_id: str, /) -> None:
        """Remove all that a task has left."""
        ...

    def clear(self) -> None:
        """Go on removing what a process was removing when it was killed."""
        ...


class TaskSecrets(Protocol):
    """Knows the secrets of tasks, and keeps closed what steps make of them."""

    def of(self, task_id: str) -> Mapping[str, Secret]:
        """Return the secrets of a task."""
        ...

    def purpose(self, task_id: str) -> str:
        """Return what the results of a task's steps are sealed for."""
        ...

    def seal(self, kept: Mapping[str, Any], *, purpose: str) -> Any:
        """Return a JSON value that stands for what is kept."""
        ...

    def unseal(self, sealed: Any, *, purpose: str) -> Mapping[str, Any]:
        """Return what was sealed for a purpose. Raises `SettingsError` where that is over."""
        ...
