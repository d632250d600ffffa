"""Wires what finds out who asks, with what says whether they may."""

from __future__ import annotations

from dataclasses import dataclass, field

from portal.config import Settings
from portal.services.api_tokens import ApiTokens
from portal.services.catalog import CatalogService
from portal.services.identity import IdentityService
from portal.services.people import PeopleService
from portal.services.permission import AllowAll, PermissionService
from portal.services.sessions import SessionsService
from portal.services.sign_in import SignInService
from portal.services.tokens import Tokens
from portal.services.vault import Vault
from portal.store.database import Database


@dataclass(frozen=True, slots=True)
class AccessServices:
    """Who asks, and whether they may."""

    identity: IdentityService
    permission: PermissionService
    api_tokens: ApiTokens
    sign_in: SignInService
    #: Signs the cookies of browsers.
    cookie_key: bytes = field(repr=False)

    def close(self) -> None:
        """Write what is known of the uses of tokens."""
        self.api_tokens.close()


def wire_access(settings: Settings, database: Database, *, catalog: CatalogService) -> AccessServices:
    """Return these services as the settings describe them."""
    vault = Vault(settings.data / "instance.key")
    api_tokens = ApiTokens(database, longest_days=settings.token_days)
    identity = IdentityService(
        database,
        Tokens(database, vault, issuer=f"{settings.base_url.rstrip('/')}/api/auth"),
        guest=settings.guest,
        allows_guests=settings.guests,
        external=settings.external_access,
        api_tokens=api_tokens,
    )
    sign_in = SignInService(
        settings.sign_in_providers,
        people=PeopleService(catalog),
        sessions=SessionsService(database, vault, seconds=settings.session_seconds),
        base_url=settings.base_url,
    )
    return AccessServices(
        identity,
        PermissionService(catalog, identity, AllowAll()),
        api_tokens,
        sign_in,
        vault.derived("cookies of browsers"),
    )
