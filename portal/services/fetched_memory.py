"""Remembers what was read of commits, which never change: one template is run many times."""

from __future__ import annotations

import threading
from collections import OrderedDict

from portal.actions.contract import Fetched
from portal.vcs.mirror import Head

_MEMORY_BYTES = 64 * 1024 * 1024
#: What an entry costs beside its content.
_ENTRY_BYTES = 500


class FetchedMemory:
    """Files of commits, by remote, commit, path; those not asked for longest go first.

    Whether somebody may read a remote is for others to say, before they ask here.
    """

    def __init__(self, *, size_bytes: int = _MEMORY_BYTES) -> None:
        self._most = size_bytes
        self._size = 0
        self._found: OrderedDict[tuple[str, str, str], Fetched] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, head: Head, path: str) -> Fetched | None:
        """Return what is at a path of a commit, or None where that is not remembered."""
        key = head.remote, head.commit, path
        with self._lock:
            found = self._found.get(key)
            if found is not None:
                self._found.move_to_end(key)
            return found

    def put(self, head: Head, path: str, fetched: Fetched) -> None:
        """Remember what is at a path of a commit, unless that is much."""
        key, size = (head.remote, head.commit, path), _size(fetched)
        with self._lock:
            if size > self._most // 4 or key in self._found:
                return
            self._found[key] = fetched
            self._size += size
            while self._size > self._most:
                _, gone = self._found.popitem(last=False)
                self._size -= _size(gone)


def _size(fetched: Fetched) -> int:
    return sum(len(entry.content) + len(entry.path) + _ENTRY_BYTES for entry in fetched.entries)
