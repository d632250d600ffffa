"""What documents mean beyond their place, in a form that waits or travels as bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final, NamedTuple
from zlib import crc32

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
#: The leaves of a batch wait in so many divisions. All those of a key are in one, whatever the batch, so that they can
#: be told apart over all batches a division at a time. (A key each would be too many: list items make keys.)
DIVISIONS: Final = 64


class Meaning(NamedTuple):
    """What an entity's document says: its JSON text, its title, what its single references name, words, leaves.

    `leaves` are the places of what the index holds among the leaves of the batch, division after division where it
    was packed; `frame` is its finished text but for what only the whole catalog knows.
    """

    text: str
    title: str
    targets: Mapping[str, str]
    words: Searchable
    leaves: Sequence[int]
    frame: Frame


class Payload(NamedTuple):
    """What the documents of a batch mean, the leaves that they share by division, the relations that they declare.

    Each is asked for in its turn: the relations of all batches, the leaves, then the meanings.
    """

    relations: bytes
    leaves: Sequence[bytes]
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


def pack(
    relations: Sequence[Sequence[DeclaredRelation]], meanings: Sequence[Meaning], leaves: Sequence[Leaf]
) -> Payload:
    """Return what the documents of a batch declare and mean as bytes; `leaves` are what they share."""
    # The packer takes no tuples that have names.
    declared = [[*map(tuple, found)] for found in relations]
    divisions, places = _divided(leaves)
    documents = [
        (text, title, targets, tuple(words), [places[leaf] for leaf in found], tuple(framed))
        for text, title, targets, words, found, framed in meanings
    ]
    packed = [orjson.dumps(texts) if texts else b"" for texts in divisions]
    return Payload(orjson.dumps(declared), packed, orjson.dumps(documents))


def _divided(leaves: Sequence[Leaf]) -> tuple[list[list[str]], list[int]]:
    """Return the texts of leaves by division, and where each leaf has come to stand, division after division."""
    divisions: list[list[str]] = [[] for _ in range(DIVISIONS)]
    homes: list[tuple[int, int]] = []
    for leaf in leaves:
        division = _division_of(leaf.key)
        homes.append((division, len(divisions[division])))
        divisions[division].append(leaf.text)
    starts = [0, *accumulate(map(len, divisions))]
    return divisions, [starts[division] + place for division, place in homes]


@lru_cache(maxsize=4_096)
def _division_of(key: str) -> int:
    return crc32(key.encode()) % DIVISIONS


def unpack_leaves(content: bytes) -> list[str]:
    """Return the texts of the leaves in one division of a batch."""
    found: list[str] = orjson.loads(content) if content else []
    return found


def unpack_relations(content: bytes) -> list[list[DeclaredRelation]]:
    """Return the relations that each document of a batch declares."""
    return [[DeclaredRelation(*relation) for relation in found] for found in orjson.loads(content)]


def unpack_meanings(content: bytes) -> list[Meaning]:
    """Return what the documents of a batch mean."""
    return [
        Meaning(text, title, targets, Searchable(*words), leaves, Frame(*framed))
        for text, title, targets, words, leaves, framed in orjson.loads(content)
    ]


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

    def leaves(self, number: int, division: int) -> bytes:
        """Return the packed leaves of a number in a division."""
        return self._kept[number].leaves[division]

    def meanings(self, number: int) -> bytes:
        """Return the packed meanings of a number."""
        return self._kept[number].meanings

    def close(self) -> None:
        """Let go of all that is kept."""
        self._kept.clear()
