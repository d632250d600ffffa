"""Signs the tokens of users with keys that change, so that every server of one database believes them."""

from __future__ import annotations

import base64
import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from portal.errors import AuthenticationError, SettingsError
from portal.model.ref import EntityRef
from portal.model.secret import Secret
from portal.services.vault import Vault
from portal.store import keys
from portal.store.database import Database
from portal.store.keys import StoredKey

#: Rule: plugin-auth-node 0.7 `tokenTypes`.
USER_TYPE = "vnd.backstage.user"
LIMITED_TYPE = "vnd.backstage.limited-user"
AUDIENCE = "backstage"

#: How long a token is believed. Rule: auth-backend 0.30 `readBackstageTokenExpiration`.
TOKEN_SECONDS = 3600
#: How long the public half of a key is told, in lives of a token. Rule: auth-backend 0.30 `TokenFactory`.
_KEY_LIVES = 3
_ALGORITHM = "ES256"
_REMEMBERED = 1_000
_LONGEST_TOKEN = 32_768
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UserToken:
    """A token that was found good. `is_limited`: it only proves who the user is, as cookies do."""

    text: str
    user_ref: EntityRef
    expires_at: int
    is_limited: bool
    claims: Mapping[str, Any]

    @property
    def lifetime_seconds(self) -> int:
        """How long it is believed from when it was issued."""
        issued_at: int = self.claims["iat"]
        return self.expires_at - issued_at


@dataclass(frozen=True, slots=True)
class _Signer:
    """The key pair that this server signs with now."""

    id: str
    key: ECKey
    signs_until_ms: int


