"""Lists of which a page shows the beginning, with how many there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

#: So many entities of one sort are shown on a page; the rest is counted.
MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """Part of a list that may be long: what is shown of it, and how many there are."""

    shown: list[Any]
    count: int

    @classmethod
    def of(cls, items: Iterable[Any]) -> Listed:
        """Return the beginning of some items."""
        found = list(items)
        return cls(found[:MOST_SHOWN], len(found))

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.shown)
