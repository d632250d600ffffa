"""Placeholders: objects such as `{$text: ./file}` that stand for another file's content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from portal.model.envelope import FieldFault, Path
from portal.model.fields import Fault
from portal.model.sentence import Sentence

PLACEHOLDERS = frozenset({"$text", "$json", "$yaml", "$openapi", "$asyncapi", "$graphql"})
#: Gives the value of a placeholder by its key and target. Raises `ValueError` saying what was expected.
Resolve = Callable[[str, str], Any]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A placeholder at a path of a document; `target` is what its value names, or None when that is no text."""

    path: Path
    key: str
    target: str | None


def find_placeholders(document: Any) -> list[Placeholder]:
    """Return the placeholders below `metadata` and `spec` of a parsed document.

    Rule: catalog-backend 4.0.0 `PlaceholderProcessor`: an object whose only key is a known resolver's.
    """
    if not isinstance(document, dict):
        return []
    return [found for key in ("metadata", "spec") if key in document for found in _find(document[key], (key,))]


def replace_placeholders(
    document: Any, placeholders: list[Placeholder], *, resolve: Resolve
) -> tuple[Any, list[FieldFault]]:
    """Return the document with its placeholders replaced, and a fault for each one that cannot be."""
    faults: list[FieldFault] = []
    replaced = document
    for placeholder in placeholders:
        if placeholder.target is None:
            faults.append(_fault(placeholder, Sentence("the path or url of a file, as text")))
            continue
        try:
            value = resolve(placeholder.key, placeholder.target)
        except ValueError as error:
            faults.append(_fault(placeholder, str(error)))
            continue
        replaced = _replaced(replaced, placeholder.path, value)
    return replaced, faults


def _fault(placeholder: Placeholder, expected: str) -> FieldFault:
    return FieldFault((*placeholder.path, placeholder.key), Fault("placeholder-invalid", expected), placeholder.target)


def _find(value: Any, path: Path) -> Iterator[Placeholder]:
    if isinstance(value, dict):
        if len(value) == 1:
            (key,) = value
            if key in PLACEHOLDERS:
                target = value[key]
                yield Placeholder(path, key, target if isinstance(target, str) and target else None)
                return
        for key, item in value.items():
            yield from _find(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _find(item, (*path, index))


def _replaced(value: Any, path: Path, new: Any) -> Any:
    """Return a copy of `value` with the part at `path` replaced; what the path does not touch is shared."""
    if not path:
        return new
    head, rest = path[0], path[1:]
    if isinstance(value, dict):
        return value | {head: _replaced(value[head], rest, new)}
    copy = list(value)
    copy[int(head)] = _replaced(copy[int(head)], rest, new)
    return copy
