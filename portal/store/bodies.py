"""Takes out of finished documents the relations that may not be read."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

import orjson
from sqlalchemy import Connection

from portal.store.relations import relations_of
from portal.store.sight import visibility_of


def readable(connection: Connection, bodies: Mapping[str, str]) -> Mapping[str, str]:
    """Return the finished JSON texts of entities, by reference, with the relations that a connection may read.

    A text tells relations in both directions, those that other entities declare among them. They are read for all
    texts together; a connection that sees everything gets the texts as they are.
    """
    if not bodies or visibility_of(connection).is_all:
        return bodies
    told = relations_of(connection, list(bodies))
    return {ref: _with(body, told.get(ref, ())) for ref, body in bodies.items()}


def _with(body: str, told: Collection[tuple[str, str]]) -> str:
    document = orjson.loads(body)
    every = document.get("relations") or []
    kept = frozenset(told)
    shown = [relation for relation in every if (relation["type"], relation["targetRef"]) in kept]
    if len(shown) == len(every):
        return body
    document["relations"] = shown
    # The one that is stored would tell whoever guesses what is left out that the guess is right.
    del document["metadata"]["etag"]
    document["metadata"]["etag"] = hashlib.sha1(orjson.dumps(document), usedforsecurity=False).hexdigest()
    return orjson.dumps(document).decode()
