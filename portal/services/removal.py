"""Removes folders beside the work that has left them."""

from __future__ import annotations

import shutil
import threading
import uuid
from pathlib import Path

_PREFIX = ".removed-"


class Removal:
    """Takes folders of `root` out of the way at once; a thread removes them, with what a killed process left."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._is_wanted = False
        self._is_running = False

    def take(self, name: str) -> None:
        """Remove a folder, if it is there."""
        try:
            (self._root / name).rename(self._root / f"{_PREFIX}{uuid.uuid4().hex}")
        except OSError:
            return  # as much as can be: who has left it is done
        self.go_on()

    def go_on(self) -> None:
        """Remove what waits for that."""
        with self._lock:
            self._is_wanted = True
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="portal-removal", daemon=True).start()

    def _run(self) -> None:
        while self._begins():
            for found in self._root.glob(f"{_PREFIX}*"):
                shutil.rmtree(found, ignore_errors=True)

    def _begins(self) -> bool:
        """Return whether anything is wanted since the last time; if not, the thread ends."""
        with self._lock:
            self._is_running, self._is_wanted = self._is_wanted, False
            return self._is_running
