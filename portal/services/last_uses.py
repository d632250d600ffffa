"""Gathers when tokens were last used, so that a use costs no write of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)


class LastUses:
    """Hands what was noted to `write` all at once, some time after the first note; safe from several threads.

    A use that another note follows before that is never written by itself. What a killed process had noted is lost.
    """

    def __init__(self, write: Callable[[Mapping[str, int]], None], *, seconds: float) -> None:
        self._write = write
        self._seconds = seconds
        self._lock = threading.Lock()
        self._pending: dict[str, int] = {}
        self._timer: threading.Timer | None = None

    def note(self, token_id: str, at_ms: int) -> None:
        """Note that a token was used."""
        with self._lock:
            self._pending[token_id] = max(at_ms, self._pending.get(token_id, 0))
            if self._timer is None:
                self._timer = threading.Timer(self._seconds, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what is noted."""
        with self._lock:
            pending, self._pending = self._pending, {}
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if not pending:
            return
        try:
            self._write(pending)
        except Exception:  # noqa: BLE001  # the timer's edge: a use that is not known harms nobody
            _log.exception("the last uses of tokens were not written")
