"""Access rules as Policy documents declare them: who may do what, or may not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from portal.errors import InputError
from portal.model.envelope import FieldFault, Path
from portal.model.expression import ACTOR_VARIABLES, Expression
from portal.model.fields import Fault
from portal.model.layer import named
from portal.model.permission import (
    CATALOG_ENTITY,
    Condition,
    Criteria,
    EveryOf,
    Permission,
    SomeOf,
    parse_criteria,
)
from portal.model.permission_names import PERMISSIONS
from portal.model.permission_rules import entity_filter
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence

#: The fields of a Policy that only an access rule has.
ACCESS_FIELDS = ("effect", "permissions", "who", "conditions")


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Leave (`allow`), or none (`deny`), for some people to use some permissions on some entities.

    `permissions` are names in which `*` stands for anything. `who` is a condition in CEL on the actor; None: everybody.
    `kinds` (lower case; none: all), `layers` (None: all) and `conditions` say which entities.
    """

    policy: EntityRef
    effect: str
    permissions: tuple[str, ...]
    who: Expression | None
    kinds: tuple[str, ...]
    layers: tuple[EntityRef, ...] | None
    conditions: Criteria | None
    explanation: str
    fix: str

    def speaks_of(self, permission: Permission) -> bool:
        """Return whether the rule is about a permission."""
        return any(fnmatchcase(permission.name, pattern) for pattern in self.permissions)

    def holds_for(self, actor: Mapping[str, Any]) -> bool:
        """Return whether the rule is about an actor, who has a value for each key of `ACTOR_VARIABLES`.

        What cannot be told is decided against the actor.
        """
        if self.who is None:
            return True
        try:
            return self.who.holds({"actor": actor})
        except InputError:
            return self.effect == "deny"

    def criteria(self, of_layers: Mapping[EntityRef, Criteria]) -> Criteria | None:
        """Return which entities the rule is about, None for all; `of_layers` has the criteria of each of its layers."""
        parts: list[Criteria] = []
        if self.kinds:
            parts.append(Condition("IS_ENTITY_KIND", CATALOG_ENTITY, {"kinds": list(self.kinds)}))
        if self.layers is not None:
            parts.append(some_of([of_layers[layer] for layer in self.layers]))
        if self.conditions is not None:
            parts.append(self.conditions)
        return None if not parts else parts[0] if len(parts) == 1 else EveryOf(tuple(parts))


#: Criteria that no entity meets.
NOTHING: Criteria = Condition("IS_ENTITY_KIND", CATALOG_ENTITY, {"kinds": []})


def some_of(parts: Sequence[Criteria]) -> Criteria:
    """Return the criteria that hold where any of the parts does."""
    return NOTHING if not parts else parts[0] if len(parts) == 1 else SomeOf(tuple(parts))


def access_rule_of(declared: Mapping[str, Any], ref: EntityRef) -> AccessRule | None:
    """Return the access rule that a Policy entity declares, None where it declares none.

    Raises `InputError` for one that ingest would refuse.
    """
    spec = declared["spec"]
    if "effect" not in spec:
        return None
    layers = spec.get("layers")
    return AccessRule(
        ref,
        spec["effect"],
        tuple(spec["permissions"]),
        Expression(spec["who"], variables=ACTOR_VARIABLES) if "who" in spec else None,
        tuple(kind.lower() for kind in spec.get("kinds") or ()),
        None if layers is None else tuple(named("layer", name, ref) for name in layers),
        _conditions(spec["conditions"]) if "conditions" in spec else None,
        str(spec.get("explanation") or ""),
        str(spec.get("fix") or ""),
    )


def access_faults(spec: Mapping[str, Any]) -> Iterator[FieldFault]:
    """Yield what is wrong with the fields of an access rule that have been checked one by one."""
    if "effect" in spec:
        yield from _missing(spec)
        yield from _misplaced(spec)
        yield from _malformed(spec)
    elif any(name in spec for name in ACCESS_FIELDS):
        yield FieldFault(("spec", "effect"), Fault("field-missing", Sentence('"allow" or "deny"')))


def _missing(spec: Mapping[str, Any]) -> Iterator[FieldFault]:
    for name, expected in (
        ("permissions", "a list of names of permissions, such as catalog.entity.delete"),
        ("explanation", "a sentence that says why"),
        ("fix", "a sentence that says who could do it, or what to do instead"),
    ):
        if not spec.get(name):
            yield FieldFault(("spec", name), Fault("field-missing", expected))


def _misplaced(spec: Mapping[str, Any]) -> Iterator[FieldFault]:
    if "expression" in spec:
        yield _fault(
            ("spec", "expression"),
            Sentence(
                "no expression beside an effect: who is meant is a condition in spec.who, what is meant stands in "
                "spec.kinds, spec.layers and spec.conditions"
            ),
            spec["expression"],
        )
    spoken_of = _spoken_of(spec.get("permissions") or ())
    beside = sorted(item.name for item in spoken_of if item.resource_type != CATALOG_ENTITY)
    for name in ("kinds", "layers", "conditions"):
        if beside and name in spec:
            expected = Sentence("permissions on entities alone beside it, unlike %(beside)s", beside=beside)
            yield _fault(("spec", name), expected, spec[name])


def _malformed(spec: Mapping[str, Any]) -> Iterator[FieldFault]:
    for number, pattern in enumerate(spec.get("permissions") or ()):
        if not _spoken_of([pattern]):
            expected = Sentence(
                "the name of a permission (* for anything): %(permissions)s", permissions=sorted(PERMISSIONS)
            )
            yield _fault(("spec", "permissions", number), expected, pattern)
    if "who" in spec:
        try:
            Expression(spec["who"], variables=ACTOR_VARIABLES)
        except InputError as error:
            yield _fault(
                ("spec", "who"), Sentence("a condition in CEL on actor (%(error)s)", error=error.message), spec["who"]
            )
    if "conditions" in spec:
        try:
            entity_filter(_conditions(spec["conditions"]))
        except InputError as error:
            yield _fault(
                ("spec", "conditions"),
                Sentence("conditions on entities (%(error)s)", error=error.message),
                spec["conditions"],
            )


def _spoken_of(patterns: Collection[str]) -> list[Permission]:
    return [
        permission
        for permission in PERMISSIONS.values()
        if any(fnmatchcase(permission.name, pattern) for pattern in patterns)
    ]


def _conditions(value: Any) -> Criteria:
    """Return the criteria in writing; they need not repeat that they are about entities."""
    return parse_criteria(_about_entities(value, depth=0), path="spec.conditions")


def _about_entities(value: Any, *, depth: int) -> Any:
    # Deeper than criteria may be nested: the rest is refused there.
    if depth > 2 * 25 or not isinstance(value, (dict, list)):
        return value
    if isinstance(value, list):
        return [_about_entities(item, depth=depth + 1) for item in value]
    if "rule" in value:
        return {"resourceType": CATALOG_ENTITY, **value}
    return {key: _about_entities(item, depth=depth + 1) for key, item in value.items()}


def _fault(path: Path, expected: str, found: Any) -> FieldFault:
    return FieldFault(path, Fault("field-invalid", expected), found)
