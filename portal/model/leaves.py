"""Flattens a finished entity into the leaves that filters, facets, ordering see."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from portal.model.entity import GIVEN_ANNOTATIONS
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


class LeafMemory(dict[tuple[str, str | None], tuple[tuple[str, str], Leaf] | None]):
    """The leaf that each (path, text) stands for, with its key and value, so that what repeats is made once.

    A path that is too long stands for None. For the entities of one batch: it grows with all that they say.
    """

    def __missing__(self, found: tuple[str, str | None]) -> tuple[tuple[str, str], Leaf] | None:
        path, text = found
        key = path.lower()
        if len(key) > LONGEST:
            made = None
        else:
            value = NOTHING if text is None else text.lower()
            if text is None or len(value) > LONGEST:
                made = ((key, NOTHING), Leaf(key, NOTHING, ""))
            else:
                made = ((key, value), Leaf(key, value, text))
        self[found] = made
        return made


def leaves(document: Mapping[str, Any], *, memory: LeafMemory | None = None) -> list[Leaf]:
    """Return the leaves of a finished entity, in the order of the document; no two share key and value.

    A list of texts answers both `path=value` and `path.value=true`; lists of objects are flattened; objects are no
    leaves. A null, or a value longer than 200 characters, is there as `NOTHING`; a longer key is left out. The etag
    is no leaf: it says nothing about the entity. Of values that differ only in case the first one's writing is kept.
    Rule: catalog-backend 4.0.0 `buildEntitySearch`.
    """
    known = LeafMemory() if memory is None else memory
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
    pairs += [(f"relations.{relation['type']}", relation["targetRef"]) for relation in document.get("relations") or ()]
    found: dict[tuple[str, str], Leaf] = {}
    for pair in pairs:
        made = known[pair]
        if made is not None and made[0] not in found:
            found[made[0]] = made[1]
    return list(found.values())


def declared_leaves(declared: Mapping[str, Any], *, memory: LeafMemory) -> list[Leaf]:
    """Return the leaves of a declared entity that its finished form has too: the catalog gives uid and location."""
    metadata = {name: value for name, value in declared["metadata"].items() if name != "uid"}
    own = metadata.get("annotations")
    if own and not GIVEN_ANNOTATIONS.isdisjoint(own):
        metadata["annotations"] = {name: value for name, value in own.items() if name not in GIVEN_ANNOTATIONS}
    return leaves({**declared, "metadata": metadata}, memory=memory)


def with_added(own: Sequence[Leaf], added: Iterable[tuple[str, str]], memory: LeafMemory) -> list[Leaf]:
    """Return the leaves of a declared entity with those of more (path, text) pairs; no two share key and value.

    What the catalog adds are relations, the uid, annotations: only of the last may the document have one in other case.
    """
    made = [found for pair in added if (found := memory[pair]) is not None]
    keys = {key for (key, _), _ in made}
    taken = {(leaf.key, leaf.value) for leaf in own if leaf.key in keys}
    if not taken:
        return [*own, *(leaf for _, leaf in made)]
    return [*own, *(leaf for pair, leaf in made if pair not in taken)]


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
    if isinstance(value, str):
        pairs.append((path, value))
    elif isinstance(value, dict):
        for key, item in value.items():
            _flatten(f"{path}.{key}", item, pairs)
    elif isinstance(value, list):
        for item in value:
            _flatten(path, item, pairs)
            if isinstance(item, str):
                pairs.append((f"{path}.{item}", "true"))
    else:
        pairs.append((path, None if value is None else scalar_text(value)))
