"""Keeps a process among those that work, for as long as the others can rely on it."""

from __future__ import annotations

import threading
import time

from portal.store.database import Database
from portal.store.slots import WorkerSlot


class Duty:
    """Whether this process works: it holds a slot that it would lose by dying, or by silence.

    Within `lease_seconds` after that the others have taken over what it had begun. A process that was only silent comes
    back by itself; what it had begun is not its any more, which each write finds out in its own transaction.
    """

    def __init__(self, database: Database, *, lease_seconds: float = 30.0) -> None:
        #: Silence costs the slot after half of the lease, so that the other half is left for taking over.
        self._slot = WorkerSlot(database, silence_seconds=lease_seconds / 2)
        self.look_seconds = min(lease_seconds / 6, 2.0)
        self._heard = -lease_seconds
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def number(self) -> int:
        """The number by which others know this process."""
        return self._slot.number

    def others(self) -> bool:
        """Whether another process works on the same database."""
        return self._slot.others()

    def hold(self) -> bool:
        """Return whether this process is on duty, going on duty where it is not and may be.

        Between two heartbeats it costs nothing; a process that was stopped asks before it believes it.
        """
        with self._lock:
            if time.monotonic() - self._heard < self.look_seconds:
                return True
            is_held = self._slot.hold()
            self._heard = time.monotonic() if is_held else -self.look_seconds
            return is_held

    def start(self) -> None:
        """Go on duty as soon as that is possible, and stay there."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._keep, name="portal-duty", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Go off duty, when all work has ended: others take over at once what is not done."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._lock:
            self._slot.release()
            self._heard = -self.look_seconds

    def _keep(self) -> None:
        while True:
            self.hold()
            if self._stopping.wait(self.look_seconds):
                return
