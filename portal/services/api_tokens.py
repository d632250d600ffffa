"""Makes, checks, revokes the tokens that are kept for long, by people or by programs."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from portal.errors import AuthenticationError, ConflictError, InputError, NotFoundError
from portal.model.moment import shown_time
from portal.model.ref import EntityRef
from portal.model.scopes import parse_scopes, permissions_of
from portal.model.secret import Secret
from portal.services.last_uses import LastUses
from portal.store import api_tokens, entities
from portal.store.api_tokens import StoredToken
from portal.store.database import Database

Kind = Literal["personal", "service"]

#: Found by secret scanners, told apart from signed tokens by having no dots. The id is in the token, so that one that
#: turns up somewhere can be revoked by whoever sees its beginning.
_FORM = re.compile(r"portal_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_ID = re.compile(r"[0-9a-f]{16}")
_SERVICE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.\-]{0,61}[A-Za-z0-9])?")
_SECRET_BYTES = 32
_LONGEST_DESCRIPTION = 200
#: Tokens of one owner that are good at the same time.
MOST_TOKENS = 100
_DAY_MS = 24 * 60 * 60 * 1000
_NOTED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it may be shown: all but itself. `owner` is the reference of a user, or the name of a service."""

    id: str
    kind: Kind
    owner: str
    description: str
    scopes: tuple[str, ...]
    created_by: str
    created_at_ms: int
    expires_at_ms: int
    revoked_at_ms: int | None
    last_used_at_ms: int | None
    status: Literal["active", "expired", "revoked"]

    @property
    def is_personal(self) -> bool:
        """Whether it stands for a user."""
        return self.kind == "personal"

    @property
    def permissions(self) -> frozenset[str]:
        """The permissions that it is limited to."""
        return permissions_of(self.scopes)

    def to_json(self) -> dict[str, object]:
        """Return it as clients read it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "owner": self.owner,
            "description": self.description,
            "scopes": list(self.scopes),
            "status": self.status,
            "createdBy": self.created_by,
            "createdAt": shown_time(self.created_at_ms),
            "expiresAt": shown_time(self.expires_at_ms),
            "revokedAt": _shown(self.revoked_at_ms),
            "lastUsedAt": _shown(self.last_used_at_ms),
        }


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made, with its text, which nobody can tell later."""

    token: ApiToken
    text: Secret = field(repr=False)


