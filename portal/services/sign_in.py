"""Signs people in, from the provider's word to a session on the server, until they sign out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portal.errors import AuthenticationError, NotFoundError, UnknownPersonError
from portal.model.secret import Secret
from portal.model.sentence import Sentence
from portal.model.sign_in import Attempt, Grant, SignInProvider
from portal.services.people import PeopleService, profile_of
from portal.services.sessions import Session, SessionsService

if TYPE_CHECKING:
    from portal.services.openid import OpenIDClient


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who is signed in, with what the provider has given for them."""

    session: Session
    grant: Grant
    expires_in_seconds: int


class SignInService:
    """The providers of one Portal, with the sessions that begin at them."""

    def __init__(
        self,
        providers: Sequence[SignInProvider],
        *,
        people: PeopleService,
        sessions: SessionsService,
        base_url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.providers = tuple(providers)
        self._known = {provider.id: provider for provider in self.providers}
        self.sessions = sessions
        self._people = people
        self._clock = clock
        self._routes = f"{base_url.rstrip('/')}/api/auth"
        self._clients: dict[str, OpenIDClient] = {}

    def begin(self, provider: str, scopes: Sequence[str] = ()) -> tuple[str, Attempt]:
        """Return where a browser goes to sign in, and what it must bring back. Raises as `OpenIDClient.begin`."""
        return self._client(provider).begin(scopes)

    def finish(
        self, provider: str, attempt: Attempt, parameters: Mapping[str, str], *, replaced: str | None = None
    ) -> SignedIn:
        """Return the person who has come back from the provider, in a new session; the `replaced` one is over.

        Raises as `OpenIDClient.finish`, and `UnknownPersonError`.
        """
        client = self._client(provider)
        grant = client.finish(attempt, parameters)
        session = self.sessions.begin(
            self._people.user_of(grant.claims, client.provider),
            provider=provider,
            profile=profile_of(grant.claims),
            tokens=_tokens(grant),
            replaced=replaced,
        )
        return self._signed_in(session, grant)

    def current(self, id_: object) -> Session | None:
        """Return the session of an id that a browser brings, None where there is none.

        Whoever has left the catalog, or whose provider the settings do not name any more, is nobody from then on.
        """
        session = self.sessions.find(id_)
        provider = None if session is None else self._known.get(session.provider)
        if session is None or provider is None:
            return None
        return session if self._people.is_known(session.user_ref, provider) else None

    def refresh(self, provider: str, session: Session | None) -> SignedIn:
        """Return the person of a session, as the provider knows them now, if it gave a token to ask with.

        A session that the provider no longer vouches for is over. Raises `AuthenticationError`, `UnknownPersonError`.
        """
        client = self._client(provider)
        if session is None or session.provider != provider:
            raise AuthenticationError(Sentence("Missing session cookie"))
        held = self._grant_of(session)
        if held.refresh_token is None:
            return self._signed_in(session, held)
        try:
            grant = client.refresh(held)
            user_ref = self._people.user_of(grant.claims, client.provider)
        except UnknownPersonError:
            self.sessions.end(session)
            raise
        except AuthenticationError:
            now = self.sessions.find(session.id.reveal())
            if now is not None and now.stored.sealed != session.stored.sealed:
                # Another window of the browser was first, with the one token that could be refreshed.
                return self._signed_in(now, self._grant_of(now))
            self.sessions.end(session)
            raise
        renewed = self.sessions.renew(session, user_ref, profile=profile_of(grant.claims), tokens=_tokens(grant))
        return self._signed_in(renewed, grant)

    def end(self, session: Session, *, return_to: str) -> str | None:
        """End a session; return the url that ends the one at the provider too, None where there is no such url."""
        id_token = self.sessions.tokens_of(session).get("id_token")
        self.sessions.end(session)
        return self._client(session.provider).end_url(id_token, return_to=return_to)

    def end_endpoint(self, session: Session) -> str | None:
        """Return where the provider of a session ends its own."""
        return self._client(session.provider).end_endpoint()

    def _client(self, id_: str) -> OpenIDClient:
        """Return the partner of a provider, made when it is first needed: what it is made of takes long to import."""
        if id_ not in self._known:
            raise NotFoundError(Sentence("Unknown auth provider '%(id)s'", id=id_))
        if id_ not in self._clients:
            from portal.services.openid import OpenIDClient  # noqa: PLC0415

            self._clients[id_] = OpenIDClient(
                self._known[id_], redirect_uri=f"{self._routes}/{id_}/handler/frame", clock=self._clock
            )
        return self._clients[id_]

    def _signed_in(self, session: Session, grant: Grant) -> SignedIn:
        return SignedIn(session, grant, max(0, grant.expires_at - int(self._clock())))

    def _grant_of(self, session: Session) -> Grant:
        """Return what the provider gave when it was last asked."""
        tokens = self.sessions.tokens_of(session)
        kept = {name: tokens[name].reveal() for name in ("sub", "scope", "expires_at") if name in tokens}
        return Grant(
            claims={"sub": kept.get("sub", "")},
            id_token=tokens.get("id_token", Secret("")),
            access_token=tokens.get("access_token", Secret("")),
            refresh_token=tokens.get("refresh_token"),
            scope=kept.get("scope", ""),
            expires_at=int(kept.get("expires_at", "0")),
        )


def _tokens(grant: Grant) -> dict[str, Secret]:
    """Return what of a grant is sealed with its session."""
    found = {
        "sub": Secret(grant.subject),
        "scope": Secret(grant.scope),
        "expires_at": Secret(str(grant.expires_at)),
        "id_token": grant.id_token,
        "access_token": grant.access_token,
    }
    return found if grant.refresh_token is None else found | {"refresh_token": grant.refresh_token}
