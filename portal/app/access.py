"""Wires what finds out who asks, with what says whether they may."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING

from portal.app.on_demand import on_demand
from portal.config import Settings
from portal.defaults.policies import access_policies
from portal.services.access_facts import AccessFacts
from portal.services.api_tokens import ApiTokens
from portal.services.catalog import CatalogService
from portal.services.declared_access import DeclaredAccess
from portal.services.default_policy import DefaultPolicy
from portal.services.explanation import ExplanationService
from portal.services.identity import IdentityService
from portal.services.kinds import KindsService
from portal.services.people import PeopleService
from portal.services.permission import PermissionService
from portal.services.permission_policy import PolicyChain
from portal.services.sessions import SessionsService
from portal.services.sign_in import SignInService
from portal.services.task_query import creators_of
from portal.services.vault import Vault
from portal.services.visibility import VisibilityService
from portal.store.database import Database

if TYPE_CHECKING:
    from portal.services.tokens import Tokens


@dataclass(frozen=True, slots=True)
class AccessServices:
    """Who asks, and whether they may."""

    identity: IdentityService
    permission: PermissionService
    explanation: ExplanationService
    visibility: VisibilityService
    api_tokens: ApiTokens
    sign_in: SignInService
    #: Signs the cookies of browsers.
    cookie_key: bytes = field(repr=False)

    def close(self) -> None:
        """Write what is known of the uses of tokens."""
        self.api_tokens.close()


def wire_access(
    settings: Settings, database: Database, *, catalog: CatalogService, kinds: KindsService
) -> AccessServices:
    """Return these services as the settings describe them."""
    vault = Vault(settings.data / "instance.key")
    api_tokens = ApiTokens(database.whole, longest_days=settings.token_days)

    @cache
    def tokens() -> Tokens:
        from portal.services.tokens import Tokens  # noqa: PLC0415  # a server answers before anybody has a token

        return Tokens(database, vault, issuer=f"{settings.base_url.rstrip('/')}/api/auth")

    identity = IdentityService(
        database.whole,
        on_demand(tokens),
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
    facts = AccessFacts(database.whole, kinds)
    default = DefaultPolicy(
        facts,
        admins=settings.admins,
        guest=settings.guest,
        guest_rights="everything" if settings.guests_may_everything else "read",
    )
    companies = [policy for _, policy in sorted(access_policies().items())]
    permission = PermissionService(
        catalog,
        identity,
        DeclaredAccess(facts, PolicyChain([*companies, default])),
        tasks=partial(creators_of, database),
    )
    explanation = ExplanationService(permission, catalog, admins=settings.admins)
    visibility = VisibilityService(permission, revision=database.lookup.revision)
    cookie_key = vault.derived("cookies of browsers")
    return AccessServices(identity, permission, explanation, visibility, api_tokens, sign_in, cookie_key)
