"""What documents mean beyond their place, in a form that waits or travels as bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from portal.ingest.relate import declared_relations, declared_targets
from portal.ingest.stitch import Frame, frame, furnished
from portal.model.entity import Entity
from portal.model.kind import Kind
from portal.model.leaves import Leaf, LeafMemory, indexed_leaves
from portal.model.relation import DeclaredRelation
from portal.model.searchable import Searchable, searchable

#: Gives the annotations that the catalog adds to the entities of a file, by its location.
Annotate = Callable[[str], Mapping[str, str]]


class Meaning(NamedTuple):
    """What an entity's document says: its JSON, its title, what its single references name, relations, words, leaves.

    `leaves` are the places of what the index holds among the leaves of the batch; `frame` is its finished text but for
    what only the whole catalog knows.
    """

    text: str
    title: str
    targets: Mapping[str, str]
    relations: Sequence[DeclaredRelation]
    words: Searchable
    leaves: Sequence[int]
    frame: Frame


class Meanings(NamedTuple):
    """What the documents of a batch mean, in their order, with the leaves that they share."""

    leaves: Sequence[Leaf]
    documents: Sequence[Meaning]


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
        declared_relations(entity.ref, declared, kind),
        searchable(declared),
        indexed_leaves(document, memory=memory),
        frame(document),
    )


def pack(meanings: Meanings) -> bytes:
    """Return the meanings of a batch as bytes."""
    return orjson.dumps([[tuple(leaf) for leaf in meanings.leaves], [_packed(found) for found in meanings.documents]])


def unpack(content: bytes) -> Meanings:
    """Return the meanings that were packed."""
    leaves, documents = orjson.loads(content)
    return Meanings([Leaf(*leaf) for leaf in leaves], [_unpacked(found) for found in documents])


def _packed(meaning: Meaning) -> tuple[Any, ...]:
    text, title, targets, relations, words, leaves, (head, tail) = meaning
    # What comes after the metadata is mostly the document's own end: its length says as much.
    end = len(tail) if text.endswith(tail + "}") else tail
    return text, title, targets, [tuple(found) for found in relations], tuple(words), leaves, head, end


def _unpacked(packed: Sequence[Any]) -> Meaning:
    text, title, targets, relations, words, leaves, head, end = packed
    tail = end if isinstance(end, str) else text[len(text) - 1 - end : -1]
    found = [DeclaredRelation(*relation) for relation in relations]
    return Meaning(text, title, targets, found, Searchable(*words), leaves, Frame(head, tail))


class Payloads:
    """Packed meanings by number, kept in memory."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []

    def add(self, content: bytes) -> int:
        """Keep packed meanings; return their number."""
        self._kept.append(content)
        return len(self._kept) - 1

    def load(self, number: int) -> Meanings:
        """Return the meanings of a number."""
        return unpack(self._kept[number])

    def close(self) -> None:
        """Let go of all that is kept."""
        self._kept.clear()
