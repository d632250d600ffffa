"""Turns the schemas in a definition into rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from portal.web.api_view import Budget, Row, Shape, shown

#: Rows of one shape, levels in it, references in a chain: beyond that nobody reads on.
_MOST_ROWS, _DEEPEST, _LONGEST_CHAIN = 150, 6, 10
_NAME_SHOWN, _DEFAULT_SHOWN, _VALUES_SHOWN = 120, 80, 30
#: Members of a type that are told beside each other.
_MOST_BESIDE = 8
_MEMBERS = ("allOf", "oneOf", "anyOf")


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, an empty one for anything else: definitions say what they like."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """Return a list as it is, an empty one for anything else."""
    return value if isinstance(value, list) else []


class Schemas:
    """The schemas of one definition; what they name in it is looked up, what is elsewhere is only named."""

    def __init__(self, document: Mapping[str, Any], budget: Budget, *, places: tuple[str, ...]) -> None:
        """`places` are the beginnings of references to types that have entries of their own."""
        self._document = document
        self._budget = budget
        self._places = places

    def resolve(self, value: Any) -> Mapping[str, Any]:
        """Return what a reference leads to within the document, an empty mapping where that is nothing."""
        found = mapping(value)
        for _ in range(_LONGEST_CHAIN):
            target = found.get("$ref")
            if not isinstance(target, str):
                return found
            found = mapping(self._at(target))
        return {}

    def shape(self, use: str, schema: Any, *, name: str = "", description: str = "") -> Shape:
        """Return a schema as a shape: with the fields of the object that it is, or the objects that it lists."""
        named = self._named(schema)
        rows = tuple(self._rows(schema))
        return Shape(use, shown(name, _NAME_SHOWN), shown(description), self.type_of(schema), named, rows)

    def row(self, name: str, schema: Any, *, place: str = "", depth: int = 0, **said: Any) -> Row:
        """Return a field, or a parameter, with its schema."""
        found = self.resolve(schema)
        return Row(
            name=shown(name, _NAME_SHOWN),
            type=self.type_of(schema),
            depth=depth,
            place=shown(place, _NAME_SHOWN),
            names=self._named(schema),
            description=shown(
                said.get("description") or mapping(schema).get("description") or found.get("description")
            ),
            is_required=bool(said.get("is_required")),
            values=_values(found) or _values(self.resolve(found.get("items"))),
            default=_text(found["default"]) if "default" in found else "",
            limits=_limits(found),
        )

    def rows_within(self, schema: Any) -> list[Row]:
        """Return the fields of a schema, and those of what it holds, as far as no other entry tells of them."""
        return list(self._rows(schema))

    def type_of(self, schema: Any, depth: int = 0) -> str:
        """Return a type in few words: `string`, `Pet[]`, `Cat | Dog`, `integer <int64>`."""
        target = mapping(schema).get("$ref")
        if isinstance(target, str):
            return shown(unquote(target.rpartition("/")[2]), _NAME_SHOWN) or "…"
        found = mapping(schema)
        if depth > _DEEPEST or not found:
            return "any"
        for member in _MEMBERS:
            beside = items(found.get(member))
            if beside:
                told = [self.type_of(item, depth + 1) for item in beside[:_MOST_BESIDE]]
                told += ["…"] if len(beside) > _MOST_BESIDE else []
                return (" & " if member == "allOf" else " | ").join(dict.fromkeys(told))
        declared = found.get("type")
        names = [item for item in (declared if isinstance(declared, list) else [declared]) if isinstance(item, str)]
        if "items" in found and "array" in (names or ["array"]):
            inner = self.type_of(found["items"], depth + 1)
            names = [f"({inner})[]" if " " in inner else f"{inner}[]", *(name for name in names if name != "array")]
        elif not names:
            names = [_guessed_type(found)]
        text = shown(" | ".join(names[:_MOST_BESIDE]), _NAME_SHOWN)
        return f"{text} <{shown(found['format'], _NAME_SHOWN)}>" if isinstance(found.get("format"), str) else text

    def _rows(self, schema: Any) -> Iterator[Row]:
        left = _MOST_ROWS
        for row in self._fields(schema, depth=0, on_path=()):
            if not left or not self._budget.allows_row():
                return
            left -= 1
            yield row

    def _fields(self, schema: Any, *, depth: int, on_path: tuple[str, ...]) -> Iterator[Row]:
        target = mapping(schema).get("$ref")
        if isinstance(target, str):
            if target in on_path or len(on_path) > _LONGEST_CHAIN:
                return
            on_path = (*on_path, target)
        found = self.resolve(schema)
        for member in _MEMBERS:
            for item in items(found.get(member))[:_MOST_BESIDE]:
                yield from self._fields(item, depth=depth, on_path=(*on_path, member))
        if "items" in found and (depth == 0 or not self._named(found["items"])):
            yield from self._fields(found["items"], depth=depth, on_path=(*on_path, "items"))
        required = items(found.get("required"))
        for name, inner in mapping(found.get("properties")).items():
            yield self.row(str(name), inner, depth=depth, is_required=name in required)
            # What has a name of its own has an entry of its own.
            if depth < _DEEPEST and not self._named(inner):
                yield from self._fields(inner, depth=depth + 1, on_path=(*on_path, "properties"))

    def _named(self, schema: Any) -> str:
        """Return the id of the entry that tells of a schema, or of what it lists; empty where none does."""
        found = mapping(schema)
        for _ in range(_DEEPEST):
            target = found.get("$ref")
            if isinstance(target, str):
                is_told = target.startswith(self._places) and self._at(target) is not None
                return self._budget.anchor(target) if is_told else ""
            found = mapping(found.get("items"))
        return ""

    def _at(self, target: str) -> Any:
        """Return what stands at a JSON pointer of the document, None where nothing does. Rule: RFC 6901."""
        if not target.startswith("#/"):
            return None
        found: Any = self._document
        for part in target[2:].split("/"):
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(found, list):
                found = found[int(name)] if name.isdecimal() and len(name) < 6 and int(name) < len(found) else None  # noqa: PLR2004
            else:
                found = mapping(found).get(name)
        return found


def _guessed_type(schema: Mapping[str, Any]) -> str:
    """Return what a schema that names no type is of, by what else it says."""
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    values = items(schema.get("enum"))
    return "string" if values and all(isinstance(value, str) for value in values) else "any"


def _text(value: Any) -> str:
    text = (
        value if isinstance(value, str) else orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    )
    return shown(text, _DEFAULT_SHOWN)


def _values(schema: Mapping[str, Any]) -> tuple[str, ...]:
    found = items(schema.get("enum"))
    if "const" in schema:
        found = [schema["const"]]
    return tuple(_text(item) for item in found[:_VALUES_SHOWN]) + (("…",) if len(found) > _VALUES_SHOWN else ())


def _limits(schema: Mapping[str, Any]) -> str:
    """Return what a value must keep to, in signs: they read alike in every language."""
    told = []
    for sign, name in (
        ("≥", "minimum"),
        ("≤", "maximum"),
        (">", "exclusiveMinimum"),
        ("<", "exclusiveMaximum"),
        ("length ≥", "minLength"),
        ("length ≤", "maxLength"),
        ("items ≥", "minItems"),
        ("items ≤", "maxItems"),
        ("/", "pattern"),
    ):
        value = schema.get(name)
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            told.append(f"/{_text(value)}/" if sign == "/" else f"{sign} {_text(value)}")
    return ", ".join(told)
