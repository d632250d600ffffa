"""Says which entities somebody may read: all, none, or those that a filter means."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from portal.model.filter import AnyOf, EntityFilter


@dataclass(frozen=True)
class Visibility:
    """The entities that may be read: those that `readable` means, all where it is None."""

    readable: EntityFilter | None = None

    @property
    def is_all(self) -> bool:
        """Whether everything may be read."""
        return self.readable is None

    @cached_property
    def key(self) -> str:
        """A text by which two who may read the same are known, 64 hex characters; empty for all.

        It is made of what is meant, not of who asks: all members of a group share what is worked out for one of them.
        """
        if self.readable is None:
            return ""
        told = orjson.dumps(_sorted(self.readable.to_predicate()), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(told).hexdigest()


#: Everything may be read; there is no other value that means it.
ALL = Visibility()
#: Nothing may be read.
NOTHING_AT_ALL = Visibility(AnyOf())


def _sorted(value: Any) -> Any:
    """Return a predicate with its lists in order: neither parts nor values mean anything by theirs."""
    if isinstance(value, dict):
        return {name: _sorted(item) for name, item in value.items()}
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=orjson.dumps)
    return value
