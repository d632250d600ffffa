"""Which kinds of entities which locations may bring into the catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Says whether an entity, as declared, may come in.
Allows = Callable[[Mapping[str, Any]], bool]
#: Kinds that say who somebody is, what layers ask for, and who may do what.
DECIDING_KINDS = frozenset({"group", "user", "role", "layer", "policy", "kinddefinition"})


@dataclass(frozen=True, slots=True)
class AllowedKind:
    """A kind that a rule allows, whatever its case; all of its entities, or those of one `spec.type` (not empty)."""

    kind: str
    type: str = ""

    def matches(self, declared: Mapping[str, Any]) -> bool:
        """Return whether a declared entity is of this kind."""
        if declared["kind"].lower() != self.kind.lower():
            return False
        found = (declared.get("spec") or {}).get("type")
        return not self.type or (isinstance(found, str) and found.lower() == self.type.lower())


@dataclass(frozen=True, slots=True)
class RuleLocation:
    """Root locations that a rule is for: of a type, with just this target, or with one like the pattern; or all."""

    type: str
    exact: str = ""
    pattern: str = ""

    def matches(self, location_type: str, target: str) -> bool:
        """Return whether a root location is among these."""
        if location_type != self.type or (self.exact and target != self.exact):
            return False
        return not self.pattern or _is_like(target, self.pattern)


@dataclass(frozen=True, slots=True)
class Rule:
    """Kinds that are allowed, everywhere or (where there are any) from these root locations."""

    allow: tuple[AllowedKind, ...]
    locations: tuple[RuleLocation, ...] = ()


class CatalogRules:
    """The rules of a catalog; without any, all kinds are allowed.

    Where it `is_guarded`, and has no rules, a location that people have registered brings no `DECIDING_KINDS`: whoever
    may register one could make themselves an admin's group, or a policy. Those of the operator bring all.

    Rule: `DefaultCatalogRulesEnforcer` of catalog-backend 4.0.0, but for the default, which there is Component, API
    and Location. What counts is the root location, not the file that an entity is in.
    """

    def __init__(self, rules: Sequence[Rule] = (), *, is_guarded: bool = False) -> None:
        self._rules = tuple(rules)
        self._is_guarded = is_guarded and not rules

    def of(self, location_type: str, target: str, *, registered: bool) -> Allows | None:
        """Return what says which entities a root location may bring; None where it may bring all.

        `registered`: by people, rather than by the operator.
        """
        if self._is_guarded and registered:
            return lambda declared: declared["kind"].lower() not in DECIDING_KINDS
        if not self._rules:
            return None
        kinds = [
            kind
            for rule in self._rules
            if not rule.locations or any(place.matches(location_type, target) for place in rule.locations)
            for kind in rule.allow
        ]
        return lambda declared: any(kind.matches(declared) for kind in kinds)

    def fingerprint(self) -> str:
        """Return a text that changes with the rules."""
        return repr(self._rules) if self._rules else "guarded" * self._is_guarded


def _is_like(target: str, pattern: str) -> bool:
    from wcmatch import glob  # noqa: PLC0415  # a server reads nothing before its first answer

    flags = glob.GLOBSTAR | glob.BRACE | glob.EXTGLOB | glob.DOTGLOB | glob.IGNORECASE | glob.FORCEUNIX
    return bool(glob.globmatch(target, pattern, flags=flags))
