"""Flattens a finished entity into the leaves that filters, facets, ordering see."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, Self

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

    @property
    def text(self) -> str:
        """All of it in one text: nothing in it can hold what separates the parts."""
        return "\0".join(self[:2] if self.value == self.display else self)

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the leaf of its `text`."""
        key, value, *display = text.split("\0")
        return cls(key, value, display[0] if display else value)


class LeafMemory(dict[tuple[str, str | None], tuple[int, int] | None]):
    """The leaves of the entities of one batch, each once; what repeats is made once.

    Maps (path, text) to the number of its key and value, and to the place of its leaf in `leaves`; a path that is too
    long stands for None.
    """

    def __init__(self) -> None:
        super().__init__()
        self.leaves: list[Leaf] = []
        self._pairs: dict[tuple[str, str], int] = {}

    def __missing__(self, found: tuple[str, str | None]) -> tuple[int, int] | None:
        path, text = found
        key = path.lower()
        if len(key) > LONGEST:
            self[found] = None
            return None
        value = NOTHING if text is None else text.lower()
        if text is None or len(value) > LONGEST:
            value, text = NOTHING, ""
        made = self._pairs.setdefault((key, value), len(self._pairs)), len(self.leaves)
        self.leaves.append(Leaf(key, value, text))
        self[found] = made
        return made


def leaves(document: Mapping[str, Any]) -> list[Leaf]:
    """Return the leaves of a finished entity, in the order of the document; no two share key and value.

    A list of texts answers both `path=value` and `path.value=true`; lists of objects are flattened; objects are no
    leaves. A null, or a value longer than 200 characters, is there as `NOTHING`; a longer key is left out. The etag
    is no leaf: it says nothing about the entity. Of values that differ only in case the first one's writing is kept.
    Rule: catalog-backend 4.0.0 `buildEntitySearch`.
    """
    memory = LeafMemory()
    pairs = _flattened(document)
    pairs += [(f"relations.{relation['type']}", relation["targetRef"]) for relation in document.get("relations") or ()]
    return [memory.leaves[place] for place in _places(pairs, memory)]


def indexed_leaves(document: Mapping[str, Any], *, memory: LeafMemory) -> list[int]:
    """Return the places in `memory` of the leaves that the index holds of an entity: all but uid and relations."""
    metadata = document["metadata"]
    if "uid" in metadata:
        document = {**document, "metadata": {name: value for name, value in metadata.items() if name != "uid"}}
    return _places(_flattened(document), memory)


def _flattened(document: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Return (path, text) of all that an entity says, but for its relations."""
    pairs: list[tuple[str, str | None]] = []
    for name, member in document.items():
        if name in _SKIPPED:
            continue
        if name == "metadata":
            for key, value in member.items():
                if key != "etag":
                    _flatten(f"metadata.{key}", value, pairs)
            if not member.get("namespace"):
                pairs.append((f"{name}.namespace", DEFAULT_NAMESPACE))
        else:
            _flatten(name, member, pairs)
    return pairs


def _places(pairs: Iterable[tuple[str, str | None]], memory: LeafMemory) -> list[int]:
    found: dict[int, int] = {}
    for made in map(memory.__getitem__, pairs):
        if made is not None:
            found.setdefault(*made)
    return list(found.values())


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


def _flatten(path: str, value: Any, pairs: list[tuple[str, str | None]]) -> None:
    # Texts, which most values are, cost no call each.
    if isinstance(value, str):
        pairs.append((path, value))
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str):
                pairs.append((f"{path}.{key}", item))
            else:
                _flatten(f"{path}.{key}", item, pairs)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, str):
                pairs += (path, item), (f"{path}.{item}", "true")
            else:
                _flatten(path, item, pairs)
    else:
        pairs.append((path, None if value is None else scalar_text(value)))
