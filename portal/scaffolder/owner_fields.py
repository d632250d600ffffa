"""Finds the fields of a template's form that ask for an owner, wherever they stand in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from portal.model.filter import AllOf, AnyOf, EntityFilter, Match
from portal.model.ref import PEOPLE

#: Fields that ask for an owner by themselves, and those that do where the parameter is the owner's.
OWNER_PICKERS = ("OwnerPicker", "MyGroupsPicker")
ENTITY_PICKERS = ("EntityPicker", "MultiEntityPicker", "OwnedEntityPicker")
#: Keywords whose members are schemas that a form shows, by name.
_BY_NAME = ("properties", "patternProperties", "definitions", "$defs", "dependencies")
#: Keywords whose value is such a schema, or a list of them; `if` and `not` are asked and never shown.
_SHOWN = (
    *("items", "additionalItems", "additionalProperties", "contains"),
    *("then", "else", "allOf", "anyOf", "oneOf"),
)

Field = Mapping[str, Any]


def asks_for_owner(field: Field) -> bool:
    """Return whether a field asks for an owner, whatever its parameter is called."""
    return field.get("ui:field") in OWNER_PICKERS


def owner_fields(page: Any, names: Collection[str]) -> Iterator[Field]:
    """Yield the fields of a page that ask for an owner; `names` are the parameters that hold one."""
    found: list[Field] = []

    def note(field: Field) -> Field:
        found.append(field)
        return field

    with_owner_fields(page, names, note)
    yield from found


def with_owner_fields(page: Any, names: Collection[str], change: Callable[[Field], Field]) -> Any:
    """Return a page with `change` made to each field that asks for an owner, also in parts that come conditionally."""

    def of(schema: Any, name: str) -> Any:
        if isinstance(schema, list):
            return [of(item, name) for item in schema]
        if not isinstance(schema, Mapping):
            return schema
        if asks_for_owner(schema) or (schema.get("ui:field") in ENTITY_PICKERS and name in names):
            return change(schema)
        changed = dict(schema)
        for keyword in _BY_NAME:
            members = schema.get(keyword)
            if isinstance(members, Mapping):
                # A dependency leads to the parameters of a condition: none of them is named after what it depends on.
                is_named = keyword != "dependencies"
                changed[keyword] = {member: of(item, member if is_named else "") for member, item in members.items()}
        for keyword in _SHOWN:
            if keyword in schema:
                changed[keyword] = of(schema[keyword], name)
        return changed

    return of(page, "")


def filter_of(field: Field) -> EntityFilter:
    """Return which entities a picker shows, by its own options; rule: scaffolder 1.33 `buildCatalogFilter`."""
    options = field.get("ui:options")
    options = options if isinstance(options, Mapping) else {}
    asked = options.get("catalogFilter")
    if not asked:
        kinds = options.get("allowedKinds") or sorted(PEOPLE)
        asked = {"kind": kinds if field.get("ui:field") != "MyGroupsPicker" else "Group"}
    parts = [_all_of(item) for item in (asked if isinstance(asked, list) else [asked]) if isinstance(item, Mapping)]
    return AnyOf(tuple(parts)) if parts else AllOf()


def _all_of(asked: Mapping[str, Any]) -> EntityFilter:
    return AllOf(tuple(_condition(str(key), value) for key, value in asked.items()))


def _condition(key: str, value: Any) -> EntityFilter:
    if isinstance(value, Mapping):  # {exists: true}
        return Match.of(key)
    values = value if isinstance(value, list) else [value]
    return Match.of(key, [item for item in values if isinstance(item, str | int | float | bool)])
