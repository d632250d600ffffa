"""Gives each step of a task its workspace, as the steps before it left it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from portal.actions.workspace import Workspace, copy_folder
from portal.errors import ActionError
from portal.services.removal import Removal

if TYPE_CHECKING:
    from portal.services.workspace_archive import WorkspaceArchive

#: Nothing has been done yet.
EMPTY = ""
#: The workspace of a task that Portal 0.1 began, which had one for all steps.
OLD = "work"


class Workspaces:
    """The workspaces below one folder, each `<task>/<n>-<run>`.

    Every step that writes works in a folder of its own, which no other run of the task ever writes: a copy of what the
    step before has left. So a step that a crash broke off begins anew from there and not from half-written files, and
    a run that was taken over while its process was stopped spoils nothing when it wakes.

    What is not in the folder, as on another machine, comes from the `archive`, where there is one.
    """

    def __init__(self, root: Path, *, archive: WorkspaceArchive | None = None) -> None:
        self._root = root
        self._removal = Removal(root)
        self._archive = archive

    def prepare(
        self,
        task_id: str,
        index: int,
        *,
        before: str,
        run: str,
        keeps_earlier: bool = False,
        reads_only: bool = False,
    ) -> tuple[Workspace, str, bool]:
        """Return the workspace for step `index` (from 0), its name, and whether that step was begun before.

        `before` is the name of the workspace that the last step left. Those before that go, unless `keeps_earlier`,
        which is for steps after a failure: a retry begins with what the failed one was given. A step that `reads_only`
        gets that workspace itself. Raises `ActionError` when `before` has gone.
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
        if reads_only and (task / before).is_dir():
            work.mkdir()  # tells that the step was begun
            return Workspace(task / before), before, is_again
        self._bring(task_id, before, work)
        if not keeps_earlier:
            self._drop(task_id, lambda found: _index(found) < _index(before))
        return Workspace(work), name, is_again

    def keep(self, task_id: str, name: str) -> None:
        """Keep a workspace, as its step has left it, where another machine finds it.

        Raises `ActionError` where that cannot be.
        """
        if self._archive is not None and name != EMPTY:
            self._archive.save(task_id, name, self._root / task_id / name)

    def keep_only(self, task_id: str, name: str) -> bool:
        """Leave of a task's workspaces the one of this name, such as `prepare` gave; return whether it is there.

        `EMPTY` leaves none, which is what a task begins with.
        """
        self._drop(task_id, lambda found: found != name)
        if name == EMPTY or (self._root / task_id / name).is_dir():
            return True
        return self._archive is not None and self._archive.has(task_id, name)

    def older_than(self, seconds: float) -> list[str]:
        """Return the tasks whose workspaces nobody has made or removed for so long."""
        limit = time.time() - seconds
        found = self._root.iterdir() if self._root.is_dir() else ()
        old = {task.name for task in found if (made := _made_at(task)) is not None and made < limit}
        return sorted(old | set(self._archive.older_than(seconds) if self._archive is not None else ()))

    def remove(self, task_id: str) -> None:
        """Remove all that a task has left; its files are gone a moment later."""
        self._removal.take(task_id)
        if self._archive is not None:
            self._archive.remove(task_id)

    def clear(self) -> None:
        """Go on removing what a process was removing when it was killed."""
        self._removal.go_on()

    def _bring(self, task_id: str, before: str, work: Path) -> None:
        """Make a workspace from the one before."""
        kept = self._root / task_id / before
        if kept.is_dir():
            copy_folder(kept, work)
            return
        work.mkdir()
        if self._archive is None or not self._archive.restore(task_id, before, work):
            raise ActionError(f"The workspace of task {task_id} is not on this machine any more; start the task anew")

    def _drop(self, task_id: str, is_dropped: Callable[[str], bool]) -> None:
        task = self._root / task_id
        for found in task.iterdir() if task.is_dir() else ():
            if is_dropped(found.name):
                shutil.rmtree(found, ignore_errors=True)
        if self._archive is not None:
            self._archive.drop(task_id, [name for name in self._archive.names(task_id) if is_dropped(name)])


def _made_at(task: Path) -> float | None:
    """Return when a task's folder has last changed, None for one that has gone since it was seen."""
    try:
        return task.stat().st_mtime
    except FileNotFoundError:
        return None


def _index(name: str) -> int:
    """Return the step that a workspace is of; what an older Portal left (`work`, `before-<n>`) goes first."""
    number, _, _ = name.partition("-")
    return int(number) if number.isdigit() else -1
