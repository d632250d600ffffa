"""Remembers who has signed in, until they sign out."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import orjson

from portal.errors import SettingsError
from portal.model.ref import EntityRef
from portal.model.secret import Secret
from portal.services.vault import Vault
from portal.store import sessions
from portal.store.database import Database
from portal.store.sessions import StoredSession

#: Longer texts than the ids that are given out are not looked for.
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Session:
    """A person who has signed in, with how they are shown, and the provider that vouches for them."""

    id: Secret
    user_ref: EntityRef
    provider: str
    profile: Mapping[str, str]
    stored: StoredSession = field(repr=False)

    @property
    def name(self) -> str:
        """What the person is called."""
        return self.profile.get("displayName") or self.user_ref.name


class SessionsService:
    """The sessions of all servers of one database."""

    def __init__(
        self, database: Database, vault: Vault, *, seconds: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._vault = vault
        self._seconds = seconds
        self._clock = clock

    def begin(
        self,
        user_ref: EntityRef,
        *,
        provider: str,
        profile: Mapping[str, str],
        tokens: Mapping[str, Secret],
        replaced: str | None = None,
    ) -> Session:
        """Return a new session, with an id that nobody has known before; the browser's former one is over."""
        id_ = secrets.token_urlsafe(32)
        now_ms = self._now_ms()
        stored = StoredSession(
            _digest(id_),
            user_ref,
            provider,
            orjson.dumps(dict(profile)).decode(),
            self._vault.seal(tokens),
            now_ms,
            now_ms + self._seconds * 1000,
        )
        with self._database.recording() as connection:
            sessions.delete_expired_sessions(connection, now_ms=now_ms)
            if replaced is not None:
                sessions.delete_sessions(connection, [_digest(replaced)])
            sessions.add_sessions(connection, [stored])
        return Session(Secret(id_), user_ref, provider, profile, stored)

    def find(self, id_: object) -> Session | None:
        """Return the session of an id that a browser brings, None where there is none or it is over."""
        if not isinstance(id_, str) or not 0 < len(id_) <= _LONGEST:
            return None
        digest = _digest(id_)
        with self._database.reading() as connection:
            stored = sessions.sessions_by_digest(connection, [digest], now_ms=self._now_ms()).get(digest)
        if stored is None:
            return None
        return Session(Secret(id_), stored.user_ref, stored.provider, orjson.loads(stored.profile), stored)

    def tokens_of(self, session: Session) -> Mapping[str, Secret]:
        """Return what the provider has given, nothing where another instance key has sealed it."""
        try:
            return self._vault.open(session.stored.sealed)
        except SettingsError:
            return {}

    def renew(
        self, session: Session, user_ref: EntityRef, *, profile: Mapping[str, str], tokens: Mapping[str, Secret]
    ) -> Session:
        """Keep what the provider says now; the session ends when it would have."""
        told = orjson.dumps(dict(profile)).decode()
        stored = replace(session.stored, user_ref=user_ref, profile=told, sealed=self._vault.seal(tokens))
        with self._database.recording() as connection:
            sessions.change_session(connection, stored)
        return Session(session.id, user_ref, session.provider, profile, stored)

    def end(self, session: Session) -> None:
        """End a session on all servers."""
        with self._database.recording() as connection:
            sessions.delete_sessions(connection, [session.stored.digest])

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _digest(id_: str) -> str:
    """Return what is stored of an id: who reads the database can be nobody by it."""
    return hashlib.sha256(id_.encode()).hexdigest()
