"""Writes entities: the rows, relations, index entries, versions that follow from documents."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from portal.model.leaves import Leaf
from portal.model.ref import EntityRef
from portal.model.relation import Relation
from portal.store.dialect import in_chunks, insert_rows
from portal.store.tables import documents, entities, postings, relations, sources, terms, versions


@dataclass(frozen=True, slots=True)
class Claim:
    """A document that says it is the entity `ref`."""

    id: int
    ref: EntityRef
    source_id: str
    location: str
    line: int
    digest: str
    commit: str
    author: str
    authored_at_ms: int | None
    declared: str


@dataclass(frozen=True, slots=True)
class HeldEntity:
    """An entity as it is held now."""

    id: int
    ref: EntityRef
    uid: str
    document_id: int
    source_id: str
    location: str
    digest: str


@dataclass(frozen=True, slots=True)
class StitchInput:
    """What the finished form of an entity is made from."""

    id: int
    ref: EntityRef
    uid: str
    declared: str
    location: str
    origin: str
    relations: list[tuple[str, str]]


def claims_on(connection: Connection, refs: Sequence[str]) -> dict[EntityRef, list[Claim]]:
    """Return all documents that claim these entities, the oldest first."""
    found: dict[EntityRef, list[Claim]] = {}
    for chunk in in_chunks(refs):
        for row in connection.execute(select(documents).where(documents.c.ref.in_(chunk)).order_by(documents.c.id)):
            ref = EntityRef(row.ref)
            claim = Claim(
                row.id,
                ref,
                row.source_id,
                row.location,
                row.line,
                row.digest,
                row.commit,
                row.author,
                row.authored_at_ms,
                row.declared,
            )
            found.setdefault(ref, []).append(claim)
    return found


def held_entities(connection: Connection, refs: Sequence[str]) -> dict[EntityRef, HeldEntity]:
    """Return the entities with these references that are in the catalog."""
    found: dict[EntityRef, HeldEntity] = {}
    columns = (
        entities.c.id,
        entities.c.ref,
        entities.c.uid,
        entities.c.document_id,
        entities.c.source_id,
        entities.c.location,
        entities.c.digest,
    )
    for chunk in in_chunks(refs):
        for row in connection.execute(select(*columns).where(entities.c.ref.in_(chunk))):
            ref = EntityRef(row.ref)
            found[ref] = HeldEntity(row.id, ref, row.uid, row.document_id, row.source_id, row.location, row.digest)
    return found


def next_entity_id(connection: Connection) -> int:
    """Return the first id that no entity has had in this catalog's present rows."""
    return int(connection.execute(select(func.coalesce(func.max(entities.c.id), 0))).scalar_one()) + 1


