"""Merges JSON values as lodash's `merge` does, which Roadie's actions use.

Pure. Rules: lodash 4.17 `mergeWith`, scaffolder-backend-module-utils 4.1 `mergeArrayCustomiser`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any


def merge(value: Any, change: Any, *, joins_lists: bool = False) -> Any:
    """Return `value` with `change` merged into it; neither is changed.

    Mappings are merged member by member, lists item by item: `[1, 2, 3]` with `[4]` gives `[4, 2, 3]`. With
    `joins_lists` a list gets what it is merged with behind its own items, each scalar once. Anything else is replaced,
    by null too; a list by a mapping, which lodash drops without a word.
    """
    if isinstance(value, list) and joins_lists:
        return _once([*value, *(change if isinstance(change, list) else [change])])
    if isinstance(value, dict) and isinstance(change, dict):
        return value | {
            name: merge(value[name], item, joins_lists=joins_lists) if name in value else item
            for name, item in change.items()
        }
    if isinstance(value, list) and isinstance(change, list):
        shared = [merge(old, new, joins_lists=joins_lists) for old, new in zip(value, change, strict=False)]
        return [*shared, *value[len(shared) :], *change[len(shared) :]]
    return change


def _once(items: list[Any]) -> list[Any]:
    """Return the items without the scalars that came before; equal mappings and lists are not the same."""
    seen: set[Hashable] = set()
    kept = []
    for item in items:
        if isinstance(item, (dict, list)):
            kept.append(item)
            continue
        key = (isinstance(item, bool), item)
        if key not in seen:
            seen.add(key)
            kept.append(item)
    return kept