class Tokens:
    """Makes tokens, and finds out whether one is good. Safe to use from several threads."""

    def __init__(
        self, database: Database, vault: Vault, *, issuer: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._vault = vault
        self._issuer = issuer
        self._clock = clock
        self._lock = threading.Lock()
        self._signer: _Signer | None = None
        self._believed: dict[str, tuple[ECKey, int]] = {}
        self._verified: dict[str, UserToken] = {}

    def issue(self, user_ref: EntityRef) -> UserToken:
        """Return a token of a user, believed for `TOKEN_SECONDS`.

        Its claim `uip` is the signature of a limited token of the same user and times, so that whoever holds the
        token can make the limited one of it. Rule: auth-backend 0.30 `issueUserToken`.
        """
        signer = self._current_signer()
        issued_at = int(self._clock())
        expires_at = issued_at + TOKEN_SECONDS
        limited = _signed(signer, LIMITED_TYPE, {"sub": str(user_ref), "iat": issued_at, "exp": expires_at})
        claims = {
            "iss": self._issuer,
            "sub": str(user_ref),
            "aud": AUDIENCE,
            "iat": issued_at,
            "exp": expires_at,
            "uip": limited.rpartition(".")[2],
        }
        return UserToken(_signed(signer, USER_TYPE, claims), user_ref, expires_at, is_limited=False, claims=claims)

    def limited(self, token: UserToken) -> UserToken:
        """Return the limited token that a token proves. Raises `AuthenticationError` for one without the proof.

        Rule: backend-defaults 0.18 `createLimitedUserToken`.
        """
        if token.is_limited:
            return token
        proof = token.claims.get("uip")
        if not isinstance(proof, str) or not proof:
            raise AuthenticationError("Failed to create limited user token, missing user identity proof")
        header = _header(token.text) or {}
        parts = (
            {"typ": LIMITED_TYPE, "alg": _ALGORITHM, "kid": header.get("kid")},
            {name: token.claims[name] for name in ("sub", "iat", "exp")},
        )
        encoded = ".".join([_base64url(orjson.dumps(part)) for part in parts])
        made = self.verify(f"{encoded}.{proof}")
        if made is None:
            raise _refusal()
        return made

    def verify(self, text: str) -> UserToken | None:
        """Return what a good token says, None where the text is no user's token at all.

        Raises `AuthenticationError` for a user's token that has expired, or that no key of this database has signed.
        Rule: backend-defaults 0.18 `UserTokenHandler.verifyToken`.
        """
        now = self._clock()
        known = self._verified.get(text)
        if known is None:
            known = self._verify(text, now=now)
            if known is None:
                return None
            if len(self._verified) >= _REMEMBERED:
                self._verified.clear()
            self._verified[text] = known
        if known.expires_at <= now:
            self._verified.pop(text, None)
            raise _refusal()
        return known

    def seconds_left(self, token: UserToken) -> float:
        """Return how long a token is still believed."""
        return token.expires_at - self._clock()

    def public_keys(self) -> list[dict[str, Any]]:
        """Return the keys that tokens may still be signed with, as JSON Web Keys."""
        with self._database.reading() as connection:
            found = keys.all_keys(connection, now_ms=self._now_ms())
        return [orjson.loads(key.public) for key in found]

    def _verify(self, text: str, *, now: float) -> UserToken | None:
        header = _header(text)
        if header is None:
            return None
        key_id = header.get("kid")
        key = self._believed_key(key_id) if isinstance(key_id, str) else None
        claims: Any = None
        if key is not None:
            with contextlib.suppress(JoseError, ValueError):
                claims = orjson.loads(jws.deserialize_compact(text, key, algorithms=[_ALGORITHM]).payload)
        if not isinstance(claims, dict):
            raise _refusal()
        # The issuer is not looked at, as upstream: servers of one database may have several urls. Unlike there the
        # audience is: nothing else that these keys may sign one day shall do as a token. A limited token has none.
        if header["typ"] == USER_TYPE and claims.get("aud") != AUDIENCE:
            raise _refusal()
        user, issued_at, expires_at = (claims.get(name) for name in ("sub", "iat", "exp"))
        if type(issued_at) is not int or type(expires_at) is not int or expires_at <= now or not isinstance(user, str):
            raise _refusal()
        return UserToken(text, EntityRef.parse(user), expires_at, header["typ"] == LIMITED_TYPE, claims)

    def _believed_key(self, key_id: str) -> ECKey | None:
        """Return the public key of an id, None where nothing that it signed is believed."""
        now_ms = self._now_ms()
        found = self._believed.get(key_id)
        if found is None:
            with self._database.reading() as connection:
                stored = keys.keys_by_id(connection, [key_id], now_ms=now_ms).get(key_id)
            if stored is None:
                return None
            found = (ECKey.import_key(orjson.loads(stored.public)), stored.expires_at_ms)
            self._believed[key_id] = found
        key, expires_at_ms = found
        if expires_at_ms > now_ms:
            return key
        self._believed.pop(key_id, None)
        return None

    def _current_signer(self) -> _Signer:
        with self._lock:
            if self._signer is None or self._signer.signs_until_ms <= self._now_ms():
                self._signer = self._next_signer()
            return self._signer

    def _next_signer(self) -> _Signer:
        """Return the stored key that signs longest, or a new one where none is left that this server can open."""
        with self._database.reading() as connection:
            found = self._opened(keys.all_keys(connection, now_ms=self._now_ms()))
        if found is not None:
            return found
        with self._database.recording() as connection:
            now_ms = self._now_ms()
            # Looked for once more: another server may have made one while this one waited for its turn.
            found = self._opened(keys.all_keys(connection, now_ms=now_ms))
            if found is not None:
                return found
            keys.delete_expired_keys(connection, now_ms=now_ms)
            made = _Signer(str(uuid.uuid4()), ECKey.generate_key("P-256", private=True), now_ms + TOKEN_SECONDS * 1000)
            keys.add_keys(connection, [self._stored(made, now_ms=now_ms)])
        _log.info("a new signing key was made", extra={"kid": made.id})
        return made

    def _opened(self, stored: list[StoredKey]) -> _Signer | None:
        for key in stored:
            if key.signs_until_ms <= self._now_ms():
                break
            try:
                private = self._vault.open(key.private)["key"].reveal()
            except SettingsError:
                # Of a server with another instance key: its signatures are believed here, it signs there.
                continue
            return _Signer(key.id, ECKey.import_key(orjson.loads(private)), key.signs_until_ms)
        return None

    def _stored(self, signer: _Signer, *, now_ms: int) -> StoredKey:
        sealed = self._vault.seal({"key": Secret(orjson.dumps(signer.key.as_dict(private=True)).decode())})
        public = signer.key.as_dict(private=False) | {"kid": signer.id, "alg": _ALGORITHM}
        return StoredKey(
            signer.id,
            orjson.dumps(public, option=orjson.OPT_SORT_KEYS).decode(),
            sealed or "",
            signer.signs_until_ms,
            now_ms + _KEY_LIVES * TOKEN_SECONDS * 1000,
        )

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _header(text: str) -> dict[str, Any] | None:
    """Return the header of a user's token, None for any other text."""
    if len(text) > _LONGEST_TOKEN or not text.isascii():
        return None
    try:
        header: dict[str, Any] = jws.extract_compact(text.encode()).headers()
    except (JoseError, ValueError):
        return None
    return header if header.get("typ") in (USER_TYPE, LIMITED_TYPE) else None


def _signed(signer: _Signer, kind: str, claims: Mapping[str, Any]) -> str:
    header = {"typ": kind, "alg": _ALGORITHM, "kid": signer.id}
    return jws.serialize_compact(header, orjson.dumps(claims), signer.key, algorithms=[_ALGORITHM])


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _refusal() -> AuthenticationError:
    return AuthenticationError("Failed user token verification")
