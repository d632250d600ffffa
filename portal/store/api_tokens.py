"""Keeps API tokens: what they are known by, never the tokens themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import orjson
from sqlalchemy import BigInteger, Connection, Row, bindparam, exists, func, insert, or_, select, update

from portal.store.dialect import in_chunks
from portal.store.tables import api_tokens, entities


@dataclass(frozen=True, slots=True)
class StoredToken:
    """An API token: the digest of its text, whose it is, what for. `kind` is personal or service."""

    id: str
    digest: str
    kind: str
    owner: str
    description: str
    scopes: tuple[str, ...]
    needs_entity: bool
    created_by: str
    created_at_ms: int
    expires_at_ms: int
    revoked_at_ms: int | None = None
    last_used_at_ms: int | None = None


def tokens_by_id(connection: Connection, ids: Collection[str]) -> dict[str, tuple[StoredToken, bool]]:
    """Return those of the tokens that are there, each with whether its owner is in the catalog."""
    found: dict[str, tuple[StoredToken, bool]] = {}
    is_known = exists().where(entities.c.ref == api_tokens.c.owner).label("is_known")
    for chunk in in_chunks(sorted(ids)):
        for row in connection.execute(select(api_tokens, is_known).where(api_tokens.c.id.in_(chunk))):
            found[row.id] = (_stored(row), bool(row.is_known))
    return found


def tokens_of(
    connection: Connection, *, kind: str | None = None, owners: Collection[str] | None = None
) -> list[StoredToken]:
    """Return the tokens of a kind and of some owners, of all where None is given; the newest first."""
    statement = select(api_tokens).order_by(api_tokens.c.created_at_ms.desc(), api_tokens.c.id)
    if kind is not None:
        statement = statement.where(api_tokens.c.kind == kind)
    if owners is not None:
        statement = statement.where(api_tokens.c.owner.in_(sorted(owners)))
    return [_stored(row) for row in connection.execute(statement)]


def count_live(connection: Connection, *, kind: str, owner: str, now_ms: int) -> int:
    """Return how many tokens of an owner are neither revoked nor over."""
    is_live = api_tokens.c.revoked_at_ms.is_(None) & (api_tokens.c.expires_at_ms > now_ms)
    is_theirs = (api_tokens.c.kind == kind) & (api_tokens.c.owner == owner)
    return connection.execute(select(func.count()).select_from(api_tokens).where(is_live, is_theirs)).scalar_one()


def add_tokens(connection: Connection, tokens: Collection[StoredToken]) -> None:
    """Add tokens."""
    rows = [asdict(token) | {"scopes": orjson.dumps(token.scopes).decode()} for token in tokens]
    connection.execute(insert(api_tokens), rows)


def revoke_tokens(connection: Connection, ids: Collection[str], *, now_ms: int) -> None:
    """Mark tokens as revoked; those that are keep the time at which they were."""
    for chunk in in_chunks(sorted(ids)):
        connection.execute(
            update(api_tokens)
            .where(api_tokens.c.id.in_(chunk), api_tokens.c.revoked_at_ms.is_(None))
            .values(revoked_at_ms=now_ms)
        )


def note_uses(connection: Connection, used_at_ms: Mapping[str, int]) -> None:
    """Note when tokens were last used; what another server has noted later stands."""
    if not used_at_ms:
        return
    used = bindparam("used_at_ms", type_=BigInteger)
    statement = (
        update(api_tokens)
        .where(
            api_tokens.c.id == bindparam("token_id"),
            or_(api_tokens.c.last_used_at_ms.is_(None), api_tokens.c.last_used_at_ms < used),
        )
        .values(last_used_at_ms=used)
    )
    # Sorted: two servers that note the same tokens at once wait for each other, not both for ever.
    rows = [{"token_id": id_, "used_at_ms": at_ms} for id_, at_ms in sorted(used_at_ms.items())]
    connection.execute(statement, rows)


def _stored(row: Row[Any]) -> StoredToken:
    names = [field.name for field in fields(StoredToken)]
    members = {name: getattr(row, name) for name in names}
    return StoredToken(**members | {"scopes": tuple(orjson.loads(row.scopes))})
