"""Makes one JSON Schema of all kinds, for editors that complete catalog files as they are written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from portal.model.kind import Kind

_PLACEHOLDERS = ("$text", "$json", "$yaml", "$openapi", "$asyncapi", "$graphql")
_PLACEHOLDER = {
    "type": "object",
    "description": "Taken from another file",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "properties": {name: {"type": "string", "minLength": 1} for name in _PLACEHOLDERS},
}


def editor_schema(kinds: Iterable[Kind]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a document of any of these kinds.

    The kind and its apiVersion choose what the rest must be, so that an editor completes the fields of just that kind.
    Where a text is expected, a placeholder may stand.
    """
    known = sorted(kinds, key=lambda kind: kind.name)
    versions = sorted({version for kind in known for version in kind.api_versions})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Portal catalog entity",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "properties": {
            "apiVersion": {"type": "string", "enum": versions},
            "kind": {"type": "string", "enum": [kind.name for kind in known], "description": "What it is"},
        },
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]},
                "then": {
                    "description": kind.description,
                    **{name: part for name, part in _with_placeholders(kind).items() if name in _KEPT},
                },
            }
            for kind in known
        ],
        "$defs": {"placeholder": _PLACEHOLDER},
    }


_KEPT = frozenset({"required", "additionalProperties", "properties"})


def _with_placeholders(kind: Kind) -> dict[str, Any]:
    schema = kind.json_schema()
    properties = dict(schema["properties"])
    properties["spec"] = _or_placeholder(properties["spec"])
    return {**schema, "properties": properties}


def _or_placeholder(schema: Any) -> Any:
    """Return a schema that takes a placeholder wherever it takes a text."""
    if isinstance(schema, list):
        return [_or_placeholder(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "string":
        told = {"description": schema["description"]} if "description" in schema else {}
        return {**told, "anyOf": [schema, {"$ref": "#/$defs/placeholder"}]}
    return {
        name: part if name in {"const", "enum", "required", "default", "examples"} else _or_placeholder(part)
        for name, part in schema.items()
    }
