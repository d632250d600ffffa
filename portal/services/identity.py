"""Finds out who asks."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from portal.errors import AuthenticationError, InputError, NotAllowedError
from portal.model.access import AccessRestriction, ExternalAccess
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.services.api_tokens import ApiTokens
from portal.store import membership
from portal.store.database import Database

if TYPE_CHECKING:
    from portal.services.tokens import Tokens, UserToken

PrincipalType = Literal["none", "user", "service"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a user by reference, a service by name, or nobody in particular.

    `restrictions` says what a service may do, by plugin; None: anything. `scopes` are the permissions that an API token
    was made for; None: no such token limits what the actor's rights are. `token` is what a user was known by,
    `token_id` the API token.
    """

    type: PrincipalType
    subject: str = ""
    restrictions: Mapping[str, AccessRestriction] | None = None
    token: UserToken | None = field(default=None, repr=False)
    scopes: frozenset[str] | None = None
    token_id: str = ""

    @property
    def user_ref(self) -> EntityRef | None:
        """The user's reference, None where it is no user."""
        return EntityRef(self.subject) if self.type == "user" else None

    def may_use(self, permission_name: str) -> bool:
        """Return whether the token leaves a permission to its bearer, who must have it all the same."""
        return self.scopes is None or permission_name in self.scopes

    def require(self, *allowed: PrincipalType) -> None:
        """Raise unless the actor is one of the types: `AuthenticationError` for nobody, else `NotAllowedError`.

        Rule: backend-defaults 0.18 `DefaultHttpAuthService.credentials`.
        """
        if self.type in allowed:
            return
        if self.type == "none":
            raise AuthenticationError(Sentence("Missing credentials"))
        raise NotAllowedError(Sentence("This endpoint does not allow '%(type)s' credentials", type=self.type))


ANYBODY = Actor("none")


@dataclass(frozen=True, slots=True)
class SignIn:
    """A user who has signed in, with the references that they own by, their own first."""

    token: UserToken
    claims: Sequence[EntityRef]

    @property
    def expires_in_seconds(self) -> int:
        """How long the token is believed."""
        return self.token.lifetime_seconds


class IdentityService:
    """Signs people in, and tells who a token stands for."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        *,
        guest: EntityRef,
        allows_guests: bool = True,
        external: Sequence[ExternalAccess] = (),
        api_tokens: ApiTokens | None = None,
    ) -> None:
        self._database = database
        self.tokens = tokens
        self._guest = guest
        self.allows_guests = allows_guests
        self._external = tuple((access, access.token.reveal().encode()) for access in external)
        self._api_tokens = api_tokens

    def sign_in_guest(self) -> SignIn:
        """Sign the guest in. Raises `NotAllowedError` where settings allow no guests."""
        if not self.allows_guests:
            raise NotAllowedError(Sentence('Guests may not sign in here; the setting "guests" allows it'))
        return self.sign_in(self._guest)

    def sign_in(self, user_ref: EntityRef) -> SignIn:
        """Return a token of a user who is known to be there, with what they own by."""
        return SignIn(self.tokens.issue(user_ref), self.claims_of([user_ref])[user_ref])

    def authenticate(self, text: str, *, plugin: str = "", allow_limited: bool = False) -> Actor:
        """Return who a token stands for, in a plugin's routes.

        Raises `AuthenticationError` for one that is not good, `NotAllowedError` for a service's that is restricted to
        other plugins. Rule: backend-defaults 0.18 `DefaultAuthService.authenticate`.
        """
        token = self.tokens.verify(text)
        if token is not None:
            if token.is_limited and not allow_limited:
                raise AuthenticationError(Sentence("Illegal limited user token"))
            return Actor("user", token.user_ref, token=token)
        for access, known in self._external:
            if hmac.compare_digest(known, text.encode()):
                return _service(access, plugin)
        found = self._api_tokens.verify(text) if self._api_tokens is not None else None
        if found is None or (found.owner == self._guest and not self.allows_guests):
            raise AuthenticationError(Sentence("Illegal token"))
        return Actor(
            "user" if found.is_personal else "service", found.owner, scopes=found.permissions, token_id=found.id
        )

    def user_info(self, text: str) -> dict[str, Any]:
        """Return who the user of a token is, with what they own by. Raises `AuthenticationError`, `InputError`."""
        actor = self.authenticate(text, plugin="auth", allow_limited=True)
        ref = actor.user_ref
        if ref is None:
            raise InputError(Sentence("Userinfo endpoint must be called with a token that represents a user principal"))
        return {"claims": {"sub": ref, "ent": list(self.claims_of([ref])[ref])}}

    def claims_of(self, users: Collection[EntityRef]) -> Mapping[EntityRef, Sequence[EntityRef]]:
        """Return the references that users own by: their own, then their groups with all parents, sorted.

        A user who is not in the catalog owns by their own reference alone. Rule: auth-backend 0.30
        `getDefaultOwnershipEntityRefs`, which leaves the parents out.
        """
        with self._database.reading() as connection:
            found = membership.groups_of(connection, users)
        return {user: [user, *found.get(user, ())] for user in users}


def _service(access: ExternalAccess, plugin: str) -> Actor:
    restrictions = {item.plugin: item for item in access.restrictions}
    if restrictions and plugin not in restrictions:
        valid = ", ".join(f"'{name}'" for name in restrictions)
        raise NotAllowedError(Sentence("This token's access is restricted to plugin(s) %(valid)s", valid=valid))
    return Actor("service", access.subject, {plugin: restrictions[plugin]} if restrictions else None)
