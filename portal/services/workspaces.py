"""Gives each step of a task its workspace, as the steps before it left it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from portal.actions.workspace import Workspace, copy_folder
from portal.errors import ActionError

#: Nothing has been done yet.
EMPTY = ""
#: The workspace of a task that Portal 0.1 began, which had one for all steps.
OLD = "work"


class Workspaces:
    """The workspaces below one folder, each `<task>/<n>-<run>`.

    Every step works in a folder of its own, which no other run of the task ever writes: a copy of what the step before
    has left. So a step that a crash broke off begins anew from there and not from half-written files, and a run that
    was taken over while its process was stopped spoils nothing when it wakes.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(
        self, task_id: str, index: int, *, before: str, run: str, keeps_earlier: bool = False
    ) -> tuple[Workspace, str, bool]:
        """Return the workspace for step `index` (from 0), its name, and whether that step was begun before.

        `before` is the name of the workspace that the last step left. Those before that go, unless `keeps_earlier`,
        which is for steps after a failure: a retry begins with what the failed one was given. Raises `ActionError`
        when `before` has gone, as on another machine.
        """
        task = self._root / task_id
        task.mkdir(parents=True, exist_ok=True)
        is_again = any(True for _ in task.glob(f"{index}-*"))
        name = f"{index}-{run}"
        work = task / name
        shutil.rmtree(work, ignore_errors=True)
        if before == EMPTY:
            work.mkdir()
            return Workspace(work), name, is_again
        kept = task / before
        if not kept.is_dir():
            raise ActionError(f"The workspace of task {task_id} is not on this machine any more; start the task anew")
        copy_folder(kept, work)
        for old in () if keeps_earlier else task.iterdir():
            if _index(old.name) < _index(before):
                shutil.rmtree(old, ignore_errors=True)
        return Workspace(work), name, is_again

    def keep_only(self, task_id: str, name: str) -> bool:
        """Leave of a task's workspaces the one of this name, such as `prepare` gave; return whether it is there.

        `EMPTY` leaves none, which is what a task begins with.
        """
        task = self._root / task_id
        for other in task.iterdir() if task.is_dir() else ():
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)
        return name == EMPTY or (task / name).is_dir()

    def older_than(self, seconds: float) -> list[str]:
        """Return the tasks whose workspaces nobody has made or removed for so long."""
        limit = time.time() - seconds
        found = self._root.iterdir() if self._root.is_dir() else ()
        return sorted(task.name for task in found if task.is_dir() and task.stat().st_mtime < limit)

    def remove(self, task_id: str) -> None:
        """Remove all that a task has left."""
        shutil.rmtree(self._root / task_id, ignore_errors=True)


def _index(name: str) -> int:
    """Return the step that a workspace is of; what an older Portal left (`work`, `before-<n>`) goes first."""
    number, _, _ = name.partition("-")
    return int(number) if number.isdigit() else -1
