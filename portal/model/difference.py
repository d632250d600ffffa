"""Tells two JSON values apart, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

MISSING = object()


class Difference(NamedTuple):
    """A field that differs, by its path such as `("spec", "owner")`; what is not there is `MISSING`."""

    path: tuple[str, ...]
    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        """Return the path with `before` and `after`, either left out where there is no such field."""
        sides = {"before": self.before, "after": self.after}
        return {"path": list(self.path)} | {name: value for name, value in sides.items() if value is not MISSING}


def differences(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """Yield the fields in which two values differ, sorted by path; lists are compared whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from differences(before.get(name, MISSING), after.get(name, MISSING), (*path, name))
    elif _text(before) != _text(after):
        yield Difference(path, before, after)


def _text(value: Any) -> bytes | None:
    """Return a value as JSON: to Python 1, 1.0 and true are equal, in lists too."""
    return None if value is MISSING else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
