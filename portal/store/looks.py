"""Keeps when each source is looked at next, so that several workers look at it once."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

import orjson
from sqlalchemy import ColumnElement, Connection, and_, or_, select, text, update

from portal.store.tables import looks, sources


def clock_ms(connection: Connection) -> int:
    """Return the time that all processes of a database agree on, in milliseconds since 1970."""
    if connection.dialect.name == "sqlite":
        return int(time.time() * 1000)
    return int(connection.execute(text("SELECT extract(epoch FROM clock_timestamp()) * 1000")).scalar_one())


def is_any_due(connection: Connection, *, living: Collection[int], now_ms: int) -> bool:
    """Return whether there is a source for `take`, or one without a place in the schedule."""
    statement = (
        select(sources.c.id)
        .outerjoin(looks, looks.c.source_id == sources.c.id)
        .where(or_(looks.c.source_id.is_(None), _is_free(living, now_ms)))
        .limit(1)
    )
    return connection.execute(statement).first() is not None


def plan(connection: Connection, *, due_at_ms: int) -> None:
    """Give sources that have no place in the schedule one; another worker may do the same at the same time."""
    statement = text(
        "INSERT INTO looks (source_id, due_at_ms) SELECT id, :due FROM sources"
        " WHERE id NOT IN (SELECT source_id FROM looks) ON CONFLICT DO NOTHING"
    )
    connection.execute(statement, {"due": due_at_ms})


def bring_forward(connection: Connection, *, due_at_ms: int) -> None:
    """Let all sources be due by then."""
    connection.execute(update(looks).where(looks.c.due_at_ms > due_at_ms).values(due_at_ms=due_at_ms))


def want(connection: Connection, wanted: Mapping[str, Collection[str]], *, due_at_ms: int) -> None:
    """Let sources, by id, be due by then, and these of their files be read though unchanged."""
    plan(connection, due_at_ms=due_at_ms)
    rows = connection.execute(
        select(looks.c.source_id, looks.c.again, looks.c.due_at_ms)
        .where(looks.c.source_id.in_(sorted(wanted)))
        .order_by(looks.c.source_id)
        .with_for_update()
    ).all()
    for row in rows:  # as many as somebody names
        again = sorted({*orjson.loads(row.again), *wanted[row.source_id]})
        connection.execute(
            update(looks)
            .where(looks.c.source_id == row.source_id)
            .values(again=orjson.dumps(again).decode(), due_at_ms=min(row.due_at_ms, due_at_ms))
        )


def take(
    connection: Connection, *, holder: int, living: Collection[int], now_ms: int, next_due_ms: int, limit: int
) -> dict[str, str]:
    """Take at most so many sources that are due and that no living worker looks at; the longest due first.

    Returns for each what `give_back` needs: the files to read though unchanged, as JSON.
    """
    free = (
        select(looks.c.source_id)
        .where(_is_free(living, now_ms))
        .order_by(looks.c.due_at_ms, looks.c.source_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(free).scalars())
    taken = (
        update(looks)
        .where(looks.c.source_id.in_(ids))
        .values(holder=holder, due_at_ms=next_due_ms)
        .returning(looks.c.source_id, looks.c.again)
    )
    return {row.source_id: row.again for row in connection.execute(taken)} if ids else {}


def give_back(connection: Connection, taken: Mapping[str, str], *, holder: int) -> None:
    """Let sources go that this worker has looked at; what another has taken over since is that one's.

    The files that it was asked to read are forgotten, unless more have been asked for meanwhile.
    """
    for source_id, again in taken.items():
        if again != "[]":
            connection.execute(
                update(looks)
                .where(looks.c.holder == holder, looks.c.source_id == source_id, looks.c.again == again)
                .values(again="[]")
            )
    _let_go(connection, taken, holder=holder)


def put_off(connection: Connection, taken: Mapping[str, str], *, holder: int, due_at_ms: int) -> None:
    """Let sources go that this worker could not look at; they are due again by then."""
    connection.execute(
        update(looks)
        .where(looks.c.holder == holder, looks.c.source_id.in_(sorted(taken)), looks.c.due_at_ms > due_at_ms)
        .values(due_at_ms=due_at_ms)
    )
    _let_go(connection, taken, holder=holder)


def _let_go(connection: Connection, taken: Collection[str], *, holder: int) -> None:
    connection.execute(
        update(looks).where(looks.c.holder == holder, looks.c.source_id.in_(sorted(taken))).values(holder=None)
    )


def _is_free(living: Collection[int], now_ms: int) -> ColumnElement[bool]:
    """Due and nobody's, or a worker's that is not there any more."""
    return or_(
        and_(looks.c.holder.is_(None), looks.c.due_at_ms <= now_ms),
        and_(looks.c.holder.is_not(None), looks.c.holder.not_in(sorted(living))),
    )
