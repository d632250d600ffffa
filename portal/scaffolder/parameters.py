"""Checks the values that a person gives to a template against the template's form.

The dialect is that of the npm package `jsonschema`, which the Backstage scaffolder uses: draft 7, with leftovers of
draft 3; see `_without_leftovers`. Rule: scaffolder-backend 4.2 `createRouter`, case by case in the reference 1.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema_rs

from portal.errors import InputError
from portal.model.sentence import Sentence
from portal.scaffolder.owner_fields import asks_for_owner

_TYPES = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})
#: Keywords whose members are schemas, by name.
_SCHEMAS_BY_NAME = frozenset({"properties", "patternProperties", "definitions", "$defs", "dependencies"})
#: Keywords whose value is a schema, or a list of them.
_SCHEMAS = frozenset(
    {"items", "additionalItems", "additionalProperties", "propertyNames", "contains"}
    | {"not", "if", "then", "else", "allOf", "anyOf", "oneOf"}
)
#: What the library raises for what is no schema.
_NO_SCHEMA = (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError)
#: Keywords of later drafts that the dialect does not know.
_UNKNOWN = frozenset({"dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"})


def pages(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the pages of a template's form; one schema alone is one page."""
    parameters = template.get("spec", {}).get("parameters")
    if not parameters:
        return []
    return [page for page in (parameters if isinstance(parameters, list) else [parameters]) if isinstance(page, dict)]


