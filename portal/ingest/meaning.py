"""What documents mean beyond their place, in a form that waits or travels as bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from portal.ingest.relate import declared_targets
from portal.ingest.stitch import Frame, frame, furnished
from portal.model.entity import Entity
from portal.model.kind import Kind
from portal.model.leaves import Leaf, LeafMemory, indexed_leaves
from portal.model.relation import DeclaredRelation
from portal.model.searchable import Searchable, searchable

#: Gives the annotations that the catalog adds to the entities of a file, by its location.
Annotate = Callable[[str], Mapping[str, str]]


class Meaning(NamedTuple):
    """What an entity's document says: its JSON text, its title, what its single references name, words, leaves.

    `leaves` are the places of what the index holds among the leaves of the batch; `frame` is its finished text but for
    what only the whole catalog knows.
    """

    text: str
    title: str
    targets: Mapping[str, str]
    words: Searchable
    leaves: Sequence[int]
    frame: Frame


class Meanings(NamedTuple):
    """What the documents of a batch mean, in their order, with the leaves that they share."""

    leaves: Sequence[Leaf]
    documents: Sequence[Meaning]


class Payload(NamedTuple):
    """What the documents of a batch mean, and the relations that they declare: all of these are written first."""

    relations: bytes
    meanings: bytes


def meaning_of(
    entity: Entity,
    declared: Mapping[str, Any],
    kind: Kind,
    *,
    annotations: Mapping[str, str],
    memory: LeafMemory,
) -> Meaning:
    """Return what an entity's document means; `declared` is its text, parsed, `annotations` what the catalog adds."""
    metadata = declared["metadata"]
    document = furnished(declared, annotations)
    return Meaning(
        entity.text,
        str(metadata.get("title") or metadata["name"]),
        declared_targets(entity.ref, declared, kind),
        searchable(declared),
        indexed_leaves(document, memory=memory),
        frame(document),
    )


def pack(relations: Sequence[Sequence[DeclaredRelation]], meanings: Meanings) -> Payload:
    """Return what the documents of a batch declare and mean as bytes."""
    # The packer takes no tuples that have names.
    declared = [[*map(tuple, found)] for found in relations]
    documents = [
        (text, title, targets, tuple(words), leaves, tuple(framed))
        for text, title, targets, words, leaves, framed in meanings.documents
    ]
    return Payload(orjson.dumps(declared), orjson.dumps(([*map(tuple, meanings.leaves)], documents)))


def unpack_relations(content: bytes) -> list[list[DeclaredRelation]]:
    """Return the relations that each document of a batch declares."""
    return [[DeclaredRelation(*relation) for relation in found] for found in orjson.loads(content)]


def unpack_meanings(content: bytes) -> Meanings:
    """Return what the documents of a batch mean."""
    leaves, documents = orjson.loads(content)
    return Meanings(
        list(map(Leaf._make, leaves)),
        [
            Meaning(text, title, targets, Searchable(*words), found, Frame(*framed))
            for text, title, targets, words, found, framed in documents
        ],
    )


class Payloads:
    """Payloads by number, kept in memory."""

    def __init__(self) -> None:
        self._kept: list[Payload] = []

    def add(self, payload: Payload) -> int:
        """Keep a payload; return its number."""
        self._kept.append(payload)
        return len(self._kept) - 1

    def relations(self, number: int) -> bytes:
        """Return the packed relations of a number."""
        return self._kept[number].relations

    def meanings(self, number: int) -> bytes:
        """Return the packed meanings of a number."""
        return self._kept[number].meanings

    def close(self) -> None:
        """Let go of all that is kept."""
        self._kept.clear()
