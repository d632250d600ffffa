"""Writes audit records from a thread of its own, all that have gathered in one transaction."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Sequence

from portal.model.audit import AuditRecord

_log = logging.getLogger(__name__)
#: Records that may wait: neither a database that is away nor whoever is refused often shall fill the memory.
_MOST_WAITING = 10_000


class AuditWriter:
    """Takes records from any thread; those that are dropped because too many wait are counted.

    The thread begins with the first record, so that a process may be forked before.
    """

    def __init__(self, write: Callable[[Sequence[AuditRecord], int], None], *, most: int = _MOST_WAITING) -> None:
        self._write = write
        self._most = most
        self._changed = threading.Condition()
        self._waiting: list[AuditRecord] = []
        self._dropped = 0
        self._taken = 0
        self._done = 0
        self._is_ending = False
        self._thread: threading.Thread | None = None

    def put(self, record: AuditRecord) -> int:
        """Take a record to be written soon; return its number, for `wait`."""
        with self._changed:
            if len(self._waiting) >= self._most:
                self._dropped += 1
                return self._taken
            self._waiting.append(record)
            self._taken += 1
            if self._thread is None:
                self._is_ending = False
                self._thread = threading.Thread(target=self._run, name="portal-audit", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return self._taken

    def wait(self, number: int, *, seconds: float | None = None) -> bool:
        """Wait until the record of a number, and all before it, are written or given up; return whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: self._done >= number, timeout=seconds)

    def flush(self) -> None:
        """Wait until all that was taken is written or given up."""
        with self._changed:
            self._changed.wait_for(lambda: self._done >= self._taken)

    def close(self) -> None:
        """End, when all is written."""
        with self._changed:
            thread = self._thread
            self._is_ending = True
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_ending)
                if not self._waiting:
                    self._thread = None
                    return
                records, self._waiting = self._waiting, []
                dropped, self._dropped = self._dropped, 0
            try:
                self._write(records, dropped)
            except Exception:  # noqa: BLE001  # the thread's edge: what is lost here is in the log
                told = [dataclasses.asdict(record) for record in records]
                _log.exception("audit records were not written", extra={"records": told, "dropped": dropped})
            with self._changed:
                self._done += len(records)
                self._changed.notify_all()
