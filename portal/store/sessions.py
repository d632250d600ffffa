"""Keeps the sessions of people who have signed in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

from sqlalchemy import Connection, delete, insert, select, update

from portal.model.ref import EntityRef
from portal.store.dialect import in_chunks
from portal.store.tables import sessions


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session: `digest` of the secret that its browser holds, who it is, until when.

    `profile` is JSON; `sealed` what the provider has given, as ciphertext under the instance key.
    """

    digest: str
    user_ref: EntityRef
    provider: str
    profile: str
    sealed: str | None
    created_at_ms: int
    expires_at_ms: int


_COLUMNS = [sessions.c[part.name] for part in fields(StoredSession)]


def add_sessions(connection: Connection, added: Collection[StoredSession]) -> None:
    """Add sessions."""
    connection.execute(
        insert(sessions), [{part.name: getattr(item, part.name) for part in fields(item)} for item in added]
    )


def sessions_by_digest(connection: Connection, digests: Collection[str], *, now_ms: int) -> dict[str, StoredSession]:
    """Return those of the sessions that are there and not over."""
    found: dict[str, StoredSession] = {}
    for chunk in in_chunks(sorted(digests)):
        statement = select(*_COLUMNS).where(sessions.c.digest.in_(chunk), sessions.c.expires_at_ms > now_ms)
        for row in connection.execute(statement):
            found[row.digest] = StoredSession(row.digest, EntityRef(row.user_ref), *row[2:])
    return found


def change_session(connection: Connection, changed: StoredSession) -> None:
    """Keep who a session is of, with what the provider has given anew; one that has been ended stays so."""
    values = {"user_ref": changed.user_ref, "profile": changed.profile, "sealed": changed.sealed}
    connection.execute(update(sessions).where(sessions.c.digest == changed.digest).values(**values))


def delete_sessions(connection: Connection, digests: Collection[str]) -> None:
    """Delete sessions, wherever their browsers are."""
    for chunk in in_chunks(sorted(digests)):
        connection.execute(delete(sessions).where(sessions.c.digest.in_(chunk)))


def delete_expired_sessions(connection: Connection, *, now_ms: int) -> None:
    """Delete the sessions that are over."""
    connection.execute(delete(sessions).where(sessions.c.expires_at_ms <= now_ms))
