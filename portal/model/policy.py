"""Policies as their documents declare them: a rule's severity, a rule in CEL, exemptions, an access rule."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from portal.errors import InputError
from portal.model.access_rule import access_faults
from portal.model.entity import ref_of
from portal.model.envelope import FieldFault, Path, is_kind
from portal.model.expression import Expression
from portal.model.fields import Fault
from portal.model.layer import Exemption, named
from portal.model.ref import PEOPLE, EntityRef
from portal.model.sentence import Sentence

if TYPE_CHECKING:
    from portal.model.kind import Kinds

#: The prefix of the rules that Portal ships: a document cannot take one of their names.
BUILT_IN_PREFIX = "portal/"

_RULE = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_RULE_EXPECTED = Sentence(
    'the id of a new rule, such as "acme/dataset-has-classification": lower-case letters, digits, '
    '"-" and ".", and not below "%(prefix)s"',
    prefix=BUILT_IN_PREFIX,
)
_DAY_EXPECTED = Sentence("the last day that it holds, such as 2026-12-31")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a Policy says of a rule; `layers` are those it holds for, None means all.

    With an `expression` it declares the rule: a condition that each asset of its `kinds` (lower case; none: all that
    stand in layers) must keep. `severity` is None where it says nothing of that. One that `is_access` declares a
    rule on who may do what (`model/access_rule.py`), which no asset can break.
    """

    ref: EntityRef
    rule: str
    layers: tuple[EntityRef, ...] | None = None
    severity: str | None = None
    expression: str = ""
    kinds: frozenset[str] = frozenset()
    explanation: str = ""
    message: str = ""
    fix: str = ""
    exemptions: tuple[Exemption, ...] = ()
    is_access: bool = False


def policy_of(declared: Mapping[str, Any], ref: EntityRef) -> Policy:
    """Return the policy that a Policy entity declares; exemptions that are malformed are left out."""
    spec = declared["spec"]
    names = spec.get("layers")
    expression = _text(spec.get("expression"))
    kinds = spec.get("kinds")
    exemptions = spec.get("exemptions")
    return Policy(
        ref,
        spec["rule"],
        None if names is None else tuple(named("layer", name, ref) for name in names),
        spec.get("severity") or ("warn" if expression else None),
        expression,
        frozenset(kind.lower() for kind in kinds if isinstance(kind, str)) if isinstance(kinds, list) else frozenset(),
        _text(spec.get("explanation")),
        _text(spec.get("message")),
        _text(spec.get("fix")),
        tuple(
            found
            for item in (exemptions if isinstance(exemptions, list) else ())
            if isinstance(item, dict) and isinstance(found := _exemption(item, spec["rule"], ref), Exemption)
        ),
        "effect" in spec,
    )


def policy_faults(declared: Mapping[str, Any], _kinds: Kinds) -> Iterator[FieldFault]:
    """Yield what is wrong with a Policy whose fields have been checked one by one."""
    ref, spec = ref_of(declared), declared["spec"]
    if "expression" in spec and "effect" not in spec:
        yield from _expression_faults(spec)
    yield from access_faults(spec)
    if "effect" in spec:
        yield from _rule_faults(spec)
    for number, kind in enumerate(spec.get("kinds") or ()):
        if not is_kind(kind):
            yield _fault(("spec", "kinds", number), Sentence("the name of a kind, such as Dataset"), kind)
    for number, item in enumerate(spec.get("exemptions") or ()):
        fault = _exemption(item, spec["rule"], ref)
        if isinstance(fault, FieldFault):
            yield fault._replace(path=("spec", "exemptions", number, *fault.path))


def _expression_faults(spec: Mapping[str, Any]) -> Iterator[FieldFault]:
    yield from _rule_faults(spec)
    for name, expected in (
        ("explanation", "a sentence that says what the rule asks for"),
        ("fix", "a sentence that says how an asset comes to keep the rule"),
    ):
        if name not in spec:
            yield FieldFault(("spec", name), Fault("field-missing", expected))
    try:
        Expression(spec["expression"])
    except InputError as error:
        yield _fault(
            ("spec", "expression"), Sentence("a condition in CEL (%(error)s)", error=error.message), spec["expression"]
        )


def _rule_faults(spec: Mapping[str, Any]) -> Iterator[FieldFault]:
    rule = spec["rule"]
    if rule.startswith(BUILT_IN_PREFIX) or not _RULE.fullmatch(rule):
        yield _fault(("spec", "rule"), _RULE_EXPECTED, rule)


def _exemption(item: Mapping[str, Any], rule: str, policy: EntityRef) -> Exemption | FieldFault:
    """Return the exemption that an item tells, or the first thing that is wrong with it."""
    for name in ("entity", "reason", "approver", "expires"):
        if not _text(item.get(name)):
            return FieldFault((name,), Fault("field-missing", Sentence("a text")))
    try:
        entity = EntityRef.parse(item["entity"], default_namespace=policy.namespace)
    except InputError:
        return _fault(("entity",), Sentence("a reference with its kind, such as dataset:default/sales"), item["entity"])
    expected = Sentence("a reference to a group or user, such as group:default/security")
    try:
        approver = EntityRef.parse(item["approver"], default_kind="group", default_namespace=policy.namespace)
    except InputError:
        return _fault(("approver",), expected, item["approver"])
    if approver.kind not in PEOPLE:
        return _fault(("approver",), expected, item["approver"])
    day = _day(item["expires"])
    if day is None:
        return _fault(("expires",), _DAY_EXPECTED, item["expires"])
    return Exemption(entity, rule, item["reason"], approver, day, policy)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _fault(path: Path, expected: str, found: Any) -> FieldFault:
    return FieldFault(path, Fault("field-invalid", expected), found)