def insert_entities(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert entity rows, complete."""
    insert_rows(connection, entities, rows)


def update_entities(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Bring entities, given by `id`, to the columns given; all rows give the same columns."""
    if rows:
        columns = [name for name in rows[0] if name != "id"]
        statement = (
            update(entities)
            .where(entities.c.id == bindparam("row_id"))
            .values({name: bindparam(f"new_{name}") for name in columns})
        )
        connection.execute(
            statement, [{"row_id": row["id"]} | {f"new_{name}": row[name] for name in columns} for row in rows]
        )


def delete_entities(connection: Connection, ids: Sequence[int]) -> None:
    """Delete entities with their index entries; relations are the business of `sync_relations`."""
    for chunk in in_chunks(ids):
        connection.execute(delete(postings).where(postings.c.entity_id.in_(chunk)))
        connection.execute(delete(entities).where(entities.c.id.in_(chunk)))


def sync_relations(connection: Connection, wanted: Mapping[EntityRef, Collection[Relation]]) -> set[EntityRef]:
    """Bring the relations that some entities declare to what is wanted; return the sources of those that changed.

    `wanted` maps each declaring entity to its relations in both directions; what is as it should be is not written.
    """
    desired = {(*relation, origin) for origin, found in wanted.items() for relation in found}
    present: set[tuple[str, str, str, str]] = set()
    for chunk in in_chunks(list(wanted)):
        rows = connection.execute(select(relations).where(relations.c.origin.in_(chunk)))
        present.update((row.source, row.type, row.target, row.origin) for row in rows)
    obsolete = sorted(present - desired)
    missing = sorted(desired - present)
    if obsolete:
        statement = delete(relations).where(
            relations.c.source == bindparam("old_source"),
            relations.c.type == bindparam("old_type"),
            relations.c.target == bindparam("old_target"),
            relations.c.origin == bindparam("old_origin"),
        )
        names = ("old_source", "old_type", "old_target", "old_origin")
        connection.execute(statement, [dict(zip(names, row, strict=True)) for row in obsolete])
    columns = ("source", "type", "target", "origin")
    insert_rows(connection, relations, [dict(zip(columns, row, strict=True)) for row in missing])
    return {EntityRef(row[0]) for row in (*obsolete, *missing)}


def stitch_inputs(connection: Connection, refs: Sequence[str]) -> list[StitchInput]:
    """Return what the finished forms of these entities are made from; those not in the catalog are left out."""
    found: list[StitchInput] = []
    for chunk in in_chunks(refs):
        outgoing: dict[str, set[tuple[str, str]]] = {}
        for row in connection.execute(
            select(relations.c.source, relations.c.type, relations.c.target).where(relations.c.source.in_(chunk))
        ):
            outgoing.setdefault(row.source, set()).add((row.type, row.target))
        statement = (
            select(
                entities.c.id,
                entities.c.ref,
                entities.c.uid,
                entities.c.location,
                documents.c.declared,
                sources.c.type,
                sources.c.target,
            )
            .join(documents, documents.c.id == entities.c.document_id)
            .join(sources, sources.c.id == entities.c.source_id)
            .where(entities.c.ref.in_(chunk))
        )
        found += [
            StitchInput(
                row.id,
                EntityRef(row.ref),
                row.uid,
                row.declared,
                row.location,
                f"{row.type}:{row.target}",
                sorted(outgoing.get(row.ref, ())),
            )
            for row in connection.execute(statement)
        ]
    return found


def sync_index(connection: Connection, wanted: Mapping[int, Collection[Leaf]]) -> None:
    """Bring the index entries of some entities, given by id, to their leaves; only differences are written."""
    term_ids = _term_ids(
        connection, {(leaf.key, leaf.value, leaf.display) for found in wanted.values() for leaf in found}
    )
    desired = {
        (term_ids[leaf.key, leaf.value, leaf.display], entity_id)
        for entity_id, found in wanted.items()
        for leaf in found
    }
    present: set[tuple[int, int]] = set()
    for chunk in in_chunks(list(wanted)):
        rows = connection.execute(
            select(postings.c.term_id, postings.c.entity_id).where(postings.c.entity_id.in_(chunk))
        )
        present.update((row.term_id, row.entity_id) for row in rows)
    obsolete = sorted(present - desired)
    if obsolete:
        statement = delete(postings).where(
            postings.c.term_id == bindparam("old_term"), postings.c.entity_id == bindparam("old_entity")
        )
        connection.execute(statement, [{"old_term": term, "old_entity": entity} for term, entity in obsolete])
    insert_rows(
        connection,
        postings,
        [{"term_id": term, "entity_id": entity} for term, entity in sorted(desired - present)],
    )


def _term_ids(connection: Connection, wanted: set[tuple[str, str, str]]) -> dict[tuple[str, str, str], int]:
    """Return the id of each term, adding those that are new."""
    found: dict[tuple[str, str, str], int] = {}
    for chunk in in_chunks(sorted({value for _, value, _ in wanted})):
        for row in connection.execute(select(terms).where(terms.c.value.in_(chunk))):
            found[row.key, row.value, row.display] = row.id
    missing = sorted(wanted - found.keys())
    if missing:
        first = int(connection.execute(select(func.coalesce(func.max(terms.c.id), 0))).scalar_one()) + 1
        added = dict(zip(missing, range(first, first + len(missing)), strict=True))
        insert_rows(
            connection,
            terms,
            [
                {"id": number, "key": key, "value": value, "display": display}
                for (key, value, display), number in added.items()
            ],
        )
        found |= added
    return found


def insert_versions(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append versions; none is ever rewritten."""
    insert_rows(connection, versions, rows)
