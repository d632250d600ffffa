"""Reads the groups of the catalog, in sets."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from sqlalchemy import Connection, select

from portal.model.ref import EntityRef
from portal.store.tables import entities, terms


@dataclass(frozen=True, slots=True)
class Group:
    """A group as lists show it; `type` is empty where it names none."""

    ref: EntityRef
    title: str
    type: str


def groups(connection: Connection) -> list[Group]:
    """Return all groups, sorted.

    Types are looked up among the few that there are: joined, all entities that have a type would be read.
    """
    known = select(terms.c.id, terms.c.display).where(terms.c.key == "spec.type")
    types = {number: display for number, display in connection.execute(known)}  # noqa: C416  # rows are no pairs to mypy
    wanted = select(entities.c.ref, entities.c.title, entities.c.term_ids).where(entities.c.kind == "group")
    return [
        Group(EntityRef(ref), title, next((types[number] for number in orjson.loads(numbers) if number in types), ""))
        for ref, title, numbers in connection.execute(wanted.order_by(entities.c.ref))
    ]
