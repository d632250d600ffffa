"""Surrounds the task of a dry run: nothing of it is stored."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import orjson

from portal.actions.workspace import Workspace
from portal.errors import InputError, NotAllowedError
from portal.model.secret import Secret
from portal.scaffolder.task import TaskEvent
from portal.store.jobs import JobClaim
from portal.store.tasks import EventRow, TaskRow


@dataclass(frozen=True, slots=True)
class DryRunLimits:
    """What one dry run may use, with how many may be under way: each holds the thread of the request that asks."""

    seconds: float = 30.0
    lines: int = 10_000
    files: int = 10_000
    size_bytes: int = 32 * 1024 * 1024
    at_once: int = 2


class Notebook:
    """Keeps the events of one dry run, and its time."""

    def __init__(self, task: TaskRow, limits: DryRunLimits) -> None:
        self._task = task
        self._limits = limits
        self._deadline = time.monotonic() + limits.seconds
        self._events: list[EventRow] = []
        self._waiting = threading.Event()  # nobody sets it

    @property
    def is_closed(self) -> bool:
        """Whether Portal stops; a dry run is over before that."""
        return False

    def task(self, _task_id: str) -> TaskRow:
        """Return the one task."""
        return self._task

    def attempt(self, _task_id: str) -> int:
        """Return the only one."""
        return 0

    def append(self, task_id: str, events: Sequence[TaskEvent], *, claim: JobClaim | None = None) -> None:
        """Keep events. Raises `InputError` where they become too many."""
        if len(self._events) + len(events) > self._limits.lines:
            raise InputError(f"The log of the dry run has more than {self._limits.lines:,} lines")
        self._keep(task_id, events)

    def change(
        self,
        task_id: str,
        _status: str,
        *,
        attempt: int,
        previous: Collection[str],
        events: Sequence[TaskEvent] = (),
        claim: JobClaim | None = None,
        template_commit: str = "",
    ) -> bool:
        """Keep the events; whatever the status, the run is under way until it returns."""
        self._keep(task_id, events)
        return True

    def _keep(self, task_id: str, events: Sequence[TaskEvent]) -> None:
        for event in events:
            self._events.append(EventRow(len(self._events), task_id, event.type, dict(event.body), 0))

    def events(self, _task_id: str, *, types: Collection[str] = ()) -> list[EventRow]:
        """Return the events of some types."""
        return [event for event in self._events if event.type in types]

    def is_cancelled(self, _task_id: str, *, seconds: float = 0) -> bool:
        """Wait. Raises `InputError` when the time of the run is over."""
        remaining = self._deadline - time.monotonic()
        if seconds > 0 and remaining > 0:
            self._waiting.wait(min(seconds, remaining))
        if time.monotonic() >= self._deadline:
            raise InputError(f"The dry run takes longer than {self._limits.seconds:g} s")
        return False

    def over(self, _ids: Collection[str]) -> list[str]:
        """Return nothing: there is no other run."""
        return []

    def bodies(self, *, hidden: str) -> list[dict[str, Any]]:
        """Return what the events tell, the completion last, without naming the folder `hidden`."""
        text = orjson.dumps([event.body for event in self._events]).decode()
        found: list[dict[str, Any]] = orjson.loads(text.replace(orjson.dumps(hidden).decode()[1:-1], ""))
        return found


class OnePlace:
    """Lets all steps of a dry run work in one folder: nothing has to be brought back."""

    def __init__(self, folder: Path) -> None:
        self._workspace = Workspace(folder)

    def prepare(
        self, _task_id: str, index: int, *, before: str, run: str, keeps_earlier: bool, reads_only: bool
    ) -> tuple[Workspace, str, bool]:
        """Return the workspace."""
        return self._workspace, f"{index}-{run}", False

    def keep(self, _task_id: str, _name: str) -> None:
        """Do nothing: nobody else works on a dry run."""

    def keep_only(self, _task_id: str, _name: str) -> bool:
        """Leave everything."""
        return True

    def older_than(self, _seconds: float) -> list[str]:
        """Return nothing."""
        return []

    def remove(self, _task_id: str) -> None:
        """Leave what is to be shown."""

    def clear(self) -> None:
        """Do nothing: nothing is removed."""


class GivenSecrets:
    """The secrets that came with a dry run; nothing of it is stored, so nothing has to be sealed."""

    def __init__(self, secrets: Mapping[str, Secret]) -> None:
        self._secrets = secrets

    def of(self, _task_id: str) -> Mapping[str, Secret]:
        """Return the secrets."""
        return self._secrets

    def purpose(self, _task_id: str) -> str:
        """Return nothing: what is not stored is opened by nobody."""
        return ""

    def seal(self, kept: Mapping[str, Any], *, purpose: str) -> Any:  # as those of a task that is stored
        """Return what is kept, as it is."""
        return kept

    def unseal(self, sealed: Any, *, purpose: str) -> Mapping[str, Any]:  # as above
        """Return it again."""
        found: Mapping[str, Any] = sealed
        return found


class NoLocations:
    """Refuses to register."""

    def register(self, location_type: str, target: str, *, trusted: bool = False) -> NoReturn:
        """Raise `NotAllowedError`."""
        raise NotAllowedError("A dry run registers nothing")


class AtOnce:
    """Runs steps without a record of them."""

    token = "dry-run"  # noqa: S105  # tells runs apart, opens nothing

    def __call__(self, name: str, function: Callable[[], Any]) -> Any:
        """Return what the step gives."""
        return function()

    aside = __call__

    @property
    def claim(self) -> None:
        """Nothing: nobody else works on a dry run."""
