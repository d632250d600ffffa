"""YAML as actions read it, or write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.actions.schema import ActionSchema, Value
from portal.errors import InputError
from portal.ingest.yaml import parse
from portal.ingest.yaml_text import to_yaml

_WIDTH, _UNLIMITED = 80, 1_000_000
_SMALLEST_INDENT, _LARGEST_INDENT = 2, 9


class YamlOptions(ActionSchema):
    """The options of Roadie's actions that write YAML, as far as they change how it looks."""

    indent = Value(int, default=2, description="Spaces of a level, 2 to 9.")
    line_width = Value(int, key="lineWidth", default=_WIDTH, description="Where long texts are folded; 0, -1: nowhere.")


def read_yaml(content: bytes, *, name: str) -> list[Any]:
    """Return the values of the documents of a YAML file. Raises `InputError` that tells every fault."""
    documents = parse(content, location=name)
    faults = [str(document.problem) for document in documents if document.problem is not None]
    if faults:
        raise InputError("; ".join(faults), faults)
    return [document.value for document in documents]


def write_yaml(value: Any, options: Mapping[str, Any]) -> str:
    """Return a value as YAML. Raises `InputError` for an indent that YAML writers do not have."""
    if not _SMALLEST_INDENT <= options["indent"] <= _LARGEST_INDENT:
        raise InputError(f"options.indent: found {options['indent']}; expected {_SMALLEST_INDENT} to {_LARGEST_INDENT}")
    return to_yaml(value, indent=options["indent"], width=width_of(options), indents_lists=True)


def width_of(options: Mapping[str, Any]) -> int:
    """Return the width of lines that the options ask for."""
    width: int = options["line_width"]
    return width if width > 0 else _UNLIMITED
