"""Remembers answers about the catalog as long as that stays as it is."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from portal.services.facts import utc_today
from portal.store.database import Database

Answer = TypeVar("Answer")


class Once:
    """Asks each question once for each revision, day and visibility; `most` answers are kept, those asked for last."""

    def __init__(self, database: Database, *, most: int) -> None:
        self._database = database
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, Any] = OrderedDict()

    def of(self, asked: Hashable, find: Callable[[], Answer]) -> Answer:
        """Return the answer to a question, worked out by `find` where it is not known. What that raises is not kept."""
        # Read before the answer is worked out: it may be newer than that, and never older.
        revision = self._database.lookup.revision()
        key = (revision, utc_today(), self._database.visibility(revision).key, asked)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                known: Answer = self._known[key]
                return known
        found = find()
        with self._lock:
            self._known[key] = found
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return found
