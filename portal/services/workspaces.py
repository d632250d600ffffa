"""Gives each step of a task its workspace, as the steps before it left it."""

from __future__ import annotations

import shutil
from pathlib import Path

from portal.actions.workspace import Workspace, copy_folder
from portal.errors import ActionError


class Workspaces:
    """The workspaces below one folder, each `<task>/work`.

    Before a step its state is kept as `<task>/before-<n>`, so that a step which a crash broke off begins anew from
    there and not from half-written files.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(self, task_id: str, index: int) -> tuple[Workspace, bool]:
        """Return the workspace for step `index` (from 0), and whether that step was begun before and broken off.

        Raises `ActionError` when the workspace has gone, as on another machine.
        """
        task = self._root / task_id
        work, kept = task / "work", task / f"before-{index}"
        if index == 0:
            task.mkdir(parents=True, exist_ok=True)
            if not kept.exists():
                shutil.rmtree(work, ignore_errors=True)
                work.mkdir()
        if kept.exists():
            shutil.rmtree(work, ignore_errors=True)
            copy_folder(kept, work)
            return Workspace(work), True
        if not work.is_dir():
            raise ActionError(f"The workspace of task {task_id} is not on this machine any more; start the task anew")
        draft = task / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        copy_folder(work, draft)
        draft.rename(kept)
        shutil.rmtree(task / f"before-{index - 1}", ignore_errors=True)
        return Workspace(work), False

    def remove(self, task_id: str) -> None:
        """Remove all that a task has left."""
        shutil.rmtree(self._root / task_id, ignore_errors=True)
