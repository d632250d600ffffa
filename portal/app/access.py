"""Wires what finds out who asks, with what says whether they may."""

from __future__ import annotations

from dataclasses import dataclass

from portal.config import Settings
from portal.services.catalog import CatalogService
from portal.services.identity import IdentityService
from portal.services.permission import AllowAll, PermissionService
from portal.services.tokens import Tokens
from portal.services.vault import Vault
from portal.services.visibility import VisibilityService
from portal.store.database import Database


@dataclass(frozen=True, slots=True)
class AccessServices:
    """Who asks, and whether they may."""

    identity: IdentityService
    permission: PermissionService
    visibility: VisibilityService


def wire_access(settings: Settings, database: Database, *, catalog: CatalogService) -> AccessServices:
    """Return these services as the settings describe them."""
    vault = Vault(settings.data / "instance.key")
    identity = IdentityService(
        database.whole,
        Tokens(database, vault, issuer=f"{settings.base_url.rstrip('/')}/api/auth"),
        guest=settings.guest,
        allows_guests=settings.guests,
        external=settings.external_access,
    )
    permission = PermissionService(catalog, identity, AllowAll())
    return AccessServices(identity, permission, VisibilityService(permission, revision=database.lookup.revision))
