"""Looks at sources when they are due, beside whatever else a process does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from portal.services.duty import Duty
from portal.services.refresh import RefreshService
from portal.services.schedule import Looks, files

_log = logging.getLogger(__name__)

#: How often a worker asks whether something is due that another process wants; a few short statements.
_LOOK_SECONDS = 0.5


class Refresher:
    """A thread that refreshes what is due; a source without a new commit costs one question to its remote.

    Whatever is to be done `after` a refresh does so even if that has failed: others refresh sources as well.
    """

    def __init__(
        self,
        refresh: RefreshService,
        looks: Looks,
        duty: Duty,
        *,
        after: Callable[[], object] | None = None,
    ) -> None:
        self._refresh = refresh
        self._looks = looks
        self._duty = duty
        self._after = after
        self._stopping = threading.Event()
        self._has_begun = False
        self._thread = threading.Thread(target=self._run, name="portal-refresher", daemon=True)

    def start(self) -> None:
        """Begin; where no other process works, with a look at all: what has changed since one did is not known."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Begin no further refresh."""
        self._stopping.set()

    def stop(self) -> None:
        """End, after the refresh that is under way; what is due is left to others."""
        self._stopping.set()
        self._looks.wake()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> set[str]:
        """Look at a portion of what is due; return the ids of its sources."""
        if not self._has_begun:
            if not self._duty.others():
                self._looks.want_all()
            self._has_begun = True
        taken = self._looks.take(self._duty.number)
        if not taken:
            return set()
        try:
            self._refresh.refresh(taken.keys(), again=files(taken))
        except Exception:  # noqa: BLE001  # one failed look must not end the looking
            _log.exception("refresh failed")
            self._looks.failed(self._duty.number, taken)
        else:
            self._looks.done(self._duty.number, taken)
        try:
            if self._after is not None and not self._stopping.is_set():
                self._after()
        except Exception:  # noqa: BLE001  # as above
            _log.exception("what follows a refresh failed")
        return set(taken)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                is_busy = self._duty.hold() and self.look()
            except Exception:  # noqa: BLE001  # the thread's edge: as above
                _log.exception("looking for what is due failed")
                is_busy = False
            if not is_busy:
                self._looks.wait(_LOOK_SECONDS)
