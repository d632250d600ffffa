"""Looks at the sources that somebody was told have changed, whichever server was told."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from portal.services.refresh import RefreshService
from portal.store import pushes
from portal.store.database import Database

_log = logging.getLogger(__name__)

#: How soon what another process was told is found.
_LOOK_SECONDS = 1.0
#: Pushes seldom come alone: those of so long make one refresh.
_GATHER_SECONDS = 0.2
#: How long the sources are one worker's; a worker that does not finish by then is taken for dead. Two that read the
#: same do no harm: the one that is late finds nothing to write.
_TAKEN_MS = 120_000


class PushRefresher:
    """A thread that refreshes the sources that are waiting, all of them at once, as soon as there are any.

    `refresh` should have a turn of its own: the regular look at all sources may wait for a host that does not answer.
    """

    def __init__(
        self,
        database: Database,
        refresh: RefreshService,
        *,
        look_seconds: float = _LOOK_SECONDS,
        gather_seconds: float = _GATHER_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._refresh = refresh
        self._look_seconds = look_seconds
        self._gather_seconds = gather_seconds
        self._clock = clock
        self._after: Callable[[], object] | None = None
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="portal-pushes", daemon=True)

    def start(self, *, after: Callable[[], object] | None = None) -> None:
        """Begin with what is waiting already; `after` is done when something was refreshed."""
        self._after = after
        self._thread.start()

    def wake(self) -> None:
        """Look at once, rather than when the time has come."""
        self._woken.set()

    def stop(self) -> None:
        """End, after the refresh that is under way."""
        self._stopping.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join()

    def work(self) -> set[str]:
        """Refresh the sources that are waiting now and return their ids."""
        with self._database.reading() as connection:
            if not pushes.has_refreshes(connection, now_ms=self._now_ms()):
                return set()
        with self._database.recording() as connection:
            now_ms = self._now_ms()
            taken = pushes.take_refreshes(connection, now_ms=now_ms, until_ms=now_ms + _TAKEN_MS)
        if not taken:
            return set()
        self._refresh.refresh(taken.keys())
        with self._database.recording() as connection:
            pushes.finish_refreshes(connection, taken)
        # What came in between is waiting again.
        self._woken.set()
        return set(taken)

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._woken.wait(self._look_seconds):
                self._woken.clear()
                self._stopping.wait(self._gather_seconds)
            if self._stopping.is_set():
                return
            try:
                if self.work() and self._after is not None:
                    self._after()
            except Exception:  # noqa: BLE001  # the thread's edge: what failed is tried again when its time is over
                _log.exception("a refresh after a push failed")

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
