"""Takes the texts out of a nested value, so that their results can stand in their places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from portal.scaffolder.values import UNDEFINED, Undefined

#: Whether a result that reads as JSON becomes the value that it is the text of.
Coercion = Literal["none", "json"]


def texts_in(
    value: Any, path: tuple[str | int, ...], coercion: Coercion
) -> Iterable[tuple[tuple[str | int, ...], str]]:
    """Yield path and text of each text in `value` that rendering could change: no tag starts without a brace."""
    if isinstance(value, str):
        if "{" in value or (coercion == "json" and not value):
            yield path, value
    elif isinstance(value, Mapping):
        for key, member in value.items():
            yield from texts_in(member, (*path, key), coercion)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from texts_in(item, (*path, index), coercion)


def rebuilt(value: Any, path: tuple[str | int, ...], results: Mapping[tuple[str | int, ...], Any]) -> Any | Undefined:
    """Return a value with the results of its texts in their places; members without a value are left out."""
    if isinstance(value, str):
        return results.get(path, value)
    if isinstance(value, Mapping):
        members = ((key, rebuilt(member, (*path, key), results)) for key, member in value.items())
        return {key: member for key, member in members if member is not UNDEFINED}
    if isinstance(value, (list, tuple)):
        items = (rebuilt(item, (*path, index), results) for index, item in enumerate(value))
        return [None if item is UNDEFINED else item for item in items]
    return value
