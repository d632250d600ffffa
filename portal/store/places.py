"""Finds where in files entities stand."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, select

from portal.model.location import GENERATED_PREFIX
from portal.model.ref import EntityRef
from portal.store.dialect import among, in_chunks
from portal.store.tables import documents, entities


class DocumentPlace(NamedTuple):
    """The file of a document, as `type:target`, with the line where it begins, from 1."""

    location: str
    line: int


def places_of(connection: Connection, refs: Collection[EntityRef]) -> dict[EntityRef, DocumentPlace]:
    """Return where the documents stand that entities are made from; those that no file declares are left out."""
    found: dict[EntityRef, DocumentPlace] = {}
    held = select(entities.c.ref, documents.c.location, documents.c.line).join(
        documents, documents.c.id == entities.c.document_id
    )
    for chunk in in_chunks(sorted({ref for ref in refs if "\0" not in ref})):
        for ref, location, line in connection.execute(held.where(among(entities.c.ref, chunk))):
            if not location.startswith(GENERATED_PREFIX):
                found[EntityRef(ref)] = DocumentPlace(location, line)
    return found
