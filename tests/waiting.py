"""Waiting for a condition, with an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

_DEADLINE_SECONDS = 60.0


def eventually(check: Callable[[], Any], what: str) -> Any:
    """Return the first true answer of `check`; fail when none comes in time."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    pause = threading.Event()
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        pause.wait(0.02)
    raise AssertionError(f"waited {_DEADLINE_SECONDS:g} s in vain for {what}")
