"""Reads the graph: relations of sets of entities, slim nodes, what the rules look at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Self

import orjson
from sqlalchemy import ColumnElement, Connection, Select, func, select

from portal.model.ref import EntityRef
from portal.model.relation import Relation
from portal.model.value import value
from portal.store.bodies import readable
from portal.store.dialect import WANTED, among, among_wanted, in_chunks
from portal.store.relations import SOURCES, TARGETS, is_of_types, relations_by_ref, type_names
from portal.store.tables import entities, refs, relations

_TOLD = (SOURCES.c.ref, relations.c.type_id, TARGETS.c.ref)
_STEP = (SOURCES.c.ref, TARGETS.c.ref)


@value
class Node:
    """An entity as graphs show it; `layer` is the effective one, `system` the one it is part of.

    One that is not `is_there` is named by others, and not in the catalog.
    """

    ref: EntityRef
    kind: str
    title: str
    owner: EntityRef | None
    layer: EntityRef | None
    system: EntityRef | None = None
    is_there: bool = True

    @classmethod
    def missing(cls, ref: EntityRef) -> Self:
        """Return how graphs show an entity that is named but not in the catalog: it has neither layer nor owner."""
        return cls(ref, ref.kind, ref.name, None, None, is_there=False)

    def to_json(self) -> dict[str, Any]:
        """Return the node as JSON tells it; `exists` says of one that is not there that it is not."""
        told = {"ref": self.ref, "kind": self.kind, "title": self.title, "layer": self.layer, "owner": self.owner}
        return told if self.is_there else told | {"exists": False}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Return the node that JSON tells of."""
        owner, layer = told["owner"], told["layer"]
        return cls(
            EntityRef(told["ref"]),
            told["kind"],
            told["title"],
            EntityRef(owner) if owner else None,
            EntityRef(layer) if layer else None,
            is_there=told.get("exists", True),
        )


def named_among(connection: Connection, wanted: Collection[EntityRef]) -> set[EntityRef]:
    """Return those of some references that a relation leads to, in the catalog or not."""
    # All types are named for the index, which begins with them.
    leads_there = relations.c.type_id.in_(sorted(type_names(connection))), relations.c.target_id == refs.c.id
    is_named = select(relations.c.target_id).where(*leads_there).correlate(refs).exists()
    # No text that the store holds has a NUL, and none may be asked for.
    asked = sorted(ref for ref in wanted if "\0" not in ref)
    found = connection.execute(select(refs.c.ref).where(among(refs.c.ref, asked), is_named))
    return {EntityRef(ref) for ref in found.scalars()}


def relations_from(
    connection: Connection, refs: Collection[EntityRef], *, types: Collection[str]
) -> frozenset[Relation]:
    """Return the relations of some types that leave some entities."""
    names = type_names(connection)
    return frozenset(
        Relation(EntityRef(source), names[number], EntityRef(target))
        for rows in _leaving(connection, _TOLD, refs, types=types)
        for source, number, target in rows
    )