def parameter_schema(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to a question for a template's form, with its schemas untouched."""
    metadata, spec = template.get("metadata", {}), template.get("spec", {})
    answer: dict[str, Any] = {
        "title": metadata.get("title") or metadata.get("name"),
        "presentation": spec.get("presentation"),
        "description": metadata.get("description"),
        "ui:options": metadata.get("ui:options"),
        "formDecorators": spec.get("formDecorators") or spec.get("EXPERIMENTAL_formDecorators"),
    }
    answer = {name: value for name, value in answer.items() if value is not None}
    answer["steps"] = [
        {"title": page.get("title") or "Please enter the following information"}
        | ({"description": page["description"]} if page.get("description") else {})
        | {"schema": page}
        for page in pages(template)
    ]
    return answer


def values_errors(form: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the faults of `values`, of the first page that has any, in the form that Backstage's clients read.

    Every page is asked about all values; nothing is converted, no default is filled in. Raises `InputError` for a
    page that is no JSON Schema.
    """
    for number, page in enumerate(form, start=1):
        errors = _page_errors(page, dict(values), number=number)
        if errors:
            return errors
    return []


def fits(schema: Any, values: Mapping[str, Any]) -> bool:
    """Return whether values are as a schema has it; what is no schema fits everything."""
    if not isinstance(schema, Mapping):
        return True
    try:
        return bool(_validator(_without_leftovers(schema)).is_valid(dict(values)))
    except _NO_SCHEMA:
        return True


def owner_parameters(form: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the parameters that ask for an owner.

    These are all with a field that asks for owners, wherever they stand in a page, else the one called `owner`.
    """
    named: dict[str, Mapping[str, Any]] = {}
    for page in form:
        _collect_properties(page, named)
    picked = [name for name, schema in named.items() if asks_for_owner(schema)]
    return picked or [name for name in named if name == "owner"]


def parameter_names(form: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the names of all parameters that a form may ask for."""
    named: dict[str, Mapping[str, Any]] = {}
    _collect_properties(list(form), named)
    return set(named)


def new_defaults(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the defaults of the parameters that a form has and an earlier one had not, as whoever fills it in gets."""
    known = parameter_names(before)
    return {
        name: schema["default"]
        for page in after
        for name, schema in (page.get("properties") or {}).items()
        if name not in known and isinstance(schema, Mapping) and "default" in schema
    }


def _collect_properties(schema: Any, named: dict[str, Mapping[str, Any]]) -> None:
    if isinstance(schema, list):
        for item in schema:
            _collect_properties(item, named)
    if not isinstance(schema, Mapping):
        return
    for name, value in (schema.get("properties") or {}).items():
        if isinstance(value, Mapping):
            named.setdefault(name, value)
    for keyword in ("allOf", "anyOf", "oneOf", "then", "else"):
        _collect_properties(schema.get(keyword), named)
    dependencies = schema.get("dependencies")
    if isinstance(dependencies, Mapping):
        _collect_properties(list(dependencies.values()), named)


def _page_errors(page: Mapping[str, Any], values: dict[str, Any], *, number: int) -> list[dict[str, Any]]:
    schema: dict[str, Any] = _without_leftovers(page)
    try:
        validator = _validator(schema)
    except _NO_SCHEMA as fault:
        raise InputError(
            Sentence(
                "Page %(number)s of the template's form is no JSON Schema: %(reason)s; ask the template's owner to "
                "mend it",
                number=number,
                reason=_first_line(fault),
            )
        ) from fault
    errors: list[dict[str, Any]] = []
    for found in validator.iter_errors(values):
        for error in _reported(found, schema):
            if error not in errors:
                errors.append(error)
    return errors


def _validator(schema: dict[str, Any]) -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(schema, validate_formats=True, ignore_unknown_formats=True, retriever=_refuse)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _refuse(url: str) -> Any:
    raise ValueError(f"schemas of other places are not read: {url}")


def _without_leftovers(schema: Any) -> Any:
    """Return a schema in plain draft 7.

    Draft 3's `required: true` on a property moves to its object, `type: any` and unknown types accept everything,
    keywords of later drafts are dropped.
    """
    if not isinstance(schema, Mapping):
        return schema
    plain = {keyword: _plain_member(keyword, value) for keyword, value in schema.items() if _is_known(keyword, value)}
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        inside = [
            name for name, item in properties.items() if isinstance(item, Mapping) and item.get("required") is True
        ]
        if inside:
            plain["required"] = list(dict.fromkeys([*plain.get("required", []), *inside]))
    return plain


def _is_known(keyword: str, value: Any) -> bool:
    if keyword == "type":
        types = value if isinstance(value, list) else [value]
        return bool(types) and all(isinstance(name, str) and name in _TYPES for name in types)
    if keyword == "required":
        return isinstance(value, list)
    return keyword not in _UNKNOWN and keyword != "$schema"


def _plain_member(keyword: str, value: Any) -> Any:
    if keyword in _SCHEMAS_BY_NAME and isinstance(value, Mapping):
        return {name: _without_leftovers(item) for name, item in value.items()}
    if keyword in _SCHEMAS:
        return [_without_leftovers(item) for item in value] if isinstance(value, list) else _without_leftovers(value)
    return list(dict.fromkeys(value)) if keyword == "required" else value


def _reported(found: Any, schema: Any) -> list[dict[str, Any]]:
    """Return a fault as Backstage tells it, after the combinations that it stands in, each a fault of its own."""
    errors: list[dict[str, Any]] = []
    path = [part for part in found.instance_path if part is not None]
    prefix: list[Any] = []
    here = schema
    steps = list(found.schema_path)
    for index, step in enumerate(steps[:-1]):
        if step in {"allOf", "dependencies"} and isinstance(here, Mapping):
            errors.append(
                _error(prefix, here, name=str(step), argument=_argument(step, steps[index + 1]), message=_COMBINED)
            )
        if steps[index - 1 : index] == ["dependencies"]:
            prefix.append(step)
        here = _member(here, step)
    name = str(steps[-1]) if steps else "schema"
    argument = _limit(found, here, name=name)
    message = _message(found, name=name, argument=argument)
    errors.append(
        _error([*prefix, *path], here, name=name, argument=argument, message=message, instance=found.instance)
    )
    return errors


_COMBINED = Sentence("is not valid under one of the schemas that it has to satisfy")


def _argument(step: Any, which: Any) -> Any:
    return f"[subschema {which}]" if step == "allOf" else which


def _member(schema: Any, step: Any) -> Any:
    if isinstance(schema, Mapping):
        return schema.get(step)
    if isinstance(schema, list) and isinstance(step, int) and step < len(schema):
        return schema[step]
    return None


def _limit(found: Any, schema: Any, *, name: str) -> Any:
    if name == "required":
        return found.kind.value
    if name == "additionalProperties":
        return found.kind.value[0] if found.kind.value else None
    return schema.get(name) if isinstance(schema, Mapping) else None


def _message(found: Any, *, name: str, argument: Any) -> str:
    told = str(argument)
    texts: dict[str, str] = {
        "required": Sentence('requires property "%(argument)s"', argument=told),
        "additionalProperties": Sentence(
            'is not allowed to have the additional property "%(argument)s"', argument=told
        ),
        "minLength": Sentence("does not meet minimum length of %(argument)s", argument=told),
        "maxLength": Sentence("does not meet maximum length of %(argument)s", argument=told),
        "minItems": Sentence("does not meet minimum length of %(argument)s", argument=told),
        "maxItems": Sentence("does not meet maximum length of %(argument)s", argument=told),
        "minimum": Sentence("must be greater than or equal to %(argument)s", argument=told),
        "maximum": Sentence("must be less than or equal to %(argument)s", argument=told),
        "exclusiveMinimum": Sentence("must be strictly greater than %(argument)s", argument=told),
        "exclusiveMaximum": Sentence("must be strictly less than %(argument)s", argument=told),
        "format": Sentence('does not conform to the "%(argument)s" format', argument=told),
        "uniqueItems": Sentence("contains duplicate item"),
        "const": Sentence("does not exactly match expected constant: %(argument)s", argument=told),
        "type": Sentence("is not of a type(s) %(types)s", types=_joined(argument, ", ")),
        "enum": Sentence("is not one of enum values: %(values)s", values=_joined(argument, ",")),
        "pattern": Sentence('does not match pattern "%(argument)s"', argument=told),
    }
    return texts.get(name, str(found.message))


def _joined(argument: Any, separator: str) -> str:
    return separator.join(map(str, argument)) if isinstance(argument, list) else str(argument)


def _error(
    path: Sequence[Any], schema: Any, *, name: str, argument: Any, message: str, instance: Any = None
) -> dict[str, Any]:
    place = "instance"
    for part in path:
        place += f"[{part}]" if isinstance(part, int) else f".{part}"
    return {
        "path": list(path),
        "property": place,
        "message": message,
        "schema": schema,
        "instance": instance,
        "name": name,
        "argument": argument,
        "stack": Sentence("%(place)s %(message)s", place=place, message=message),
    }
