"""Counts what stands in each layer, in sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select

from portal.model.ref import PEOPLE, EntityRef
from portal.store.graph import with_declared_layer
from portal.store.tables import entities, postings, terms


@dataclass(frozen=True, slots=True)
class Standing:
    """How many entities of a kind (lower case) an owner has in a layer; `owner_exists` as a group or user."""

    layer: EntityRef | None
    kind: str
    owner: EntityRef | None
    owner_exists: bool
    count: int


def standings(connection: Connection, *, default_layers: Mapping[str, str]) -> list[Standing]:
    """Return how many entities of which kind each owner has in which effective layer."""
    people = entities.alias("people")
    told = (
        with_declared_layer(entities.c.kind, entities.c.owner, people.c.id.is_not(None).label("owner_exists"))
        .outerjoin(people, and_(people.c.ref == entities.c.owner, people.c.kind.in_(PEOPLE)))
        .subquery()
    )
    columns = (told.c.layer, told.c.kind, told.c.owner, told.c.owner_exists)
    rows = connection.execute(select(*columns, func.count()).group_by(*columns)).all()
    defaults = {kind: EntityRef.of("layer", "default", name) for kind, name in default_layers.items()}
    return [
        Standing(
            EntityRef(layer) if layer else defaults.get(kind),
            kind,
            EntityRef(owner) if owner else None,
            bool(exists),
            count,
        )
        for layer, kind, owner, exists, count in rows
    ]


def types_of(connection: Connection) -> dict[str, str]:
    """Return the `spec.type` of all entities that have one, lower case."""
    rows = connection.execute(
        select(entities.c.ref, terms.c.value)
        .select_from(terms)
        .join(postings, postings.c.term_id == terms.c.id)
        .join(entities, entities.c.id == postings.c.entity_id)
        .where(terms.c.key == "spec.type")
    ).all()
    return {ref: value for ref, value in rows}  # noqa: C416  # rows are no pairs to mypy
