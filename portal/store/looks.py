"""Keeps when each source is looked at next, so that several workers look at it once."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    update,
)

from portal.store.tables import looks, sources


class Turn(NamedTuple):
    """Why a source is looked at: the columns that say when it is due, who looks now, which files to read anyway."""

    due: ColumnElement[Any]
    holder: ColumnElement[Any]
    again: ColumnElement[Any]


#: Because its time has come, or because somebody wants it. A look of one kind waits for none of the other: a host that
#: does not answer holds up all sources that are looked at together with one of its own.
REGULAR = Turn(looks.c.due_at_ms, looks.c.holder, literal("[]"))
WANTED = Turn(looks.c.wanted_at_ms, looks.c.wanted_holder, looks.c.again)
_CLOCK = "extract(epoch FROM clock_timestamp()) * 1000"
#: The name of the number of whoever asks.
_OWN = "own"


def clock_ms(connection: Connection) -> int:
    """Return the time that all processes of a database agree on, in milliseconds since 1970."""
    if connection.dialect.name == "sqlite":
        return int(time.time() * 1000)
    return int(connection.execute(text(f"SELECT {_CLOCK}")).scalar_one())


class Outlook(NamedTuple):
    """What there is for `take`: from when on (None: never), by the clock of all processes.

    `has_held` says that other workers look at sources, which may have died; `has_unplanned` that some have no place in
    the schedule.
    """

    now_ms: int
    next_ms: int | None
    has_held: bool
    has_unplanned: bool


def outlook(connection: Connection, turn: Turn, *, own: int) -> Outlook:
    """Return what there is for the worker of a number; this is asked often, and seldom there is anything."""
    is_sqlite = connection.dialect.name == "sqlite"
    statement = _outlook(is_wanted=turn is WANTED, has_clock=not is_sqlite)
    next_ms, held, has_unplanned, now_ms = connection.execute(statement, {_OWN: own}).one()
    return Outlook(clock_ms(connection) if is_sqlite else int(now_ms), next_ms, bool(held), bool(has_unplanned))


@cache
def _outlook(*, is_wanted: bool, has_clock: bool) -> Executable:
    turn = WANTED if is_wanted else REGULAR
    is_planned = exists().where(looks.c.source_id == sources.c.id)
    return select(
        func.min(case((turn.holder.is_(None), turn.due))),
        func.count(case((turn.holder != bindparam(_OWN), 1))),
        exists(select(sources.c.id).where(~is_planned)),
        literal_column(_CLOCK if has_clock else "NULL"),
    ).select_from(looks)


def has_orphans(connection: Connection, turn: Turn, *, living: Collection[int]) -> bool:
    """Return whether a worker that is not there any more has left a source that it had taken."""
    found = select(looks.c.source_id).where(_is_orphaned(turn, living)).limit(1)
    return connection.execute(found).first() is not None


def plan(connection: Connection, *, due_at_ms: int) -> None:
    """Give sources that have no place in the schedule one; another worker may do the same at the same time."""
    statement = text(
        "INSERT INTO looks (source_id, due_at_ms) SELECT id, :due FROM sources"
        " WHERE id NOT IN (SELECT source_id FROM looks) ON CONFLICT DO NOTHING"
    )
    connection.execute(statement, {"due": due_at_ms})


def bring_forward(connection: Connection, *, due_at_ms: int) -> None:
    """Let the regular look at each source be due by then."""
    connection.execute(update(looks).where(looks.c.due_at_ms > due_at_ms).values(due_at_ms=due_at_ms))


def want(connection: Connection, wanted: Mapping[str, Collection[str]], *, due_at_ms: int) -> None:
    """Want looks at sources, by id, that have a place in the schedule, by then, and these of their files read anyway.

    A source that is wanted already is looked at when it would have been.
    """
    rows = connection.execute(
        select(looks.c.source_id, looks.c.again, looks.c.wanted_at_ms)
        .where(looks.c.source_id.in_(sorted(wanted)))
        .order_by(looks.c.source_id)
        .with_for_update()
    ).all()
    for row in rows:  # as many as somebody names
        again = sorted({*orjson.loads(row.again), *wanted[row.source_id]})
        due = due_at_ms if row.wanted_at_ms is None else min(row.wanted_at_ms, due_at_ms)
        connection.execute(
            update(looks)
            .where(looks.c.source_id == row.source_id)
            .values(again=orjson.dumps(again).decode(), wanted_at_ms=due)
        )


def take(
    connection: Connection,
    turn: Turn,
    *,
    holder: int,
    living: Collection[int],
    now_ms: int,
    next_due_ms: int | None,
    limit: int,
) -> dict[str, str]:
    """Take at most so many sources that are due and that no living worker looks at; the longest due first.

    Returns for each what `give_back` needs: the files to read though unchanged, as JSON.
    """
    is_due = and_(turn.holder.is_(None), turn.due <= now_ms)
    free = (
        select(looks.c.source_id)
        .where(or_(is_due, _is_orphaned(turn, living)))
        .order_by(turn.due, looks.c.source_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(free).scalars())
    taken = (
        update(looks)
        .where(looks.c.source_id.in_(ids))
        .values({turn.holder: holder, turn.due: next_due_ms})
        .returning(looks.c.source_id, turn.again.label("files"))
    )
    return {row.source_id: row.files for row in connection.execute(taken)} if ids else {}


def give_back(connection: Connection, turn: Turn, taken: Mapping[str, str], *, holder: int) -> None:
    """Let sources go that this worker has looked at; what another has taken over since is that one's.

    The files that it was asked to read are forgotten, unless more have been asked for meanwhile.
    """
    for source_id in _held(connection, turn, taken, holder):
        if taken[source_id] != "[]":
            connection.execute(
                update(looks)
                .where(looks.c.source_id == source_id, looks.c.again == taken[source_id])
                .values(again="[]")
            )
    _let_go(connection, turn, taken, holder)


def put_off(connection: Connection, turn: Turn, taken: Mapping[str, str], *, holder: int, due_at_ms: int) -> None:
    """Let sources go that this worker could not look at; they are due again by then."""
    held = _held(connection, turn, taken, holder)
    is_later = or_(turn.due.is_(None), turn.due > due_at_ms)
    connection.execute(update(looks).where(looks.c.source_id.in_(held), is_later).values({turn.due: due_at_ms}))
    _let_go(connection, turn, taken, holder)


def _held(connection: Connection, turn: Turn, taken: Collection[str], holder: int) -> list[str]:
    """Return which of the sources are still this worker's, for this transaction; in the order of `want`."""
    statement = (
        select(looks.c.source_id)
        .where(turn.holder == holder, looks.c.source_id.in_(sorted(taken)))
        .order_by(looks.c.source_id)
        .with_for_update()
    )
    return list(connection.execute(statement).scalars())


def _let_go(connection: Connection, turn: Turn, taken: Collection[str], holder: int) -> None:
    statement = update(looks).where(turn.holder == holder, looks.c.source_id.in_(sorted(taken)))
    connection.execute(statement.values({turn.holder: None}))


def _is_orphaned(turn: Turn, living: Collection[int]) -> ColumnElement[bool]:
    """A worker's that is not there any more."""
    return and_(turn.holder.is_not(None), turn.holder.not_in(sorted(living)))
