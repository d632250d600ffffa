"""Reads which revisions changed the catalog last, with the beginning of what each changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select, union_all

from portal.store.tables import revisions, versions
from portal.store.versions import COLUMNS, Version, version_of

#: So many revisions are looked at for each that is wanted: of some a reader may read nothing.
_LOOKED_AT = 5
#: The Locations that Portal makes of the targets of others are no news to anybody.
_TOLD = ~versions.c.ref.startswith("location:default/generated-")


class News(NamedTuple):
    """What a revision changed: how many entities by the name of the change, the first of them, when in milliseconds."""

    revision: int
    recorded_at_ms: int
    counts: dict[str, int]
    versions: Sequence[Version]


def newest(connection: Connection, *, limit: int, each: int) -> list[News]:
    """Return the last revisions that changed what may be read, the newest first, with up to `each` of the changes.

    Three statements, each by key: the first ingest of a large catalog is one revision too.
    """
    looked_at = select(revisions.c.revision, revisions.c.recorded_at_ms).order_by(revisions.c.revision.desc())
    times = {number: time for number, time in connection.execute(looked_at.limit(limit * _LOOKED_AT))}  # noqa: C416  # rows are no pairs to mypy
    counted = (
        select(versions.c.revision, versions.c.change, func.count())
        .where(versions.c.revision.in_(list(times)), _TOLD)
        .group_by(versions.c.revision, versions.c.change)
    )
    counts: dict[int, dict[str, int]] = {}
    for number, change, count in connection.execute(counted):
        counts.setdefault(number, {})[change] = count
    wanted = sorted(counts, reverse=True)[:limit]
    if not wanted:
        return []
    firsts = [
        select(
            select(*COLUMNS).where(versions.c.revision == number, _TOLD).order_by(versions.c.id).limit(each).subquery()
        )
        for number in wanted
    ]
    found: dict[int, list[Version]] = {}
    for row in connection.execute(union_all(*firsts)):
        version = version_of(row)
        found.setdefault(version.revision, []).append(version)
    return [
        News(number, times[number], counts[number], sorted(found[number], key=lambda item: item.id))
        for number in wanted
    ]
