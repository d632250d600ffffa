"""Looks at all sources again every so often, beside the requests of one server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from portal.services.refresh import RefreshService

_log = logging.getLogger(__name__)


class Refresher:
    """A thread that refreshes every so many seconds; a source without a new commit costs one question to its remote.

    Whatever is to be done `after` a refresh does so even if that has failed: others refresh sources as well.
    """

    def __init__(self, refresh: RefreshService, *, seconds: float, after: Callable[[], object] | None = None) -> None:
        self._refresh = refresh
        self._seconds = seconds
        self._after = after
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="portal-refresher", daemon=True)

    def start(self) -> None:
        """Begin with a look at once: what has changed since the last server ended is not known."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Begin no further refresh."""
        self._stopping.set()

    def stop(self) -> None:
        """End, after the refresh that is under way."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            pause = self._seconds
            try:
                self._refresh.refresh()
            except Exception:  # noqa: BLE001  # the thread's edge: one failed look must not end the looking
                _log.exception("refresh failed")
            try:
                if self._after is not None and not self._stopping.is_set():
                    self._after()
            except Exception:  # noqa: BLE001  # as above
                _log.exception("what follows a refresh failed")