def steps_from(
    connection: Connection, refs: Collection[EntityRef], *, types: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield where relations of some types lead from some entities, as (from, to); a step may come twice."""
    for rows in _leaving(connection, _STEP, refs, types=types):
        yield from rows


def neighbour_counts(
    connection: Connection, refs: Collection[EntityRef], *, types: Collection[str]
) -> dict[EntityRef, int]:
    """Return to how many others relations of some types lead from each of some entities; those without are left out."""
    number = func.count(TARGETS.c.id.distinct())
    return {
        EntityRef(source): found
        for chunk in in_chunks(sorted(_storable(refs)))
        for source, found in connection.execute(
            relations_by_ref(SOURCES.c.ref, number)
            .where(is_of_types(types), relations.c.source_id.in_(_wanted_numbers()))
            .group_by(SOURCES.c.ref),
            {WANTED: chunk},
        ).all()
    }


def first_targets(
    connection: Connection, ref: EntityRef, *, types: Sequence[str], limit: int
) -> dict[str, tuple[int, list[EntityRef]]]:
    """Return where relations of some types lead from an entity, by type: how many there are, then the first, sorted."""
    found: dict[str, tuple[int, list[EntityRef]]] = {}
    for name in types:
        leading = _leaving_statement((TARGETS.c.ref,), (name,)).distinct()
        count = connection.execute(select(func.count()).select_from(leading.subquery()), {WANTED: [ref]}).scalar_one()
        rows = connection.execute(leading.order_by(TARGETS.c.ref).limit(limit), {WANTED: [ref]}) if count else None
        found[name] = (count, list(map(EntityRef, rows.scalars())) if rows is not None else [])
    return found


def steps_beyond(
    connection: Connection, refs: Collection[EntityRef], *, types: Collection[str]
) -> dict[EntityRef, list[EntityRef]]:
    """Return where relations of some types lead from some entities, and from all that they lead to.

    Targets are sorted, each once; cycles end. One statement walks all of the way, whatever its length.
    """
    statement = _beyond(tuple(sorted(types)))
    steps = {
        (source, target)
        for chunk in in_chunks(sorted(_storable(refs)))
        for source, target in connection.execute(statement, {WANTED: chunk}).all()
    }
    found: dict[EntityRef, list[EntityRef]] = {}
    for source, target in sorted(steps):
        found.setdefault(EntityRef(source), []).append(EntityRef(target))
    return found


def targets_by_source(connection: Connection, *, types: Collection[str]) -> dict[str, dict[EntityRef, list[EntityRef]]]:
    """Return where every relation of some types leads, sorted, each once, by type and the entity that it leaves.

    References are read once and relations by number: joined, each would be read and made as often as it is named.
    """
    names = type_names(connection)
    columns = (relations.c.source_id, relations.c.type_id, relations.c.target_id)
    rows = connection.execute(select(*columns).where(is_of_types(types))).all()
    named = {number: EntityRef(ref) for number, ref in connection.execute(select(refs.c.id, refs.c.ref)).all()}
    found: dict[str, dict[EntityRef, list[EntityRef]]] = {name: {} for name in types}
    by_number = {number: found[name] for number, name in names.items() if name in found}
    for source, number, target in rows:
        by_number[number].setdefault(named[source], []).append(named[target])
    # What both ends declare stands there twice.
    return {name: {source: sorted({*listed}) for source, listed in targets.items()} for name, targets in found.items()}


def all_steps(connection: Connection, *, types: Collection[str]) -> list[tuple[EntityRef, EntityRef]]:
    """Return where every relation of some types leads, as (from, to); a step may come twice.

    References are read once and relations by number, as `targets_by_source` does.
    """
    rows = connection.execute(select(relations.c.source_id, relations.c.target_id).where(is_of_types(types))).all()
    named = {number: EntityRef(ref) for number, ref in connection.execute(select(refs.c.id, refs.c.ref)).all()}
    return [(named[source], named[target]) for source, target in rows]


def nodes(
    connection: Connection, *, refs: Collection[EntityRef] | None = None, default_layers: Mapping[str, str]
) -> dict[EntityRef, Node]:
    """Return entities, some or all, sorted; those not in the catalog are left out.

    An entity's layer is its own, else its system's, else that system's domain's, else its kind's default, which
    `default_layers` names by kind (lower case); a System's layer is its own, else its domain's.
    """
    defaults = _default_layers(default_layers)
    portions: list[Sequence[Any]]
    if refs is None:
        portions = [connection.execute(_nodes()).all()]
    else:
        portions = [
            connection.execute(_nodes_of(), {WANTED: chunk}).all() for chunk in in_chunks(sorted(_storable(refs)))
        ]
    found = [node for rows in portions for node in _made(rows, defaults)]
    return {node.ref: node for node in sorted(found, key=lambda node: node.ref)}


def nodes_by_number(
    connection: Connection, numbers: Collection[int], *, default_layers: Mapping[str, str]
) -> dict[int, Node]:
    """Return those of the entities that are in the catalog, by number."""
    defaults = _default_layers(default_layers)
    found: dict[int, Node] = {}
    for chunk in in_chunks([*numbers]):
        rows = connection.execute(_nodes_by_number(), {WANTED: chunk}).all()
        found.update(zip([row[0] for row in rows], _made([row[1:] for row in rows], defaults), strict=True))
    return found


def owned_page(
    connection: Connection, owners: Collection[EntityRef], *, limit: int, offset: int, default_layers: Mapping[str, str]
) -> list[Node]:
    """Return a page of all entities that some answer for, sorted; owners of few are looked for among all entities."""
    wanted = _nodes().where(among(entities.c.owner, sorted(owners))).order_by(entities.c.ref)
    rows = connection.execute(wanted.limit(limit).offset(offset)).all()
    return list(_made(rows, _default_layers(default_layers)))


def of_kind(connection: Connection, kind: str, *, limit: int, default_layers: Mapping[str, str]) -> list[Node]:
    """Return the first entities of a kind (lower case), by title."""
    wanted = _nodes().where(entities.c.kind == kind).order_by(entities.c.title, entities.c.ref)
    return list(_made(connection.execute(wanted.limit(limit)).all(), _default_layers(default_layers)))


def count(connection: Connection) -> int:
    """Return how many entities there are."""
    return connection.execute(select(func.count()).select_from(entities)).scalar_one()


def counts_by_layer(connection: Connection, *, default_layers: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return how many entities there are, by kind (lower case) and the reference of their effective layer, or empty."""
    told = with_declared_layer(entities.c.kind).subquery()
    rows = connection.execute(select(told.c.kind, told.c.layer, func.count()).group_by(told.c.kind, told.c.layer)).all()
    found: dict[str, dict[str, int]] = {}
    for kind, layer, count in rows:
        default = default_layers.get(kind)
        place = layer or (EntityRef.of("layer", "default", default) if default else "")
        row = found.setdefault(kind, {})
        row[place] = row.get(place, 0) + count
    return found


def counts_by_owner(connection: Connection) -> dict[EntityRef, int]:
    """Return how many entities each owner has, who has most of them first."""
    owned = func.count()
    rows = connection.execute(
        select(entities.c.owner, owned)
        .where(entities.c.owner.is_not(None))
        .group_by(entities.c.owner)
        .order_by(owned.desc(), entities.c.owner)
    )
    return {EntityRef(owner): found for owner, found in rows if owner}


def declared_of_kinds(connection: Connection, kinds: Collection[str]) -> dict[EntityRef, Mapping[str, Any]]:
    """Return the finished documents of all entities of some kinds (lower case), sorted."""
    return _documents(connection, select(entities.c.ref, entities.c.body).where(entities.c.kind.in_(sorted(kinds))))


def documents_of(connection: Connection, refs: Collection[EntityRef]) -> dict[EntityRef, Mapping[str, Any]]:
    """Return the finished documents of those of the entities that are in the catalog, sorted."""
    found: dict[EntityRef, Mapping[str, Any]] = {}
    for chunk in in_chunks(sorted(_storable(refs))):
        found |= _documents(connection, _documents_of(), {WANTED: chunk})
    return found


def declared_with_relation(connection: Connection, relation: str) -> dict[EntityRef, Mapping[str, Any]]:
    """Return the finished documents of all entities that have a relation of a type, sorted."""
    having = select(relations.c.source_id).where(is_of_types([relation]))
    return _documents(connection, select(entities.c.ref, entities.c.body).where(entities.c.id.in_(having)))


def refs_of_kinds(connection: Connection, kinds: Collection[str]) -> set[EntityRef]:
    """Return all entities of some kinds (lower case)."""
    rows = connection.execute(select(entities.c.ref).where(entities.c.kind.in_(sorted(kinds))))
    return set(map(EntityRef, rows.scalars()))


def refs_there(connection: Connection, refs: Collection[EntityRef]) -> set[EntityRef]:
    """Return those of the entities that are in the catalog."""
    found: set[EntityRef] = set()
    for chunk in in_chunks(sorted(_storable(refs))):
        rows = connection.execute(select(entities.c.ref).where(among(entities.c.ref, chunk)))
        found.update(map(EntityRef, rows.scalars()))
    return found


def _leaving(
    connection: Connection,
    columns: tuple[ColumnElement[Any], ...],
    refs: Collection[EntityRef],
    *,
    types: Collection[str],
) -> Iterator[Sequence[Any]]:
    """Yield the rows of the relations of some types that leave some entities, a portion of the entities at a time.

    Rows are fetched whole: taking them one by one was measured at three times the time.
    """
    statement = _leaving_statement(columns, tuple(sorted(types)))
    for chunk in in_chunks(sorted(_storable(refs))):
        yield connection.execute(statement, {WANTED: chunk}).all()


@cache
def _leaving_statement(columns: tuple[ColumnElement[Any], ...], types: tuple[str, ...]) -> Select[Any]:
    """Return the statement for relations of some types; to put it together takes as long as to answer it for a few.

    References become numbers first: joined, SQLite looks through all relations of a type for more than a few of them
    (measured: 39 ms for ten, not 2).
    """
    return relations_by_ref(*columns).where(is_of_types(types), relations.c.source_id.in_(_wanted_numbers()))


@cache
def _beyond(types: tuple[str, ...]) -> Select[Any]:
    """Return the statement for all steps that can be reached.

    Each number's reference is asked for by itself: PostgreSQL expects many steps, and would read all references to join
    them (measured: 40 ms, not 1).
    """
    numbers = select(relations.c.source_id, relations.c.target_id).where(is_of_types(types))
    steps = numbers.where(relations.c.source_id.in_(_wanted_numbers())).cte("steps", recursive=True)
    steps = steps.union(numbers.join(steps, relations.c.source_id == steps.c.target_id))
    named = (
        select(refs.c.ref).where(refs.c.id == end).correlate(steps).scalar_subquery()
        for end in (steps.c.source_id, steps.c.target_id)
    )
    return select(*named).select_from(steps)


def _wanted_numbers() -> Select[Any]:
    return select(refs.c.id).where(among_wanted(refs.c.ref))


def _default_layers(names: Mapping[str, str]) -> dict[str, EntityRef]:
    return {kind: EntityRef.of("layer", "default", name) for kind, name in names.items()}


def _made(rows: Iterable[Any], defaults: Mapping[str, EntityRef]) -> Iterator[Node]:
    for ref, kind, title, owner, system, layer in rows:
        yield Node(
            EntityRef(ref),
            kind,
            title,
            EntityRef(owner) if owner else None,
            EntityRef(layer) if layer else defaults.get(kind),
            EntityRef(system) if system else None,
        )


@cache
def _nodes() -> Select[Any]:
    """Return the statement for all nodes; to put it together takes as long as to answer it for a few."""
    return with_declared_layer(entities.c.ref, entities.c.kind, entities.c.title, entities.c.owner, entities.c.system)


@cache
def _nodes_of() -> Select[Any]:
    return _nodes().where(among_wanted(entities.c.ref))


@cache
def _nodes_by_number() -> Select[Any]:
    columns = (entities.c.id, entities.c.ref, entities.c.kind, entities.c.title, entities.c.owner, entities.c.system)
    return with_declared_layer(*columns).where(among_wanted(entities.c.id))


@cache
def _documents_of() -> Select[Any]:
    return select(entities.c.ref, entities.c.body).where(among_wanted(entities.c.ref))


def with_declared_layer(*columns: ColumnElement[Any]) -> Select[Any]:
    """Return the statement for columns of entities, and the layer that they or what they are part of declare."""
    systems, domains = entities.alias("systems"), entities.alias("domains")
    domain = func.coalesce(systems.c.domain, entities.c.domain)
    layer = func.coalesce(entities.c.layer, systems.c.layer, domains.c.layer)
    return (
        select(*columns, layer.label("layer"))
        .outerjoin(systems, systems.c.ref == entities.c.system)
        .outerjoin(domains, domains.c.ref == domain)
    )


def _documents(
    connection: Connection, statement: Select[Any], values: Mapping[str, Any] | None = None
) -> dict[EntityRef, Mapping[str, Any]]:
    bodies = readable(connection, {row.ref: row.body for row in connection.execute(statement, values)})
    return {EntityRef(ref): orjson.loads(body) for ref, body in sorted(bodies.items())}


def _storable(refs: Collection[EntityRef]) -> list[EntityRef]:
    """Return the references without those that no database column can hold."""
    return [ref for ref in refs if "\0" not in ref]
