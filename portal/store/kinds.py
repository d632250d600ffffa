"""Reads what declared kinds come from, with where their entities are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, bindparam, or_, select, update

from portal.model.ref import EntityRef
from portal.store.sight import WHOLE
from portal.store.tables import documents, entities, problems, sources

#: Problems that go when a kind comes, or come when it goes.
_KIND_CODES = ("kind-gone", "kind-unknown")


class Definition(NamedTuple):
    """A KindDefinition of the catalog; `digest` is that of the document."""

    ref: EntityRef
    digest: str
    declared: Mapping[str, Any]


def definitions(connection: Connection) -> list[Definition]:
    """Return the KindDefinitions of the catalog, those of the oldest documents first.

    All of them, whatever a connection may read: what entities mean is the same for everybody.
    """
    rows = connection.execute(
        select(entities.c.ref, entities.c.digest, entities.c.body)
        .where(entities.c.kind == "kinddefinition")
        .order_by(entities.c.document_id),
        execution_options=WHOLE,
    )
    return [Definition(EntityRef(ref), digest, orjson.loads(body)) for ref, digest, body in rows]


def files_of_kinds(
    connection: Connection, kinds: Collection[str], *, source_ids: Collection[str]
) -> dict[str, set[str]]:
    """Return the files of sources, by id, for which it matters what these kinds (lower case) mean.

    Those that hold an entity of such a kind, with those that have a problem with one, or with a kind that is not known.
    """
    found: dict[str, set[str]] = {}
    wanted = sorted(source_ids)
    for table, also in ((documents, None), (problems, problems.c.code.in_(_KIND_CODES))):
        ranges: list[ColumnElement[bool]] = [table.c.ref.like(f"{kind}:%") for kind in sorted(kinds)]
        if also is not None:
            ranges.append(also)
        statement = select(table.c.source_id, table.c.location).where(table.c.source_id.in_(wanted), or_(*ranges))
        for source_id, location in connection.execute(statement.distinct()):
            found.setdefault(source_id, set()).add(location)
    return found


def put_fingerprints(connection: Connection, changed: Mapping[str, tuple[str, str]]) -> None:
    """Give sources, by id, another fingerprint than the one they had; one that has been written meanwhile keeps its."""
    statement = (
        update(sources)
        .where(sources.c.id == bindparam("row_id"), sources.c.fingerprint == bindparam("before"))
        .values(fingerprint=bindparam("after"), generation=sources.c.generation + 1)
    )
    connection.execute(
        statement,
        [{"row_id": identity, "before": before, "after": after} for identity, (before, after) in changed.items()],
    )
