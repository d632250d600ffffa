"""The kinds that ship with Portal, beside those that installed distributions add."""

from __future__ import annotations

from portal.model.backstage_kinds import BACKSTAGE_KINDS
from portal.model.kind import Kind, Kinds
from portal.model.portal_kinds import PORTAL_KINDS
from portal.plugins import Registry


def kind_registry() -> Registry[Kind]:
    """Return the registry of kinds. Raises `PluginError` when two are called alike."""
    defaults = {kind.name: kind for kind in (*BACKSTAGE_KINDS, *PORTAL_KINDS)}
    return Registry("portal.kinds", defaults=defaults, kind=Kind)


def all_kinds() -> Kinds:
    """Return all kinds that are known from the start."""
    return Kinds(kind_registry().values())
