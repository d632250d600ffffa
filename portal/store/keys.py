"""Keeps the keys that tokens are signed with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from portal.store.dialect import in_chunks
from portal.store.tables import signing_keys


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key pair: its public half as JSON (a JWK), its private half as ciphertext under the instance key.

    It signs until `signs_until_ms`; what it signed is believed until `expires_at_ms`.
    """

    id: str
    public: str
    private: str
    signs_until_ms: int
    expires_at_ms: int


def keys_by_id(connection: Connection, ids: Collection[str], *, now_ms: int) -> dict[str, StoredKey]:
    """Return those of the keys that are there and not expired."""
    found: dict[str, StoredKey] = {}
    for chunk in in_chunks(sorted(id_ for id_ in ids if "\0" not in id_)):
        statement = select(signing_keys).where(signing_keys.c.id.in_(chunk), signing_keys.c.expires_at_ms > now_ms)
        found.update((row.id, StoredKey(*row)) for row in connection.execute(statement))
    return found


def all_keys(connection: Connection, *, now_ms: int) -> list[StoredKey]:
    """Return the keys that are not expired, the one that signs longest first."""
    statement = (
        select(signing_keys)
        .where(signing_keys.c.expires_at_ms > now_ms)
        .order_by(signing_keys.c.signs_until_ms.desc(), signing_keys.c.id)
    )
    return [StoredKey(*row) for row in connection.execute(statement)]


def add_keys(connection: Connection, keys: Collection[StoredKey]) -> None:
    """Add keys."""
    connection.execute(
        insert(signing_keys),
        [
            {
                "id": key.id,
                "public_key": key.public,
                "private_key": key.private,
                "signs_until_ms": key.signs_until_ms,
                "expires_at_ms": key.expires_at_ms,
            }
            for key in keys
        ],
    )


def delete_expired_keys(connection: Connection, *, now_ms: int) -> None:
    """Delete the keys that nothing believes any more."""
    connection.execute(delete(signing_keys).where(signing_keys.c.expires_at_ms <= now_ms))
