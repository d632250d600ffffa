"""Finished entities as rows of a database, for tests of reading that want no git in between."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from portal.model.entity import ref_of
from portal.model.leaves import LeafMemory, indexed_leaves
from portal.store import entities
from portal.store.bulk import insert_tuples
from portal.store.database import Database
from portal.store.index import IndexWriter, number_list
from portal.store.tables import relation_types, relations


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
        first = entities.next_entity_id(connection)
        index, memory = IndexWriter(connection), LeafMemory()
        places = [indexed_leaves(item, memory=memory) for item in documents]
        terms = index.term_ids(memory.leaves)
        entries = {first + number: [terms[place] for place in found] for number, found in enumerate(places)}
        rows = [
            {
                "id": first + number,
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
                "term_ids": number_list(entries[first + number]),
            }
            for number, item in enumerate(documents)
        ]
        index.sync(entries, new=entries)
        index.flush()
        entities.insert_entities(connection, rows)
        edges = {
            (str(ref_of(item)), found["type"], found["targetRef"], is_inverse)
            for number, item in enumerate(documents)
            for found in item["relations"]
            for is_inverse in ((False,), (True,), (False, True))[number % 3]
        }
        known = set(connection.execute(relation_types.select()).scalars())
        insert_tuples(connection, relations, ("source", "type", "target", "is_inverse"), sorted(edges))
        insert_tuples(connection, relation_types, ("name",), [(name,) for name in {edge[1] for edge in edges} - known])
