"""Finished entities as rows of a database, for tests of reading that want no git in between."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from portal.model.entity import ref_of
from portal.model.leaves import leaves
from portal.store import entities
from portal.store.database import Database
from portal.store.index import IndexWriter


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
    """Insert finished entities with their index."""
    with database.writing() as connection:
        first = entities.next_entity_id(connection)
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
            }
            for number, item in enumerate(documents)
        ]
        entities.insert_entities(connection, rows)
        IndexWriter(connection).sync({first + number: leaves(item) for number, item in enumerate(documents)})
