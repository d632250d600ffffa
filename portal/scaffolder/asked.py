"""Says which parameters a page asks for while some values are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portal.scaffolder.parameters import fits


@dataclass(slots=True)
class Asked:
    """The parameters in the order of the page, by name, with those that must be given."""

    properties: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)


def asked(page: Mapping[str, Any], values: Mapping[str, Any]) -> Asked:
    """Return what a page asks for, branches included that the values open."""
    found = Asked()
    _take(page, values, found)
    return found


def only_asked(form: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that the form asks for, without those of branches that the others have closed."""
    kept = dict(values)
    known = -1
    while known != len(kept):
        known = len(kept)
        names = {name for page in form for name in asked(page, kept).properties}
        kept = {name: value for name, value in kept.items() if name in names}
    return kept


def with_defaults(form: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with the defaults of all parameters that are asked for and not given."""
    given = dict(values)
    known = -1
    # A default may open a branch, whose parameters have defaults of their own.
    while known != len(given):
        known = len(given)
        for page in form:
            for name, schema in asked(page, given).properties.items():
                value = _default(schema)
                if name not in given and value is not None:
                    given[name] = value
    # One that was given its default first may have closed the branch of another.
    return only_asked(form, given) | dict(values)


def _take(schema: Any, values: Mapping[str, Any], found: Asked) -> None:
    if not isinstance(schema, Mapping):
        return
    for name, item in _mapping(schema.get("properties")).items():
        if isinstance(item, Mapping):
            # A branch may say more of a parameter than the page, or tell its one value by which it is opened.
            found.properties[name] = {**item, **found.properties.get(name, {})}
            if item.get("required") is True:
                found.required.add(name)
    found.required |= set(map(str, _listed(schema.get("required"))))
    for branch in _opened(schema, values):
        _take(branch, values, found)
    for name, dependent in _mapping(schema.get("dependencies")).items():
        if name in values:
            found.required |= set(map(str, _listed(dependent)))
            _take(dependent, values, found)


def _opened(schema: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the parts of a schema that the values open."""
    if "if" in schema:
        yield schema.get("then" if fits(schema["if"], values) else "else")
    yield from _listed(schema.get("allOf"))
    for keyword in ("oneOf", "anyOf"):
        yield next((item for item in _listed(schema.get(keyword)) if _is_open(item, values)), None)


def _is_open(option: Any, values: Mapping[str, Any]) -> bool:
    """Return whether the values are as an option has them, as far as they are given: it may ask for more."""
    return isinstance(option, Mapping) and fits({"properties": option.get("properties") or {}}, values)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _default(schema: Mapping[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    properties = schema.get("properties")
    if schema.get("type") == "object" and isinstance(properties, Mapping):
        found = {
            name: value
            for name, item in properties.items()
            if isinstance(item, Mapping) and (value := _default(item)) is not None
        }
        return found or None
    return None
