"""Specs that a JSON Schema describes: which schemas are accepted, what a spec has against one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from portal.model.envelope import FieldFault, Path, value_at
from portal.model.fields import Fault, alternatives
from portal.model.sentence import Sentence, either

if TYPE_CHECKING:
    import jsonschema_rs

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: A schema comes from whoever may write a catalog file, and runs over every entity of its kind: what it costs to
#: apply once is bounded. `MOST_PARTS` counts each `$ref` as all that it leads to.
MOST_BYTES = 64 * 1024
MOST_DEPTH = 40
MOST_PARTS = 2_000
#: A document is told so many of its faults.
MOST_FAULTS = 100
_PATTERN_BYTES = 1_000_000

_REFERENCE = re.compile(r"#/\$defs/([A-Za-z0-9._-]+)", re.ASCII)
#: They name a place to jump to from afar; `$ref` to `$defs` says all that a spec needs.
_REFUSED = frozenset(
    {"$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary"}
)
_ONE = (
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("dependentSchemas", "patternProperties", "properties")

_WORDS = {
    "string": Sentence("a text"),
    "number": Sentence("a number"),
    "integer": Sentence("a whole number"),
    "boolean": Sentence("true or false"),
    "object": Sentence("a mapping"),
    "array": Sentence("a list"),
    "null": "null",
}
_LIMITS: Mapping[str, Callable[[object], Sentence]] = {
    "minimum": lambda limit: Sentence("%(limit)s or more", limit=str(limit)),
    "maximum": lambda limit: Sentence("%(limit)s or less", limit=str(limit)),
    "exclusiveMinimum": lambda limit: Sentence("more than %(limit)s", limit=str(limit)),
    "exclusiveMaximum": lambda limit: Sentence("less than %(limit)s", limit=str(limit)),
    "minLength": lambda limit: Sentence("a text of %(limit)s or more characters", limit=str(limit)),
    "maxLength": lambda limit: Sentence("a text of at most %(limit)s characters", limit=str(limit)),
    "minItems": lambda limit: Sentence("a list of %(limit)s or more items", limit=str(limit)),
    "maxItems": lambda limit: Sentence("a list of at most %(limit)s items", limit=str(limit)),
    "minProperties": lambda limit: Sentence("a mapping of %(limit)s or more members", limit=str(limit)),
    "maxProperties": lambda limit: Sentence("a mapping of at most %(limit)s members", limit=str(limit)),
}


def schema_faults(schema: Mapping[str, Any]) -> Iterator[FieldFault]:
    """Yield what keeps a mapping from being the schema of a spec; paths begin at its root.

    A schema is in draft 2020-12, describes a mapping, and stands alone: `$ref` leads to its own `$defs`, never back to
    where it is. Nothing is fetched. Patterns run in linear time, so that they can neither look around nor back.
    """
    try:
        size = len(orjson.dumps(schema))
    except TypeError:
        yield FieldFault((), Fault("field-invalid", Sentence("JSON, with whole numbers of at most 64 bits")))
        return
    if size > MOST_BYTES:
        yield FieldFault(
            (),
            Fault("field-invalid", Sentence("a schema of at most %(limit)s bytes", limit=f"{MOST_BYTES:,}")),
            Sentence("%(size)s bytes", size=f"{size:,}"),
        )
        return
    survey = _Survey(schema)
    survey.look()
    yield from survey.faults
    if survey.faults:
        return
    if schema.get("$schema", DIALECT) != DIALECT:
        yield FieldFault(
            ("$schema",),
            Fault("field-invalid", Sentence("%(dialect)s, or nothing", dialect=DIALECT)),
            schema["$schema"],
        )
    elif schema.get("type", "object") != "object":
        yield FieldFault(("type",), Fault("field-invalid", Sentence("object: a spec is a mapping")), schema["type"])
    else:
        yield from _compile_faults(schema)


def _compile_faults(schema: Mapping[str, Any]) -> Iterator[FieldFault]:
    import jsonschema_rs  # noqa: PLC0415  # most commands meet no declared kind

    try:
        _ = SpecChecker(schema).validator
    except jsonschema_rs.ValidationError as error:
        path = tuple(error.instance_path)
        expected = (
            Sentence("a regular expression without lookaround")
            if path[-1:] == ("pattern",)
            else Sentence("valid JSON Schema")
        )
        yield FieldFault(path, Fault("field-invalid", expected), error.instance)
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        expected = Sentence("valid JSON Schema (%(error)s)", error=str(error).partition(chr(10))[0])
        yield FieldFault((), Fault("field-invalid", expected), schema)


class SpecChecker:
    """Checks specs against a schema that has no fault."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    @cached_property
    def validator(self) -> jsonschema_rs.Draft202012Validator:
        """The schema, ready to check with."""
        import jsonschema_rs  # noqa: PLC0415  # most commands meet no declared kind

        return jsonschema_rs.Draft202012Validator(
            dict(self.schema),
            validate_formats=True,
            ignore_unknown_formats=True,
            mask="the value",
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES),
            retriever=_refuse,
        )

    def is_valid(self, spec: Mapping[str, Any]) -> bool:
        """Return whether a spec has no fault."""
        try:
            return self.validator.is_valid(spec)
        except ValueError:
            return False

    def faults(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return the faults of a spec as marshmallow has them: by field, those of a field itself at `_schema`."""
        found: dict[Any, Any] = {}
        try:
            for error in islice(self.validator.iter_errors(spec), MOST_FAULTS):
                for path, fault in self._told(error):
                    place: dict[str | int, Any] = found
                    for part in path:
                        place = place.setdefault(part, {})
                    told = place.setdefault("_schema", [])
                    if fault not in told:
                        told.append(fault)
        except ValueError as error:
            found.setdefault("_schema", []).append(
                Fault("field-invalid", Sentence("plain JSON (%(error)s)", error=str(error)))
            )
        return found

    def _told(self, error: jsonschema_rs.ValidationError) -> Iterator[tuple[Path, Fault]]:
        path = tuple(error.instance_path)
        kind = error.kind.name
        said = error.kind.as_dict()
        beside = value_at(self.schema, error.schema_path[:-1])
        properties = beside.get("properties", {}) if isinstance(beside, dict) else {}
        if kind == "required":
            name = said["property"]
            yield (*path, name), Fault("field-missing", _described(properties.get(name)))
        elif kind == "anyOf" and not path and (names := alternatives(value_at(self.schema, error.schema_path))):
            yield (names[0],), Fault("field-missing", _described(value_at(self.schema, ("properties", names[0]))))
        elif kind in {"additionalProperties", "unevaluatedProperties"}:
            known = sorted(properties)
            for name in said["unexpected"]:
                yield (
                    (*path, name),
                    Fault(
                        "field-unknown", Sentence("only %(known)s", known=known) if known else Sentence("nothing here")
                    ),
                )
        else:
            yield path, Fault("field-invalid", _expected(kind, said, error.message))


def _expected(kind: str, said: Mapping[str, Any], message: str) -> str:
    if kind in _LIMITS:
        return _LIMITS[kind](said["limit"])
    told: Callable[[], str] | None = {
        "type": lambda: either([_WORDS.get(name, name) for name in said["types"]]),
        "enum": lambda: _one_of(said["options"]),
        "const": lambda: _plain(said["expected_value"]),
        "pattern": lambda: Sentence("a text that matches %(pattern)s", pattern=str(said["pattern"])),
        "format": lambda: Sentence("a text of the format %(format)s", format=str(said["format"])),
        "falseSchema": lambda: Sentence("nothing here"),
    }.get(kind)
    return told() if told else Sentence("what the kind's schema accepts (%(message)s)", message=message)


def _described(schema: Any) -> str:
    """Return in words what a property takes."""
    if not isinstance(schema, dict):
        return Sentence("a value")
    if "enum" in schema:
        return _one_of(schema["enum"])
    types = schema.get("type") or [found.get("type") for found in schema.get("allOf", ()) if isinstance(found, dict)]
    named = [_WORDS[name] for name in ([types] if isinstance(types, str) else types) if name in _WORDS]
    return either(dict.fromkeys(named)) if named else Sentence("a value")


def _one_of(values: Iterable[Any]) -> Sentence:
    return Sentence("one of %(names)s", names=[_plain(value) for value in values])


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _refuse(url: str) -> Any:
    raise ValueError(f"schemas of other places are not read: {url}")


class _Survey:
    """Walks a schema before anything compiles it: how much it is, where its references lead."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.faults: list[FieldFault] = []
        self._schema = schema
        definitions = schema.get("$defs")
        self._definitions: Mapping[str, Any] = definitions if isinstance(definitions, dict) else {}
        self._known: dict[str, int] = {}
        self._open: set[str] = set()

    def look(self) -> None:
        """Look at the whole schema."""
        parts = self._parts(self._schema, (), 0)
        for name in self._definitions:
            self._definition(name, 0)
        if parts > MOST_PARTS and not self.faults:
            self._fault(
                (),
                Sentence(
                    "a schema of at most %(limit)s parts, each $ref counted as what it leads to",
                    limit=f"{MOST_PARTS:,}",
                ),
            )

    def _fault(self, path: Path, expected: str, found: Any = None) -> None:
        self.faults.append(FieldFault(path, Fault("field-invalid", expected), found))

    def _parts(self, schema: Any, path: Path, depth: int) -> int:
        if not isinstance(schema, dict):
            return 1
        if depth > MOST_DEPTH:
            self._fault(path, Sentence("schemas in each other at most %(limit)s deep", limit=MOST_DEPTH))
            return 1
        for keyword in sorted(_REFUSED & schema.keys()):
            self._fault((*path, keyword), Sentence("a schema without it; $ref leads to $defs"), schema[keyword])
        if path and "$defs" in schema and path[:1] != ("$defs",):
            self._fault((*path, "$defs"), Sentence("$defs at the root of the schema only"))
        count = 1
        if "$ref" in schema:
            count += self._reference(schema["$ref"], (*path, "$ref"), depth)
        return count + sum(self._parts(item, (*path, *place), depth + 1) for place, item in _inside(schema))

    def _reference(self, text: Any, path: Path, depth: int) -> int:
        match = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
        if match is None or match[1] not in self._definitions:
            self._fault(path, Sentence('one of the schema\'s own "$defs", such as "#/$defs/name"'), text)
            return 1
        if match[1] in self._open:
            self._fault(path, Sentence("a definition that does not lead back here"), text)
            return 1
        return self._definition(match[1], depth + 1)

    def _definition(self, name: str, depth: int) -> int:
        if name not in self._known:
            self._open.add(name)
            self._known[name] = self._parts(self._definitions[name], ("$defs", name), depth)
            self._open.discard(name)
        return self._known[name]


def _inside(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Yield the schemas that a schema applies, each with its path; what is only defined in it is left out."""
    for keyword in _ONE:
        if keyword in schema:
            yield (keyword,), schema[keyword]
    for keyword in _SEVERAL:
        if isinstance(schema.get(keyword), list):
            yield from (((keyword, number), item) for number, item in enumerate(schema[keyword]))
    for keyword in _NAMED:
        if isinstance(schema.get(keyword), dict):
            yield from (((keyword, name), item) for name, item in schema[keyword].items())
