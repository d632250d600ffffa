"""Follows people into their groups."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from portal.model.ref import EntityRef
from portal.model.relation import ABOVE_TYPES
from portal.store.dialect import in_chunks
from portal.store.relations import is_of_types
from portal.store.tables import entities, refs, relations


def groups_of(connection: Connection, users: Collection[EntityRef]) -> dict[EntityRef, list[EntityRef]]:
    """Return the groups of each of the users that are in the catalog, through all parents, sorted.

    One statement for all of them, however deep the groups are nested; groups that are each other's parents end it too.
    """
    found: dict[EntityRef, list[EntityRef]] = {}
    for chunk in in_chunks(sorted(ref for ref in users if "\0" not in ref)):
        reached = (
            select(entities.c.id.label("user_id"), entities.c.id.label("ref_id"))
            .where(entities.c.ref.in_(chunk))
            .cte("reached", recursive=True)
        )
        further = (
            select(reached.c.user_id, relations.c.target_id)
            .join(relations, relations.c.source_id == reached.c.ref_id)
            .join(refs, refs.c.id == relations.c.target_id)
            .where(is_of_types(ABOVE_TYPES), refs.c.ref.like("group:%"))
        )
        both = reached.union(further)
        user_refs = refs.alias("users")
        statement = select(user_refs.c.ref, refs.c.ref).select_from(
            both.join(user_refs, user_refs.c.id == both.c.user_id).join(refs, refs.c.id == both.c.ref_id)
        )
        for user, ref in connection.execute(statement).all():
            groups = found.setdefault(EntityRef(user), [])
            if ref != user:
                groups.append(EntityRef(ref))
    return {user: sorted(found[user]) for user in sorted(found)}
