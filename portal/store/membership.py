"""Follows people into their groups."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from portal.model.ref import EntityRef
from portal.store.dialect import in_chunks
from portal.store.tables import entities, relations

_PARENT_TYPES = ("memberOf", "childOf")


def groups_of(connection: Connection, users: Collection[EntityRef]) -> dict[EntityRef, list[EntityRef]]:
    """Return the groups of each of the users that are in the catalog, through all parents, sorted.

    One statement for all of them, however deep the groups are nested; groups that are each other's parents end it too.
    """
    found: dict[EntityRef, list[EntityRef]] = {}
    for chunk in in_chunks(sorted(ref for ref in users if "\0" not in ref)):
        reached = (
            select(entities.c.ref.label("user"), entities.c.ref.label("ref"))
            .where(entities.c.ref.in_(chunk))
            .cte("reached", recursive=True)
        )
        further = select(reached.c.user, relations.c.target).where(
            relations.c.source == reached.c.ref,
            relations.c.type.in_(_PARENT_TYPES),
            relations.c.target.like("group:%"),
        )
        both = reached.union(further)
        for user, ref in connection.execute(select(both.c.user, both.c.ref)):
            groups = found.setdefault(EntityRef(user), [])
            if ref != user:
                groups.append(EntityRef(ref))
    return {user: sorted(found[user]) for user in sorted(found)}
