"""Chooses revisions that stand for stretches of time."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from portal.store.tables import revisions

_HOUR = 3_600_000
_DAY = 24 * _HOUR
#: The stretches that are tried, in milliseconds, the shortest first.
_STRETCHES = (60_000, _HOUR, 6 * _HOUR, _DAY, 7 * _DAY, 30 * _DAY, 90 * _DAY, 365 * _DAY)


class Stretch(NamedTuple):
    """A stretch of time that has revisions: which it is, its last revision, and when that was recorded."""

    number: int
    revision: int
    recorded_at_ms: int


class Stretches(NamedTuple):
    """Stretches of equal length, in milliseconds, the oldest first; of length 0 each is one revision."""

    length_ms: int
    items: list[Stretch]

    def number_of(self, revision: int, recorded_at_ms: int) -> int:
        """Return the number of the stretch that a revision is in."""
        return recorded_at_ms // self.length_ms if self.length_ms else revision


def stretches(connection: Connection, *, most: int) -> Stretches:
    """Return the shortest stretches, of which there are few enough, that hold all revisions; two statements.

    Each is its last revision, so that all but the newest stay what they are when more revisions come.
    """
    recorded = revisions.c.recorded_at_ms
    count, first, last = connection.execute(select(func.count(), func.min(recorded), func.max(recorded))).one()
    if not count:
        return Stretches(0, [])
    length = 0
    if count > most:
        fitting = (one for one in _STRETCHES if last // one - first // one < most)
        length = next(fitting, (last - first) // (most - 1) + 1)
    number = recorded // length if length else revisions.c.revision
    rows = connection.execute(
        select(number, func.max(revisions.c.revision), func.max(recorded)).group_by(number).order_by(number)
    )
    return Stretches(length, [Stretch(*row) for row in rows])
