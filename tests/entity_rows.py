"""Finished entities as rows of a database, for tests of reading that want no git in between."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from portal.model.entity import ref_of
from portal.model.leaves import LeafMemory, indexed_leaves
from portal.store import entities
from portal.store.bulk import insert_tuples
from portal.store.database import Connection, Database
from portal.store.index import IndexWriter, number_list
from portal.store.numbering import Numbering
from portal.store.tables import refs, relation_types, relations
from portal.store.terms import TermWriter


def document(kind: str, name: str, *, metadata: Mapping[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """Return a finished entity; its uid follows from its name."""
    uid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{name}"))
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default", "uid": uid, "etag": "e"} | dict(metadata or {}),
        "relations": [],
    } | members


def insert(database: Database, documents: Sequence[Mapping[str, Any]], *, source: str = "s") -> None:
    """Insert finished entities with their index; relations are declared by the source, the target, or both in turn."""
    with database.writing() as connection:
        numbers = insert_edges(
            connection,
            [
                (str(ref_of(item)), found["type"], found["targetRef"], is_inverse)
                for number, item in enumerate(documents)
                for found in item["relations"]
                for is_inverse in ((False,), (True,), (False, True))[number % 3]
            ],
            refs_too=[str(ref_of(item)) for item in documents],
        )
        index, memory = IndexWriter(connection), LeafMemory()
        places = [indexed_leaves(item, memory=memory) for item in documents]
        terms = TermWriter(connection).ids(memory.leaves)
        entries = {
            numbers[ref_of(item)]: [terms[place] for place in found]
            for item, found in zip(documents, places, strict=True)
        }
        rows = [
            {
                "id": numbers[ref_of(item)],
                "ref": ref_of(item),
                "uid": item["metadata"]["uid"],
                "etag": item["metadata"]["etag"],
                "kind": ref_of(item).kind,
                "title": item["metadata"]["name"],
                "document_id": 0,
                "source_id": source,
                "location": "file:/a",
                "digest": "",
                "owner": None,
                "system": None,
                "domain": None,
                "layer": None,
                "body": orjson.dumps(item).decode(),
                "term_ids": number_list(entries[numbers[ref_of(item)]]),
            }
            for item in documents
        ]
        index.sync(entries, new=entries)
        index.flush()
        entities.insert_entities(connection, rows)


def insert_edges(
    connection: Connection, edges: Iterable[tuple[str, str, str, bool]], *, refs_too: Iterable[str] = ()
) -> Mapping[str, int]:
    """Insert relations (source, type, target, is_inverse); return the numbers of all references."""
    edges = sorted({*edges})
    numbering, types = Numbering(connection, refs, "ref"), Numbering(connection, relation_types, "name")
    named = sorted({*refs_too} | {ref for source, _, target, _ in edges for ref in (source, target)})
    numbers = numbering.ids(named)
    kinds = types.ids([kind for _, kind, _, _ in edges])
    rows = [(numbers[source], kinds[kind], numbers[target], is_inverse) for source, kind, target, is_inverse in edges]
    numbering.flush()
    types.flush()
    insert_tuples(connection, relations, ("source_id", "type_id", "target_id", "is_inverse"), rows)
    return numbers
