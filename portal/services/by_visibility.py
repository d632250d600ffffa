"""Keeps what was worked out of the catalog apart by who may read what."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

from portal.store.database import Connection
from portal.store.sight import visibility_of

Value = TypeVar("Value")

#: Beside what those have who see everything; each may be as large as that.
_MOST_RESTRICTED = 4


class ByVisibility(Generic[Value]):
    """One value for those who see everything, and one each for the last few visibilities that see less."""

    def __init__(self, *, most: int = _MOST_RESTRICTED) -> None:
        self._most = most
        self._whole: Value | None = None
        self._restricted: OrderedDict[str, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, connection: Connection) -> Value | None:
        """Return what was kept last for a connection that may read as much."""
        return self.of(visibility_of(connection).key)

    def of(self, key: str) -> Value | None:
        """Return what was kept last for the key of a visibility."""
        if not key:
            return self._whole
        with self._lock:
            found = self._restricted.get(key)
            if found is not None:
                self._restricted.move_to_end(key)
            return found

    def keep(self, connection: Connection, value: Value) -> None:
        """Keep a value for connections that may read as much, in place of the one before."""
        key = visibility_of(connection).key
        if not key:
            self._whole = value
            return
        with self._lock:
            self._restricted[key] = value
            self._restricted.move_to_end(key)
            while len(self._restricted) > self._most:
                self._restricted.popitem(last=False)
