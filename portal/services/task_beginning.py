"""Takes tasks up: at which commit of the template, with what an earlier attempt has left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.errors import PortalError
from portal.scaffolder.task import log
from portal.services.attempts import BEGIN, BEGUN, kept_results, run_id
from portal.services.jobs import StepRunner
from portal.services.task_origin import location_of
from portal.services.task_surroundings import Diary, Places, Sources
from portal.services.workspaces import EMPTY, OLD
from portal.store.tasks import TaskRow

#: Gives what an attempt has recorded, by the names of its steps.
Recorded = Callable[[str], Mapping[str, Any]]


@dataclass(slots=True)
class Begun:
    """How an `attempt` has begun: its `record` is kept with that of its first step, empty before.

    Of one that `is_first` nothing can have been told before.
    """

    attempt: int
    record: dict[str, Any] = field(default_factory=dict)
    is_first: bool = False

    @property
    def commit(self) -> str:
        """The commit of the template; empty where it cannot be told (a step will say why)."""
        return str(self.record.get("commit") or "")

    @property
    def seconds(self) -> float | None:
        """When that was; None for what an older Portal has recorded."""
        return self.record.get("began")

    @property
    def kept(self) -> Mapping[str, Any]:
        """What an earlier attempt has left, by the names of steps."""
        return self.record.get("kept") or {}


class Beginning:
    """Begins the attempts at tasks."""

    def __init__(self, journal: Diary, *, templates: Sources, workspaces: Places, recorded: Recorded) -> None:
        self._journal = journal
        self._templates = templates
        self._workspaces = workspaces
        self._recorded = recorded

    def found(self, task: TaskRow, attempt: int, run: StepRunner) -> Begun:
        """Return how an attempt has begun, where that is a step of its own in its record, as in an older Portal's."""
        # What was recorded comes again in its order; a task that is open has not been begun.
        if task.status == "open" or BEGIN not in self._recorded(run_id(task.id, attempt)):
            return Begun(attempt)
        return Begun(attempt, run(BEGIN, dict))

    def take_up(self, task: TaskRow, attempt: int, run: StepRunner) -> Begun:
        """Take a task up."""
        count = len(task.spec["steps"])
        is_first = self._journal.change(
            task.id,
            "processing",
            attempt=attempt,
            previous=["open"],
            events=[log(f"Starting up task with {count} step{'' if count == 1 else 's'}")],
            claim=run.claim,
        )
        earlier = self._recorded(run_id(task.id, attempt - 1)) if attempt else {}
        commit = next((begun["commit"] for begun in _begun(earlier) if begun.get("commit")), "")
        if not commit:
            try:
                # Of many that were queued, one look at the remote after that is as good for all as one for each.
                since = None if attempt else task.created_at_ms / 1000
                commit = self._templates.commit(location_of(task), since=since)
            except PortalError:
                commit = ""
        record = {"commit": commit, "began": time.time() if is_first else self._began(task)}
        return Begun(attempt, record | ({"kept": self._kept(task, earlier, run)} if attempt else {}), is_first)

    def _began(self, task: TaskRow) -> float:
        """Return when an attempt began whose first step was broken off: when it told of itself first."""
        began = None
        for event in self._journal.events(task.id, types=["log", "recovered"]):
            began = None if event.type == "recovered" else began or event.created_at_ms / 1000
        return began or time.time()

    def _kept(self, task: TaskRow, earlier: Mapping[str, Any], run: StepRunner) -> dict[str, Any]:
        """Return the results of an earlier attempt that hold: none where steps would miss the files it has made."""
        steps = task.spec["steps"]
        kept = kept_results(steps, earlier)
        workspace = next((result.get("workspace", OLD) for result in reversed(kept.values())), EMPTY)
        if self._workspaces.keep_only(task.id, workspace) or len(kept) == len(steps):
            return kept
        told = "The files of the last attempt are not on this machine any more, so that every step runs again"
        self._journal.append(task.id, [log(told)], claim=run.claim)
        return {}


def _begun(recorded: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how an attempt has begun, from its record: with its first step, or before that in an older Portal's."""
    return [found for found in (recorded.get(BEGIN), *(step.get(BEGUN) for step in recorded.values() if step)) if found]
