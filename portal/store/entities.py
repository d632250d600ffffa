"""Writes the rows of entities, reads what they are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from portal.model.ref import EntityRef
from portal.store.bulk import insert_rows
from portal.store.dialect import among, in_chunks
from portal.store.index import IndexWriter
from portal.store.search import delete_words
from portal.store.tables import documents, entities, sources
from portal.store.versions import declared_by_documents


class Claim(NamedTuple):
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
    is_orphan: bool = False


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
    is_orphan: bool


def claims_on(connection: Connection, refs: Sequence[str]) -> dict[EntityRef, list[Claim]]:
    """Return all documents that claim these entities, the oldest first."""
    columns = (
        documents.c.id,
        documents.c.ref,
        documents.c.source_id,
        documents.c.location,
        documents.c.line,
        documents.c.digest,
        documents.c.commit,
        documents.c.author,
        documents.c.authored_at_ms,
        documents.c.is_orphan,
    )
    found: dict[EntityRef, list[Claim]] = {}
    for chunk in in_chunks(refs):
        for row in connection.execute(select(*columns).where(among(documents.c.ref, chunk)).order_by(documents.c.id)):
            ref = EntityRef(row.ref)
            found.setdefault(ref, []).append(
                Claim(
                    row.id,
                    ref,
                    row.source_id,
                    row.location,
                    row.line,
                    row.digest,
                    row.commit,
                    row.author,
                    row.authored_at_ms,
                    row.is_orphan,
                )
            )
    return found


def declared_texts(connection: Connection, document_ids: Sequence[int]) -> dict[int, str]:
    """Return the declared JSON of documents, by id."""
    found: dict[int, str] = {}
    for chunk in in_chunks(document_ids):
        rows = connection.execute(select(documents.c.id, declared_by_documents()).where(among(documents.c.id, chunk)))
        found.update((row.id, row.declared) for row in rows)
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
        for row in connection.execute(select(*columns).where(among(entities.c.ref, chunk))):
            ref = EntityRef(row.ref)
            found[ref] = HeldEntity(row.id, ref, row.uid, row.document_id, row.source_id, row.location, row.digest)
    return found


def are_there_any(connection: Connection) -> bool:
    """Return whether the catalog has any entity."""
    return connection.execute(select(entities.c.id).limit(1)).first() is not None


def refs_of_uids(connection: Connection, uids: Sequence[str]) -> dict[str, EntityRef]:
    """Return the references of entities by uid."""
    found: dict[str, EntityRef] = {}
    for chunk in in_chunks(uids):
        rows = connection.execute(select(entities.c.uid, entities.c.ref).where(entities.c.uid.in_(chunk)))
        found.update((row.uid, EntityRef(row.ref)) for row in rows)
    return found


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
    """Delete entities with their index entries and words; relations are the business of `RelationWriter`."""
    IndexWriter(connection).sync(dict.fromkeys(ids, ()))
    for chunk in in_chunks(ids):
        connection.execute(delete(entities).where(entities.c.id.in_(chunk)))
    delete_words(connection, ids)


def stitch_inputs(connection: Connection, refs: Sequence[str]) -> list[StitchInput]:
    """Return what the finished forms of these entities are made from; those not in the catalog are left out."""
    found: list[StitchInput] = []
    for chunk in in_chunks(refs):
        statement = (
            select(
                entities.c.id,
                entities.c.ref,
                entities.c.uid,
                declared_by_documents(),
                entities.c.location,
                sources.c.type,
                sources.c.target,
                documents.c.is_orphan,
            )
            .join(documents, documents.c.id == entities.c.document_id)
            .join(sources, sources.c.id == entities.c.source_id)
            .where(among(entities.c.ref, chunk))
        )
        found += [
            StitchInput(
                row.id,
                EntityRef(row.ref),
                row.uid,
                row.declared,
                row.location,
                f"{row.type}:{row.target}",
                row.is_orphan,
            )
            for row in connection.execute(statement)
        ]
    return found
