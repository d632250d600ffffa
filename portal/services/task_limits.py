"""Ends steps that take too long, between what their actions do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from portal.errors import ActionError


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """How long a step of a task may take, with how long the task may as a whole; 0: as long as it likes."""

    step_seconds: float = 0
    task_seconds: float = 0


class Deadline:
    """When a step that begins now has to end: by its own time, and by that of its task.

    Nobody can stop a thread: a step ends where its action asks whether it was cancelled, or tells something.
    `begun` is when its task was taken up, in seconds since 1970; None where that does not matter, as for steps that
    clean up after a failure.
    """

    def __init__(
        self,
        limits: TaskLimits,
        *,
        begun: float | None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        ends: list[tuple[float, str]] = []
        if limits.step_seconds:
            ends.append((clock() + limits.step_seconds, f"The step takes longer than {limits.step_seconds:g} s"))
        if limits.task_seconds and begun is not None:
            left = begun + limits.task_seconds - now()
            ends.append((clock() + left, f"The task takes longer than {limits.task_seconds:g} s"))
        self._end: float | None = None
        self._message = ""
        if ends:
            self._end, self._message = min(ends)

    def check(self) -> None:
        """Raise `ActionError` when the time is over."""
        if self._end is not None and self._clock() >= self._end:
            raise ActionError(self._message)

    def within(self, seconds: float) -> float:
        """Return how much of some time is left."""
        return seconds if self._end is None else max(0.0, min(seconds, self._end - self._clock()))


#: No end.
NO_DEADLINE = Deadline(TaskLimits(), begun=None)