class ApiTokens:
    """The tokens of one database. Whether one is good is asked of it each time: a revoked one is refused at once."""

    def __init__(self, database: Database, *, longest_days: int, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._longest_days = longest_days
        self._clock = clock
        self._uses = LastUses(self._note_uses, seconds=_NOTED_SECONDS)

    @property
    def now_ms(self) -> int:
        """The time, in milliseconds since 1970."""
        return int(self._clock() * 1000)

    def create_personal(
        self, user: EntityRef, scopes: Collection[str], *, expires_at_ms: int, created_by: str, description: str = ""
    ) -> NewToken:
        """Make a token of a user, who may do with it what both they and its scopes may.

        It ends with the user's entity, if that is in the catalog now: who leaves the organisation leaves no key.
        Raises `InputError`, `ConflictError`.
        """
        if user.kind != "user":
            raise InputError(f'"{user}" is no user; a program\'s token is one of a service')
        return self._create(
            "personal", user, scopes, expires_at_ms=expires_at_ms, created_by=created_by, description=description
        )

    def create_service(
        self, name: str, scopes: Collection[str], *, expires_at_ms: int, created_by: str, description: str = ""
    ) -> NewToken:
        """Make a token of a program, which may do with it what its scopes say. Raises `InputError`, `ConflictError`."""
        if not _SERVICE.fullmatch(name):
            raise InputError(
                'A service has a name of at most 63 letters, digits, "-", "_", "." that begins and ends with a letter '
                "or digit"
            )
        return self._create(
            "service", name, scopes, expires_at_ms=expires_at_ms, created_by=created_by, description=description
        )

    def tokens(self, *, kind: Kind | None = None, owner: str | None = None) -> list[ApiToken]:
        """Return the tokens of a kind and an owner, of all without, the newest first; those that are over too."""
        self._uses.flush()
        with self._database.reading() as connection:
            found = api_tokens.tokens_of(connection, kind=kind, owners=None if owner is None else [owner])
        return [_told(token, self.now_ms) for token in found]

    def revoke(self, token_id: str, *, user: EntityRef | None = None) -> ApiToken:
        """End a token for good, one of a user's own where one is named; return it. Raises `NotFoundError`.

        Another's token is not found: its id says nothing about who has which.
        """
        if not _ID.fullmatch(token_id):
            raise _missing(token_id)
        with self._database.recording() as connection:
            found = _one(api_tokens.tokens_by_id(connection, [token_id]), token_id)
            if user is not None and (found.kind, found.owner) != ("personal", user):
                raise _missing(token_id)
            api_tokens.revoke_tokens(connection, [token_id], now_ms=self.now_ms)
            return _told(_one(api_tokens.tokens_by_id(connection, [token_id]), token_id), self.now_ms)

    def verify(self, text: str) -> ApiToken | None:
        """Return the token of a text, None where it is none that was ever made.

        Raises `AuthenticationError` for one that is over; why is told to those alone who know all of it.
        """
        form = _FORM.fullmatch(text)
        if form is None:
            return None
        token_id = form[1]
        with self._database.reading() as connection:
            stored, has_entity = api_tokens.tokens_by_id(connection, [token_id]).get(token_id, (None, False))
        # A plain digest: nobody guesses 32 random bytes, however fast they could try.
        if stored is None or not hmac.compare_digest(stored.digest, _digest(text)):
            return None
        now_ms = self.now_ms
        found = _told(stored, now_ms)
        if found.status != "active":
            raise AuthenticationError(f"The token {found.id} {'was revoked' if found.revoked_at_ms else 'has expired'}")
        if stored.needs_entity and not has_entity:
            raise AuthenticationError(f"The user of the token {found.id} is not in the catalog any more")
        self._uses.note(found.id, now_ms)
        return found

    def close(self) -> None:
        """Write what is known of uses."""
        self._uses.flush()

    def _create(
        self,
        kind: Kind,
        owner: str,
        scopes: Collection[str],
        *,
        expires_at_ms: int,
        created_by: str,
        description: str,
    ) -> NewToken:
        now_ms = self.now_ms
        if expires_at_ms <= now_ms:
            raise InputError("A token expires at a time to come")
        if expires_at_ms > now_ms + self._longest_days * _DAY_MS:
            raise InputError(f'A token lives {self._longest_days} days at most, as the setting "token_days" says')
        if len(description) > _LONGEST_DESCRIPTION or not description.isprintable():
            raise InputError(f"A description is one line of at most {_LONGEST_DESCRIPTION} characters")
        kept = parse_scopes(scopes)
        token_id = secrets.token_hex(8)
        text = f"portal_{token_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        with self._database.recording() as connection:
            if api_tokens.count_live(connection, kind=kind, owner=owner, now_ms=now_ms) >= MOST_TOKENS:
                raise ConflictError(f"{owner} has {MOST_TOKENS} tokens already; revoke those that nothing uses")
            needs_entity = kind == "personal" and bool(entities.held_entities(connection, [owner]))
            stored = StoredToken(
                id=token_id,
                digest=_digest(text),
                kind=kind,
                owner=owner,
                description=description,
                scopes=kept,
                needs_entity=needs_entity,
                created_by=created_by,
                created_at_ms=now_ms,
                expires_at_ms=expires_at_ms,
            )
            api_tokens.add_tokens(connection, [stored])
        return NewToken(_told(stored, now_ms), Secret(text))

    def _note_uses(self, used_at_ms: Mapping[str, int]) -> None:
        with self._database.recording() as connection:
            api_tokens.note_uses(connection, used_at_ms)


def _told(stored: StoredToken, now_ms: int) -> ApiToken:
    is_over = stored.expires_at_ms <= now_ms
    return ApiToken(
        id=stored.id,
        kind="personal" if stored.kind == "personal" else "service",
        owner=EntityRef(stored.owner) if stored.kind == "personal" else stored.owner,
        description=stored.description,
        scopes=stored.scopes,
        created_by=stored.created_by,
        created_at_ms=stored.created_at_ms,
        expires_at_ms=stored.expires_at_ms,
        revoked_at_ms=stored.revoked_at_ms,
        last_used_at_ms=stored.last_used_at_ms,
        status="revoked" if stored.revoked_at_ms is not None else "expired" if is_over else "active",
    )


def _one(found: Mapping[str, tuple[StoredToken, bool]], token_id: str) -> StoredToken:
    if token_id not in found:
        raise _missing(token_id)
    return found[token_id][0]


def _missing(token_id: str) -> NotFoundError:
    return NotFoundError(f'There is no token "{token_id[:80]}"')


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _shown(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else shown_time(milliseconds)
