"""The layers' rules that ship with Portal, beside those that installed distributions add."""

from __future__ import annotations

from portal.graph.policies import Rule
from portal.plugins import Registry
from portal.services.facts import BUILT_IN_RULES


def rule_registry() -> Registry[Rule]:
    """Return the registry of rules by id. Raises `PluginError` when two have one id.

    One that is registered under another name than its id cannot be told from others by that, and is listed.
    """
    registry = Registry[Rule](
        "portal.policies",
        defaults={rule.id: rule for rule in BUILT_IN_RULES},
        kind=Rule,  # type: ignore[type-abstract]  # a protocol is what a rule is asked to follow
    )
    registry.refuse(
        {
            name: f"expected an object whose id is its name in {registry.group}, found {rule.id!r} of {rule!r}"
            for name, rule in registry.items()
            if isinstance(rule, type) or rule.id != name
        }
    )
    return registry
