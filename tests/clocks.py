"""A time that is set by hand."""

from __future__ import annotations


class Clock:
    """Tells `now`, in seconds since 1970, until somebody sets it."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return what it is set to."""
        return self.now
