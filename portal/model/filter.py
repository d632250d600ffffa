"""Which entities are meant: one tree for every filter syntax."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.errors import InputError
from portal.model.leaves import NOTHING, Leaf, scalar_text

#: Values of each key of an entity, both lower case.
Values = Mapping[str, set[str]]

_MOST_CONDITIONS = 400
_MOST_VALUES = 10_000
_DEEPEST = 20
_SHOWN = 80
_TOO_DEEP = f"Invalid query: nested deeper than {_DEEPEST} levels"
_PREDICATE = "$all, $any, $not or an object of field conditions"
_CONDITION = 'a text, number, boolean, or one of "$exists", "$in", "$hasPrefix", "$contains"'


class EntityFilter(ABC):
    """A question that an entity answers with yes or no, from its leaves alone."""

    def matches(self, leaves: Iterable[Leaf]) -> bool:
        """Return whether an entity with these leaves is meant."""
        values: dict[str, set[str]] = {}
        for leaf in leaves:
            values.setdefault(leaf.key, set()).add(leaf.value)
        return self.holds(values)

    @abstractmethod
    def holds(self, values: Values) -> bool:
        """Return whether an entity with these values is meant."""

    @abstractmethod
    def to_predicate(self) -> dict[str, Any]:
        """Return the same question as JSON that `parse_predicate` reads."""


@dataclass(frozen=True, slots=True)
class AllOf(EntityFilter):
    """All parts hold; without parts, every entity is meant."""

    parts: tuple[EntityFilter, ...] = ()

    def holds(self, values: Values) -> bool:
        """See `EntityFilter.holds`."""
        return all(part.holds(values) for part in self.parts)

    def to_predicate(self) -> dict[str, Any]:
        """See `EntityFilter.to_predicate`."""
        return {"$all": [part.to_predicate() for part in self.parts]}


@dataclass(frozen=True, slots=True)
class AnyOf(EntityFilter):
    """At least one part holds; without parts, no entity is meant."""

    parts: tuple[EntityFilter, ...] = ()

    def holds(self, values: Values) -> bool:
        """See `EntityFilter.holds`."""
        return any(part.holds(values) for part in self.parts)

    def to_predicate(self) -> dict[str, Any]:
        """See `EntityFilter.to_predicate`."""
        return {"$any": [part.to_predicate() for part in self.parts]}


@dataclass(frozen=True, slots=True)
class Not(EntityFilter):
    """The part does not hold."""

    part: EntityFilter

    def holds(self, values: Values) -> bool:
        """See `EntityFilter.holds`."""
        return not self.part.holds(values)

    def to_predicate(self) -> dict[str, Any]:
        """See `EntityFilter.to_predicate`."""
        return {"$not": self.part.to_predicate()}


@dataclass(frozen=True, slots=True)
class Match(EntityFilter):
    """The leaf `key` has one of the `values`, or is there at all when they are None; all lower case."""

    key: str
    values: tuple[str, ...] | None = None

    @classmethod
    def of(cls, key: str, values: Iterable[Any] | None = None) -> Match:
        """Return the condition on a key and scalars in any case, compared as JavaScript writes them."""
        if values is None:
            return cls(key.lower())
        return cls(key.lower(), tuple(dict.fromkeys(scalar_text(value).lower() for value in values)))

    def holds(self, values: Values) -> bool:
        """See `EntityFilter.holds`."""
        found = values.get(self.key, set())
        return bool(found) if self.values is None else not found.isdisjoint(self.values)

    def to_predicate(self) -> dict[str, Any]:
        """See `EntityFilter.to_predicate`."""
        return {self.key: {"$exists": True} if self.values is None else {"$in": list(self.values)}}


@dataclass(frozen=True, slots=True)
class HasPrefix(EntityFilter):
    """A value of the leaf `key` begins with `prefix`; both lower case."""

    key: str
    prefix: str

    def holds(self, values: Values) -> bool:
        """See `EntityFilter.holds`."""
        return any(value.startswith(self.prefix) for value in values.get(self.key, ()) if value != NOTHING)

    def to_predicate(self) -> dict[str, Any]:
        """See `EntityFilter.to_predicate`."""
        return {self.key: {"$hasPrefix": self.prefix}}


def parse_filter_params(texts: Sequence[str]) -> EntityFilter | None:
    """Return what `filter` parameters ask for, or None when they ask for nothing.

    Each text is `key=value` or `key`, joined by commas; all must hold, a key given twice takes any of its values. Any
    one of the texts suffices. Spaces around keys and values do not count. Raises `InputError` for a condition without
    a key. Rule: catalog-backend 4.0.0 `parseEntityFilterParams`.
    """
    found = [part for part in map(_parse_filter_text, texts) if part is not None]
    return _limited(found[0] if len(found) == 1 else AnyOf(tuple(found))) if found else None


def parse_predicate(value: object) -> EntityFilter:
    """Return what a JSON predicate asks for.

    Known are `{path: condition}` (all must hold), `{"$all": […]}`, `{"$any": […]}` and `{"$not": …}`, each alone in
    its object. A condition is a text, number or boolean, `{"$exists": bool}`, `{"$in": […]}`, `{"$hasPrefix": text}` or
    `{"$contains": value}`; for `relations`, `{"$contains": {"type": text, "targetRef": text or {"$in": […]}}}`. Raises
    `InputError` for anything else. Rule: `@backstage/filter-predicates` 0.1.5, catalog-backend 4.0.0.
    """
    return _limited(_parse_predicate(value, depth=0))


def _parse_filter_text(text: str) -> EntityFilter | None:
    wanted: dict[str, list[str] | None] = {}
    for statement in filter(None, map(str.strip, text.split(","))):
        key, equals, value = (part.strip() for part in statement.partition("="))
        if not key or key.startswith("$"):
            raise InputError(
                f"Invalid filter, '{statement}' is not a valid statement (expected a string on the form a=b or a= or a)"
            )
        values = wanted.setdefault(key.lower(), None)
        if equals:
            wanted[key.lower()] = [*(values or []), value]
    parts = tuple(Match.of(key, values) for key, values in wanted.items())
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else AllOf(parts)


def _parse_predicate(value: object, *, depth: int) -> EntityFilter:
    if depth > _DEEPEST:
        raise InputError(_TOO_DEEP)
    if not isinstance(value, Mapping):
        raise InputError(f"Invalid query: found {_shown(value)}; expected {_PREDICATE}")
    operator = next((str(key) for key in value if str(key).startswith("$")), None)
    if operator is None:
        parts = tuple(_parse_condition(str(key), condition) for key, condition in value.items())
        return parts[0] if len(parts) == 1 else AllOf(parts)
    if len(value) > 1:
        raise InputError(f'Invalid query: "{operator}" must be alone in its object; wrap the conditions in "$all"')
    operand = value[operator]
    if operator == "$not":
        return Not(_parse_predicate(operand, depth=depth + 1))
    if operator not in {"$all", "$any"}:
        raise InputError(f"Invalid query: unknown operator {_shown(operator)}; expected {_PREDICATE}")
    if not isinstance(operand, list):
        raise InputError(f'Invalid query: "{operator}" found {_shown(operand)}; expected a list')
    parts = tuple(_parse_predicate(item, depth=depth + 1) for item in operand)
    return AllOf(parts) if operator == "$all" else AnyOf(parts)


def _parse_condition(key: str, condition: object) -> EntityFilter:
    if _is_scalar(condition):
        return Match.of(key, [condition])
    if isinstance(condition, Mapping) and len(condition) == 1:
        ((operator, operand),) = condition.items()
        match operator, operand:
            case "$exists", bool():
                return Match.of(key) if operand else Not(Match.of(key))
            case "$in", list() if all(map(_is_scalar, operand)):
                return Match.of(key, operand)
            case "$hasPrefix", str():
                return HasPrefix(key.lower(), operand.lower())
            case "$contains", _ if _is_scalar(operand):
                return Match.of(key, [operand])
            case "$contains", Mapping() if key.lower() == "relations":
                return _parse_relation(operand)
    raise InputError(f'Invalid query: "{key}" found {_shown(condition)}; expected {_CONDITION}')


def _parse_relation(wanted: Mapping[Any, Any]) -> EntityFilter:
    members = {str(key).lower(): value for key, value in wanted.items()}
    relation_type, target = members.get("type"), members.get("targetref")
    if isinstance(target, Mapping) and target.keys() == {"$in"}:
        target = target["$in"]
    elif isinstance(target, str):
        target = [target]
    is_list = isinstance(target, list) and bool(target) and all(isinstance(item, str) for item in target)
    if (
        len(members) != len(wanted)
        or not members.keys() <= {"type", "targetref"}
        or not isinstance(relation_type, str)
        or not (is_list or "targetref" not in members)
    ):
        raise InputError(
            f'Invalid query: "relations" found {_shown(wanted)} to contain; expected {{"type": text}}, and if wanted '
            '"targetRef" with a text or {"$in": [texts]}'
        )
    return Match.of(f"relations.{relation_type}", target)


def _is_scalar(value: object) -> bool:
    return isinstance(value, (str, bool, int, float))


def _limited(found: EntityFilter) -> EntityFilter:
    """Return the filter unless it is larger than databases take in one statement."""
    conditions = values = 0
    pending = [(found, 0)]
    while pending:
        part, depth = pending.pop()
        conditions += 1
        match part:
            case AllOf() | AnyOf():
                pending += [(inner, depth + 1) for inner in part.parts]
            case Not():
                pending.append((part.part, depth + 1))
            case Match():
                values += len(part.values or ())
        if depth > _DEEPEST:
            raise InputError(_TOO_DEEP)
    if conditions > _MOST_CONDITIONS or values > _MOST_VALUES:
        raise InputError(
            f"The filter has {conditions} conditions on {values} values; expected at most {_MOST_CONDITIONS} "
            f"conditions on {_MOST_VALUES} values. Ask in several requests"
        )
    return found


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
