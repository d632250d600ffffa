"""Merges values into YAML text whose comments stay."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from portal.errors import InputError
from portal.ingest.yaml import parse
from portal.scaffolder.merging import merge


def merge_into_yaml(
    text: str, change: Any, *, name: str, joins_lists: bool = False, indent: int = 2, width: int = 80
) -> str:
    """Return the text of one YAML document with `change` merged in as `portal.scaffolder.merging` does.

    The result is read again by the parser of the catalog and must mean what was intended. Raises `InputError`, naming
    the file, where it does not: anchors, keys that are no texts, tags.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = width
    yaml.indent(mapping=indent, sequence=indent + 2, offset=indent)
    intended = merge(_value(text), change, joins_lists=joins_lists)
    stream = io.StringIO()
    try:
        yaml.dump(_merged(yaml.load(text), change, joins_lists=joins_lists), stream)
    except YAMLError as error:
        raise InputError(f"{name}: cannot be merged into with its comments kept: {error}") from error
    result = stream.getvalue()
    if _value(result) != intended:
        raise InputError(f"{name}: cannot be merged into with its comments kept; leave out preserveYamlComments")
    return result


def _value(text: str) -> Any:
    documents = parse(text.encode())
    return documents[0].value if documents and documents[0].problem is None else None


def _merged(node: Any, change: Any, *, joins_lists: bool) -> Any:
    """Merge in place, so that what ruamel.yaml knows of comments stays with its node; return what stands there now."""
    if isinstance(node, CommentedMap) and isinstance(change, dict):
        for member, item in change.items():
            node[member] = _merged(node[member], item, joins_lists=joins_lists) if member in node else item
        return node
    if isinstance(node, CommentedSeq) and (joins_lists or isinstance(change, list)):
        if joins_lists:
            joined = merge(list(node), change, joins_lists=True)
            if joined[: len(node)] != node:  # it held something twice
                return joined
            node.extend(joined[len(node) :])
            return node
        for index, item in enumerate(change):
            if index < len(node):
                node[index] = _merged(node[index], item, joins_lists=joins_lists)
            else:
                node.append(item)
        return node
    return change
