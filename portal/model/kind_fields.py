"""Tells the fields of a kind as documentation shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.model.fields import needed_fields
from portal.model.kind import Kind, RelationField


@dataclass(frozen=True, slots=True)
class KindField:
    """A field of a kind's spec; `relation` is there for one that names other entities."""

    name: str
    is_required: bool
    description: str
    relation: RelationField | None


def fields_of(kind: Kind) -> list[KindField]:
    """Return the fields of a kind's spec: those that must be there first, each in the order of its schema."""
    schema = kind.spec.json_schema()
    required = needed_fields(schema)
    relations = {field.name: field for field in kind.relation_fields[kind.spec_schema]}
    found = [
        KindField(name, name in required, _description(described), relations.get(name))
        for name, described in schema.get("properties", {}).items()
    ]
    return sorted(found, key=lambda field: not field.is_required)


def kind_json(kind: Kind) -> dict[str, Any]:
    """Return a kind as JSON has it: its names, versions and fields, with the JSON Schema of a whole entity."""
    return {
        "name": kind.name,
        "plural": kind.plural,
        "description": kind.description,
        "apiVersions": sorted(kind.api_versions),
        "defaultLayer": kind.layer,
        "declaredBy": kind.declared_by,
        "fields": [
            {
                "name": field.name,
                "required": field.is_required,
                "description": field.description,
                "relation": _relation_json(field.relation),
            }
            for field in fields_of(kind)
        ],
        "schema": kind.json_schema(),
    }


def _relation_json(field: RelationField | None) -> Mapping[str, str | None] | None:
    if field is None:
        return None
    return {"type": field.emits.forward, "inverse": field.emits.inverse, "defaultKind": field.default_kind}


def _description(described: Any) -> str:
    """Return what a schema says of itself, or the first that does of those that it joins."""
    if not isinstance(described, dict):
        return ""
    joined = described.get("allOf")
    parts = [described, *(joined if isinstance(joined, list) else ())]
    return next((str(part["description"]) for part in parts if isinstance(part, dict) and part.get("description")), "")
