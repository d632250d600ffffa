"""Tells how far the looks at sources are, for people who watch them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from portal.model.problem import Problem
from portal.store.looks import clock_ms
from portal.store.sources import UNREACHABLE, problem_of_row
from portal.store.tables import documents, looks, problems, sources

#: The problems that say that Portal has not even asked.
_NOT_READ = ("target-not-allowed", "target-invalid")


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source: when it is looked at next, who looks now, when it last changed, how much it holds.

    Times are in milliseconds since 1970, None where there is none; `holders` are numbers of workers, dead ones too.
    """

    due_at_ms: int | None
    wanted_at_ms: int | None
    holders: frozenset[int]
    changed_at_ms: int | None
    documents: int
    errors: int
    warnings: int


def states_of_sources(connection: Connection) -> tuple[dict[str, SourceState], int]:
    """Return the state of each source by its id, in three statements, and the time that they are of."""
    held = select(documents.c.source_id, func.count()).where(~documents.c.is_orphan).group_by(documents.c.source_id)
    counts = {row[0]: row[1] for row in connection.execute(held)}
    graded = select(problems.c.source_id, problems.c.severity, func.count()).group_by(
        problems.c.source_id, problems.c.severity
    )
    faults = {(row[0], row[1]): row[2] for row in connection.execute(graded)}
    rows = connection.execute(
        select(
            sources.c.id,
            sources.c.refreshed_at_ms,
            looks.c.due_at_ms,
            looks.c.wanted_at_ms,
            looks.c.holder,
            looks.c.wanted_holder,
        ).select_from(sources.outerjoin(looks, looks.c.source_id == sources.c.id))
    )
    found = {
        row.id: SourceState(
            row.due_at_ms,
            row.wanted_at_ms,
            frozenset(number for number in (row.holder, row.wanted_holder) if number is not None),
            row.refreshed_at_ms,
            counts.get(row.id, 0),
            faults.get((row.id, "error"), 0),
            faults.get((row.id, "warning"), 0),
        )
        for row in rows
    }
    return found, clock_ms(connection)


def unread_sources(connection: Connection) -> dict[str, Problem]:
    """Return why sources could not be read at the last look, by their ids: the first reason that was found."""
    statement = select(problems).where(problems.c.code.in_((*UNREACHABLE, *_NOT_READ)))
    rows = connection.execute(statement.order_by(problems.c.id.desc()))
    return {row.source_id: problem_of_row(row) for row in rows}
