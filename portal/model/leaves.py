"""Flattens a finished entity into the leaves that filters, facets and ordering see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_LONGEST = 200
#: Not flattened: relations have keys of their own, the others say nothing about the entity.
_SKIPPED = frozenset({"attachments", "relations", "status"})


class Leaf(NamedTuple):
    """A value at a path: `key` and `value` lower case, `display` as it was written."""

    key: str
    value: str
    display: str


def leaves(document: Mapping[str, Any]) -> list[Leaf]:
    """Return the leaves of a finished entity, sorted, without duplicates.

    A list of scalars answers both `path=value` and `path.value=true`; lists of objects are flattened; objects are no
    leaves. A value that is null, or longer than 200 characters, is there and equals nothing. Rule: catalog-backend
    4.0.0 `buildEntitySearch`.
    """
    found = {leaf for key, value in document.items() if key not in _SKIPPED for leaf in _flatten(key, value)}
    for relation in document.get("relations") or ():
        target = str(relation["targetRef"])
        found.add(Leaf(f"relations.{relation['type']}".lower(), target.lower(), target))
    return sorted(leaf for leaf in found if len(leaf.key) <= _LONGEST)


def _flatten(path: str, value: Any) -> Iterator[Leaf]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(f"{path}.{key}", item)
    elif isinstance(value, list):
        for item in value:
            yield from _flatten(path, item)
            if isinstance(item, str):
                yield Leaf(f"{path}.{item}".lower(), "true", "true")
    else:
        text = scalar_text(value)
        yield Leaf(path.lower(), text.lower(), text) if len(text) <= _LONGEST else Leaf(path.lower(), "", "")


def scalar_text(value: Any) -> str:
    """Return a scalar as JavaScript prints it; null is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
