"""Flattens a finished entity into the leaves that filters, facets, ordering see."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from portal.model.ref import DEFAULT_NAMESPACE

#: Longest key and value (characters) that the index holds. Rule: catalog-backend 4.0.0 `buildEntitySearch`.
LONGEST = 200
#: The value of a leaf that is there but equals nothing: it was null, or too long. No real value can be this one,
#: because real values are lower case.
NOTHING = "NULL"
#: Not flattened: relations have keys of their own, the others say nothing about the entity.
_SKIPPED = frozenset({"attachments", "relations", "status"})
#: JavaScript writes other fractions with an exponent.
_PLAIN_FROM, _PLAIN_BELOW = 1e-6, 1e21


class Leaf(NamedTuple):
    """A value at a path: `key` and `value` lower case, `display` as it was written (empty for `NOTHING`)."""

    key: str
    value: str
    display: str


def leaves(document: Mapping[str, Any]) -> list[Leaf]:
    """Return the leaves of a finished entity, sorted; no two share key and value.

    A list of texts answers both `path=value` and `path.value=true`; lists of objects are flattened; objects are no
    leaves. A null, or a value longer than 200 characters, is there as `NOTHING`; a longer key is left out. The etag
    is no leaf: it says nothing about the entity. Rule: catalog-backend 4.0.0 `buildEntitySearch`.
    """
    found: dict[tuple[str, str], str] = {}
    for name, member in document.items():
        if name in _SKIPPED:
            continue
        if name == "metadata":
            _flatten(name, {key: value for key, value in member.items() if key != "etag"}, found)
            if not member.get("namespace"):
                _add(f"{name}.namespace", DEFAULT_NAMESPACE, found)
        else:
            _flatten(name, member, found)
    for relation in document.get("relations") or ():
        _add(f"relations.{relation['type']}", relation["targetRef"], found)
    return sorted(Leaf(key, value, display) for (key, value), display in found.items())


def scalar_text(value: str | float | None) -> str:
    """Return a scalar as JavaScript's `String` writes it (1.0 is "1", true is "true"); null is empty."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, int) else _fraction_text(value)


def _fraction_text(value: float) -> str:
    if not math.isfinite(value):
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    if value == 0:
        return "0"
    if _PLAIN_FROM <= abs(value) < _PLAIN_BELOW:
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa}e{int(exponent):+d}"


def _flatten(path: str, value: Any, found: dict[tuple[str, str], str]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _flatten(f"{path}.{key}", item, found)
    elif isinstance(value, list):
        for item in value:
            _flatten(path, item, found)
            if isinstance(item, str):
                _add(f"{path}.{item}", "true", found)
    elif value is None:
        _add(path, None, found)
    else:
        _add(path, scalar_text(value), found)


def _add(path: str, text: str | None, found: dict[tuple[str, str], str]) -> None:
    """Add a leaf; of values that differ only in case the first one's writing is kept."""
    key = path.lower()
    if len(key) > LONGEST:
        return
    value = NOTHING if text is None else text.lower()
    if text is None or len(value) > LONGEST:
        found.setdefault((key, NOTHING), "")
    else:
        found.setdefault((key, value), text)
