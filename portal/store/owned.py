"""Counts what some answer for."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from portal.model.ref import EntityRef
from portal.store.dialect import among
from portal.store.tables import entities


def counts_of_owners(connection: Connection, owners: Collection[EntityRef]) -> dict[str, int]:
    """Return how many entities of each kind (lower case) some answer for, sorted."""
    counted = (
        select(entities.c.kind, func.count())
        .where(among(entities.c.owner, sorted(owners)))
        .group_by(entities.c.kind)
        .order_by(entities.c.kind)
    )
    return {kind: count for kind, count in connection.execute(counted)}  # noqa: C416  # rows are no pairs to mypy
