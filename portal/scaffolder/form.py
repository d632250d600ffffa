"""Reads what a template's form asks for: its fields, with the branches that only some values open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.model.envelope import Path

#: What a schema may be combined of; each is a schema or a list of them.
_COMBINATIONS = ("allOf", "anyOf", "oneOf", "then", "else")
#: The fields that Backstage ships. Rule: scaffolder 1.39, in the reference 1.6.
_STOCK_FIELDS = frozenset(
    {"EntityPicker", "OwnerPicker", "OwnedEntityPicker", "MyGroupsPicker", "MultiEntityPicker", "EntityNamePicker"}
    | {"EntityTagsPicker", "RepoUrlPicker", "RepoBranchPicker", "RepoOwnerPicker", "Secret"}
)
#: With these a page takes values whose names it does not tell.
_OPENING = ("$ref", "patternProperties", "$text", "$json", "$yaml")


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter that a page asks for; `path` leads to its schema from the template's own root.

    `is_plain` says that it stands on its page itself, not in a branch that other values open.
    """

    name: str
    schema: Mapping[str, Any]
    path: Path
    is_plain: bool
    is_required: bool

    @property
    def is_custom(self) -> bool:
        """Whether a field of somebody's own asks for it, of which nobody knows what else it reads or gives."""
        return _is_custom(self.schema)


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of a page that is asked for while the parameter `name` has one of `values`; None: any value at all."""

    path: Path
    name: str
    values: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class Form:
    """All that the pages ask for. `is_open` says that they may ask for more than can be told.

    `steering` are the parameters that open branches, `mentioned` the names that the options of custom fields hold: such
    a field may read or give them.
    """

    fields: Sequence[Field]
    branches: Sequence[Branch]
    steering: frozenset[str]
    mentioned: frozenset[str]
    is_open: bool

    @property
    def names(self) -> set[str]:
        """The names of all parameters."""
        return {field.name for field in self.fields}

    def choices(self, name: str) -> tuple[Any, ...] | None:
        """Return the only values that a parameter can have, None where it may have others."""
        declared = [field for field in self.fields if field.name == name]
        declared = [field for field in declared if field.is_plain] or declared
        found: list[Any] = []
        for field in declared:
            values = _values(field.schema)
            if values is None:
                return None
            found += values
        return tuple(found) if found else None


def form_of(template: Mapping[str, Any]) -> Form:
    """Return the form of a template; what is no schema is left out."""
    parameters = (template.get("spec") or {}).get("parameters")
    pages = parameters if isinstance(parameters, list) else [parameters]
    reading = _Reading()
    for number, page in enumerate(pages):
        path: Path = ("spec", "parameters", number) if isinstance(parameters, list) else ("spec", "parameters")
        reading.page(page, path, is_plain=True)
    mentioned = {
        text.partition(".")[0]
        for field in reading.fields
        for schema in fields_below(field.schema)
        if _is_custom(schema)
        for text in _texts(schema.get("ui:options"))
    }
    return Form(reading.fields, reading.branches, frozenset(reading.steering), frozenset(mentioned), reading.is_open)


class _Reading:
    """Goes through the schemas of the pages."""

    def __init__(self) -> None:
        self.fields: list[Field] = []
        self.branches: list[Branch] = []
        self.steering: set[str] = set()
        self.is_open = False

    def page(self, schema: Any, path: Path, *, is_plain: bool) -> None:
        """Take in a schema of the whole of the values."""
        if not isinstance(schema, Mapping):
            return
        self.is_open |= any(keyword in schema for keyword in _OPENING)
        self.is_open |= schema.get("additionalProperties") not in (None, False)
        required = schema.get("required")
        wanted = required if isinstance(required, list) else []
        for name, item in _mapping(schema.get("properties")).items():
            if isinstance(item, Mapping):
                self.is_open |= name in _OPENING
                is_required = name in wanted or item.get("required") is True
                self.fields.append(Field(name, item, (*path, "properties", name), is_plain, is_required))
        self._condition(schema, path)
        self._dependencies(schema, path)
        for keyword in _COMBINATIONS:
            member = schema.get(keyword)
            if isinstance(member, list):
                for number, item in enumerate(member):
                    self.page(item, (*path, keyword, number), is_plain=is_plain and keyword == "allOf")
            else:
                self.page(member, (*path, keyword), is_plain=False)

    def _condition(self, schema: Mapping[str, Any], path: Path) -> None:
        """Take in `if`: it asks for nothing, and opens `then`."""
        condition = schema.get("if")
        for name, item in _mapping(_mapping(condition).get("properties")).items():
            self.steering.add(name)
            values = _values(item) if isinstance(item, Mapping) else None
            if values is not None and "then" in schema:
                self.branches.append(Branch((*path, "then"), name, tuple(values)))

    def _dependencies(self, schema: Mapping[str, Any], path: Path) -> None:
        for name, dependent in _mapping(schema.get("dependencies")).items():
            here = (*path, "dependencies", name)
            self.steering.add(name)
            self.branches.append(Branch(here, name, None))
            if not isinstance(dependent, Mapping):
                continue
            self.page(dependent, here, is_plain=False)
            for keyword in ("oneOf", "anyOf"):
                members = dependent.get(keyword)
                for number, member in enumerate(members if isinstance(members, list) else []):
                    told = _mapping(_mapping(_mapping(member).get("properties")).get(name))
                    values = _values(told)
                    if values is not None:
                        self.branches.append(Branch((*here, keyword, number), name, tuple(values)))


def fields_below(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a field's own schema with those of its members and items."""
    yield schema
    for member in _mapping(schema.get("properties")).values():
        if isinstance(member, Mapping):
            yield from fields_below(member)
    items = schema.get("items")
    if isinstance(items, Mapping):
        yield from fields_below(items)


def _values(schema: Mapping[str, Any]) -> list[Any] | None:
    """Return the only values that a schema takes, None where others are taken too."""
    if "const" in schema:
        return [schema["const"]]
    if isinstance(schema.get("enum"), list):
        return list(schema["enum"])
    if schema.get("type") == "boolean":
        return [True, False]
    options = schema.get("oneOf") or schema.get("anyOf")
    if isinstance(options, list) and options and all(isinstance(item, Mapping) and "const" in item for item in options):
        return [item["const"] for item in options]
    return None


def _is_custom(schema: Mapping[str, Any]) -> bool:
    return "ui:field" in schema and schema["ui:field"] not in _STOCK_FIELDS


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
