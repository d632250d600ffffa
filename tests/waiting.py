"""Waiting for a condition, with an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

_DEADLINE_SECONDS = 60.0


def eventually(check: Callable[[], Any], what: str, *, seconds: float = _DEADLINE_SECONDS) -> Any:
    """Return the first true answer of `check`; fail when none comes in time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        pause.wait(0.02)
    raise AssertionError(f"waited {seconds:g} s in vain for {what}")
