"""Reads the graph: relations of sets of entities, slim nodes, what the rules look at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Case, ColumnElement, Connection, case, func, null, select

from portal.model.ref import EntityRef
from portal.model.relation import Relation
from portal.store.dialect import in_chunks
from portal.store.tables import entities, relations


@dataclass(frozen=True, slots=True)
class Node:
    """An entity as graphs show it; `layer` is the effective one."""

    ref: EntityRef
    kind: str
    title: str
    owner: EntityRef | None
    layer: EntityRef | None


def relations_from(
    connection: Connection, refs: Collection[EntityRef], *, types: Collection[str] | None = None
) -> list[Relation]:
    """Return the relations that leave some entities, of some types or all."""
    found: list[Relation] = []
    for chunk in in_chunks(sorted(refs)):
        statement = select(relations.c.source, relations.c.type, relations.c.target).where(
            relations.c.source.in_(chunk)
        )
        if types is not None:
            statement = statement.where(relations.c.type.in_(sorted(types)))
        found += [
            Relation(EntityRef(row.source), row.type, EntityRef(row.target))
            for row in connection.execute(statement.distinct())
        ]
    return found


def all_relations(connection: Connection, *, types: Collection[str]) -> list[Relation]:
    """Return every relation of some types."""
    statement = select(relations.c.source, relations.c.type, relations.c.target).where(
        relations.c.type.in_(sorted(types))
    )
    return [
        Relation(EntityRef(row.source), row.type, EntityRef(row.target))
        for row in connection.execute(statement.distinct())
    ]


def nodes(
    connection: Connection, *, refs: Collection[EntityRef] | None = None, default_layers: Mapping[str, str]
) -> dict[EntityRef, Node]:
    """Return entities, some or all; those not in the catalog are left out.

    An entity's layer is its own, else its system's, else that system's domain's, else its kind's default.
    """
    found: dict[EntityRef, Node] = {}
    portions: Iterator[Any] = iter([None]) if refs is None else in_chunks(sorted(refs))
    for chunk in portions:
        statement = _with_layer(default_layers)
        if chunk is not None:
            statement = statement.where(entities.c.ref.in_(chunk))
        for row in connection.execute(statement.order_by(entities.c.ref)):
            ref = EntityRef(row.ref)
            found[ref] = Node(
                ref,
                row.kind,
                row.title,
                EntityRef(row.owner) if row.owner else None,
                EntityRef(row.effective) if row.effective else None,
            )
    return found


def _with_layer(default_layers: Mapping[str, str]) -> Any:
    systems, domains = entities.alias("systems"), entities.alias("domains")
    defaults: ColumnElement[Any] | Case[Any] = null()
    if default_layers:
        defaults = case(
            *((entities.c.kind == kind, f"layer:default/{name}") for kind, name in sorted(default_layers.items())),
            else_=None,
        )
    own_domain = func.coalesce(systems.c.domain, entities.c.domain)
    effective = func.coalesce(entities.c.layer, systems.c.layer, domains.c.layer, defaults)
    return (
        select(entities.c.ref, entities.c.kind, entities.c.title, entities.c.owner, effective.label("effective"))
        .outerjoin(systems, systems.c.ref == entities.c.system)
        .outerjoin(domains, domains.c.ref == own_domain)
    )


def declared_of_kinds(connection: Connection, kinds: Collection[str]) -> dict[EntityRef, Mapping[str, Any]]:
    """Return the finished documents of all entities of some kinds (lower case)."""
    statement = select(entities.c.ref, entities.c.body).where(entities.c.kind.in_(sorted(kinds)))
    return {
        EntityRef(row.ref): orjson.loads(row.body) for row in connection.execute(statement.order_by(entities.c.ref))
    }


def declared_with_relation(connection: Connection, relation: str) -> dict[EntityRef, Mapping[str, Any]]:
    """Return the finished documents of all entities that have a relation of a type."""
    having = select(relations.c.source).where(relations.c.type == relation)
    statement = select(entities.c.ref, entities.c.body).where(entities.c.ref.in_(having))
    return {EntityRef(row.ref): orjson.loads(row.body) for row in connection.execute(statement)}
