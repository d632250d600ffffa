"""Reads what the removal of an entity would touch: relations that lead to it, layers that come from it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, or_, select

from portal.model.ref import EntityRef
from portal.model.relation import Relation
from portal.store.graph import with_declared_layer
from portal.store.relations import SOURCES, TARGETS, relations_by_ref, type_names
from portal.store.tables import entities, refs, relations


def relations_around(connection: Connection, ref: EntityRef) -> list[tuple[Relation, bool]]:
    """Return the relations that lead to an entity, sorted, each with whether the entity declares it itself.

    One that both sides declare comes twice.
    """
    names = type_names(connection)
    columns = (SOURCES.c.ref, relations.c.type_id, TARGETS.c.ref, relations.c.is_inverse)
    number = select(refs.c.id).where(refs.c.ref == ref).scalar_subquery()
    # All types are named for the index, which begins with them.
    wanted = relations.c.type_id.in_(sorted(names)), relations.c.target_id == number
    statement = relations_by_ref(*columns).where(*wanted)
    rows = connection.execute(statement).all()
    found = [
        (Relation(EntityRef(source), names[number], EntityRef(target)), bool(is_inverse))
        for source, number, target, is_inverse in rows
    ]
    return sorted(found)


def layers_without(
    connection: Connection, ref: EntityRef, *, default_layers: Mapping[str, str]
) -> dict[EntityRef, tuple[EntityRef | None, EntityRef | None]]:
    """Return what would stand in another layer without a System, Domain or Layer, with the layers before and after.

    What names the Layer itself has a relation to it, and is left out. The rule is that of `portal.store.graph.nodes`.
    """
    if ref.kind == "layer":
        return _standing_in(connection, ref, default_layers=default_layers)
    if ref.kind not in {"system", "domain"}:
        return {}
    systems, domains = entities.alias("systems"), entities.alias("domains")
    others, spheres = entities.alias("others"), entities.alias("spheres")
    domain = func.coalesce(systems.c.domain, entities.c.domain)
    sphere = func.coalesce(others.c.domain, entities.c.domain)
    statement = (
        select(
            entities.c.ref,
            entities.c.kind,
            func.coalesce(systems.c.layer, domains.c.layer),
            func.coalesce(others.c.layer, spheres.c.layer),
        )
        .outerjoin(systems, systems.c.ref == entities.c.system)
        .outerjoin(domains, domains.c.ref == domain)
        .outerjoin(others, (others.c.ref == entities.c.system) & (others.c.ref != ref))
        .outerjoin(spheres, (spheres.c.ref == sphere) & (spheres.c.ref != ref))
        .where(entities.c.layer.is_(None), entities.c.ref != ref, or_(entities.c.system == ref, domain == ref))
    )
    found: dict[EntityRef, tuple[EntityRef | None, EntityRef | None]] = {}
    for other, kind, before, after in connection.execute(statement.order_by(entities.c.ref)).all():
        default = EntityRef.of("layer", "default", default_layers[kind]) if kind in default_layers else None
        told = (EntityRef(before) if before else default, EntityRef(after) if after else default)
        if told[0] != told[1]:
            found[EntityRef(other)] = told
    return found


def _standing_in(
    connection: Connection, layer: EntityRef, *, default_layers: Mapping[str, str]
) -> dict[EntityRef, tuple[EntityRef | None, EntityRef | None]]:
    kinds = [kind for kind, name in default_layers.items() if EntityRef.of("layer", "default", name) == layer]
    statement = with_declared_layer(entities.c.ref, entities.c.kind)
    placed = statement.where(entities.c.layer.is_(None)).subquery()
    place = placed.c.layer
    by_kind = place.is_(None) & placed.c.kind.in_(kinds)
    rows = connection.execute(select(placed.c.ref).where(or_(place == layer, by_kind)).order_by(placed.c.ref))
    return {EntityRef(ref): (layer, None) for ref in rows.scalars()}
