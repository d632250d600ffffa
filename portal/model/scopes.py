"""What the bearer of an API token may do at most: names of permissions, with names for several of them at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from portal.errors import InputError

_CATALOG_READ = frozenset({"catalog.entity.read", "catalog.location.read", "catalog.ingestion.read"})
#: The bundles, each with the permissions that it stands for. None holds `portal.token.create`: a token makes no other.
BUNDLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "catalog:read": _CATALOG_READ,
        # Who may not read an entity is not told that it is there, and so could not name what to write.
        "catalog:write": frozenset(
            {
                *_CATALOG_READ,
                "catalog.entity.create",
                "catalog.entity.delete",
                "catalog.entity.refresh",
                "catalog.entity.validate",
                "catalog.location.create",
                "catalog.location.delete",
                "catalog.location.analyze",
                "catalog.ingestion.manage",
            }
        ),
        "templates:read": frozenset(
            {"scaffolder.template.parameter.read", "scaffolder.template.step.read", "scaffolder.task.read"}
        ),
        "templates:run": frozenset(
            {
                "portal.asset.upgrade",
                "scaffolder.action.execute",
                "scaffolder.task.cancel",
                "scaffolder.task.create",
                "scaffolder.template.dry-run",
                "scaffolder.template.management",
            }
        ),
        "owners:write": frozenset({"portal.reorg.plan", "portal.reorg.write", "portal.exemption.grant"}),
        "audit:read": frozenset({"portal.audit.read"}),
        "tokens:manage": frozenset({"portal.token.read", "portal.token.revoke"}),
    }
)
#: Everything that a token can be made for.
SCOPED_PERMISSIONS: frozenset[str] = frozenset().union(*BUNDLES.values())


def parse_scopes(texts: Collection[str]) -> tuple[str, ...]:
    """Return scopes as they are kept: sorted, each once. Raises `InputError` for none, or for one that is not known."""
    scopes = tuple(sorted(set(texts)))
    if not scopes:
        raise InputError(f"A token needs a scope; known are {', '.join(BUNDLES)} and names of permissions")
    unknown = [scope for scope in scopes if scope not in BUNDLES and scope not in SCOPED_PERMISSIONS]
    if unknown:
        raise InputError(
            f"Not known as scope of a token: {', '.join(repr(scope[:80]) for scope in unknown)}; "
            f"known are {', '.join(BUNDLES)} and {', '.join(sorted(SCOPED_PERMISSIONS))}"
        )
    return scopes


def permissions_of(scopes: Collection[str]) -> frozenset[str]:
    """Return the permissions that scopes stand for; a scope that is not known any more stands for none."""
    found = [BUNDLES.get(scope, frozenset({scope}) & SCOPED_PERMISSIONS) for scope in scopes]
    return frozenset().union(*found)
