"""What documents mean beyond their place, in a form that waits or travels as bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from portal.ingest.relate import declared_targets, relate
from portal.model.entity import Entity
from portal.model.kind import Kind
from portal.model.leaves import Leaf, LeafMemory, declared_leaves
from portal.model.searchable import Searchable, searchable


class Meaning(NamedTuple):
    """What an entity's document says: its JSON, its title, what its single references name, relations, words, leaves.

    `relations` are (source, type, target) in both directions; `leaves` are those that the document itself has.
    """

    text: str
    title: str
    targets: Mapping[str, str]
    relations: Sequence[tuple[str, str, str]]
    words: Searchable
    leaves: Sequence[Leaf]


def meaning_of(entity: Entity, declared: Mapping[str, Any], kind: Kind, *, memory: LeafMemory) -> Meaning:
    """Return what an entity's document means; `declared` is its text, parsed."""
    metadata = declared["metadata"]
    return Meaning(
        entity.text,
        str(metadata.get("title") or metadata["name"]),
        declared_targets(entity.ref, declared, kind),
        [(found.source, found.type, found.target) for found in relate(entity.ref, declared, kind)],
        searchable(declared),
        declared_leaves(declared, memory=memory),
    )


def pack(meanings: Iterable[Meaning]) -> bytes:
    """Return meanings as bytes; leaves that they share are there once."""
    places: dict[Leaf, int] = {}
    documents = [
        (
            meaning.text,
            meaning.title,
            meaning.targets,
            meaning.relations,
            tuple(meaning.words),
            [places.setdefault(leaf, len(places)) for leaf in meaning.leaves],
        )
        for meaning in meanings
    ]
    return orjson.dumps([[tuple(leaf) for leaf in places], documents])


def unpack(content: bytes) -> list[Meaning]:
    """Return the meanings that were packed, in their order."""
    leaves, documents = orjson.loads(content)
    known = [Leaf(*leaf) for leaf in leaves]
    return [
        Meaning(
            text,
            title,
            targets,
            [(*relation,) for relation in relations],
            Searchable(*words),
            [known[place] for place in places],
        )
        for text, title, targets, relations, words, places in documents
    ]


class Payloads:
    """Packed meanings by number, kept in memory."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []

    def add(self, content: bytes) -> int:
        """Keep packed meanings; return their number."""
        self._kept.append(content)
        return len(self._kept) - 1

    def load(self, number: int) -> list[Meaning]:
        """Return the meanings of a number, in their order."""
        return unpack(self._kept[number])

    def close(self) -> None:
        """Let go of all that is kept."""
        self._kept.clear()
