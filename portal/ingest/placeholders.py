"""Placeholders: objects such as `{$text: ./file}` that stand for another file's content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from portal.ingest import yaml
from portal.model.envelope import FieldFault, Path
from portal.model.fields import Fault
from portal.model.location import is_absolute_target

#: Placeholders that stand for a file's text; references inside an API's definition are kept as they are written.
TEXT_PLACEHOLDERS = frozenset({"$text", "$openapi", "$asyncapi", "$graphql"})
PLACEHOLDERS = TEXT_PLACEHOLDERS | {"$json", "$yaml"}


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
    document: Any, placeholders: list[Placeholder], *, contents: Mapping[str, bytes | str]
) -> tuple[Any, list[FieldFault]]:
    """Return the document with its placeholders replaced, and a fault for each one that cannot be.

    `contents` maps each placeholder's target to the bytes of its file, or to a text that says why it cannot be read.
    A text behind an absolute url is not taken in: the url stands in its place, with a lenient fault, so that who owns
    the entity stays known.
    """
    faults: list[FieldFault] = []
    replaced = document
    for placeholder in placeholders:
        if placeholder.target is None:
            faults.append(_fault(placeholder, "the path or url of a file, as text"))
            continue
        if placeholder.key in TEXT_PLACEHOLDERS and is_absolute_target(placeholder.target):
            fault = Fault("placeholder-pending", "a file of the same repository")
            faults.append(FieldFault((*placeholder.path, placeholder.key), fault, placeholder.target, lenient=True))
            replaced = _replaced(replaced, placeholder.path, placeholder.target)
            continue
        content = contents.get(placeholder.target, "the file does not exist")
        if isinstance(content, str):
            faults.append(_fault(placeholder, f"a file that can be read ({content})"))
            continue
        try:
            value = _resolve(placeholder.key, content)
        except ValueError as error:
            faults.append(_fault(placeholder, f"a file with {placeholder.key.removeprefix('$')} content ({error})"))
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


def _resolve(key: str, content: bytes) -> Any:
    if key == "$json":
        return orjson.loads(content)
    if key == "$yaml":
        documents = [document for document in yaml.parse(content) if document.value is not None or document.problem]
        if len(documents) != 1:
            raise ValueError(f"expected one document, found {len(documents)}")
        problem = documents[0].problem
        if problem is not None:
            raise ValueError(str(problem))
        return documents[0].value
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error


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
