"""Keeps since when there are findings: of what follows from the catalog only marks are stored."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select, update

from portal.store.bulk import insert_rows
from portal.store.dialect import among, in_chunks
from portal.store.tables import finding_marks, revisions


class Seen(NamedTuple):
    """When a finding came up: not yet there at the revision `after`, there at `revision`."""

    after: int
    revision: int


def last_look(connection: Connection) -> int:
    """Return the newest revision whose findings have been marked; 0 where none has been."""
    newest = select(func.coalesce(func.max(revisions.c.revision), 0)).where(revisions.c.is_marked)
    return int(connection.execute(newest).scalar_one())


def marks(connection: Connection) -> dict[str, Seen]:
    """Return when each marked finding came up, by its mark."""
    columns = (finding_marks.c.mark, finding_marks.c.after_revision, finding_marks.c.revision)
    return {mark: Seen(after, revision) for mark, after, revision in connection.execute(select(*columns)).all()}


def set_marks(connection: Connection, found: Collection[str], *, after: int, revision: int) -> None:
    """Bring the marks to those found at a revision; new ones were not there at the look before, `after`."""
    known = set(connection.execute(select(finding_marks.c.mark)).scalars())
    wanted = set(found)
    for chunk in in_chunks(sorted(known - wanted)):
        connection.execute(delete(finding_marks).where(among(finding_marks.c.mark, chunk)))
    insert_rows(
        connection,
        finding_marks,
        [{"mark": mark, "after_revision": after, "revision": revision} for mark in sorted(wanted - known)],
    )
    connection.execute(update(revisions).where(revisions.c.revision == revision).values(is_marked=True))
