"""The layers' rules that ship with Portal beside those that distributions add, whose policies on permissions too."""

from __future__ import annotations

from importlib.metadata import EntryPoint

from portal.errors import PluginError
from portal.graph.policies import Rule
from portal.plugins import Registry, installed
from portal.services.facts import BUILT_IN_RULES
from portal.services.permission_policy import PermissionPolicy

_GROUP = "portal.policies"
#: What the names of policies on permissions begin with, in the group that rules are in too.
ACCESS_PREFIX = "access/"


def rule_registry() -> Registry[Rule]:
    """Return the registry of rules by id. Raises `PluginError` when two have one id.

    One that is registered under another name than its id cannot be told from others by that, and is listed.
    """
    registry = Registry[Rule](
        _GROUP,
        defaults={rule.id: rule for rule in BUILT_IN_RULES},
        kind=Rule,  # type: ignore[type-abstract]  # a protocol is what a rule is asked to follow
        points=_points(is_access=False),
    )
    registry.refuse(
        {
            name: f"expected an object whose id is its name in {registry.group}, found {rule.id!r} of {rule!r}"
            for name, rule in registry.items()
            if isinstance(rule, type) or rule.id != name
        }
    )
    return registry


def access_policies() -> dict[str, PermissionPolicy]:
    """Return the policies on permissions that installed distributions add, by name.

    Raises `PluginError` for two of one name, and for one that cannot be used: without it more would be allowed than the
    company means.
    """
    registry = Registry[PermissionPolicy](
        _GROUP,
        defaults={},
        kind=PermissionPolicy,  # type: ignore[type-abstract]  # a protocol is what a policy is asked to follow
        points=_points(is_access=True),
    )
    found = dict(registry.items())
    faults = [f'"{item.name}" of {item.distribution}: {item.reason}' for item in registry.unavailable]
    faults += [f'"{name}": found a class; expected an object of it' for name in found if isinstance(found[name], type)]
    if faults:
        raise PluginError(f"Policies in {_GROUP} that cannot be used: {'; '.join(faults)}")
    return found


def _points(*, is_access: bool) -> list[EntryPoint]:
    return [point for point in installed().select(group=_GROUP) if point.name.startswith(ACCESS_PREFIX) is is_access]
