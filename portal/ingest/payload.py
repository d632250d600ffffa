"""What was compiled of a batch of files, in a form that waits or travels as bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, groupby
from typing import Final, NamedTuple
from zlib import crc32

import orjson

from portal.ingest.meaning import Meaning
from portal.ingest.stitch import Frame
from portal.model.leaves import Leaf
from portal.model.ref import EntityRef
from portal.model.relation import DeclaredRelation
from portal.model.searchable import Searchable

#: The leaves of a batch wait in so many divisions. All those of a key are in one, whatever the batch, so that they can
#: be told apart over all batches a division at a time. (A key each would be too many: list items make keys.)
DIVISIONS: Final = 64


class CompiledDocument(NamedTuple):
    """A document that became an entity.

    `line` is where it begins, from 1; `occurrence` counts documents of the same ref in the same file; `position` counts
    the documents of its batch from 0. `digest` is the entity's.
    """

    location: str
    line: int
    occurrence: int
    ref: EntityRef
    digest: str
    position: int


class Payload(NamedTuple):
    """The documents of a batch, the relations that they declare, the leaves that they share, what they mean.

    Each is asked for in its turn, of all batches one after the other; the leaves a division at a time.
    """

    documents: bytes
    relations: bytes
    leaves: Sequence[bytes]
    meanings: bytes


def pack(
    documents: Sequence[CompiledDocument],
    relations: Sequence[Sequence[DeclaredRelation]],
    meanings: Sequence[Meaning],
    leaves: Sequence[Leaf],
) -> Payload:
    """Return a batch as bytes: its documents, beside each what it declares and means; `leaves` are what they share."""
    files = [
        (location, [(line, occurrence, ref, digest) for _, line, occurrence, ref, digest, _ in found])
        for location, found in groupby(documents, key=lambda document: document.location)
    ]
    # The packer takes no tuples that have names.
    declared = [[*map(tuple, found)] for found in relations]
    divisions, places = _divided(leaves)
    meant = [
        (text, title, targets, tuple(words), [places[leaf] for leaf in found], tuple(framed))
        for text, title, targets, words, found, framed in meanings
    ]
    packed = [orjson.dumps(texts) if texts else b"" for texts in divisions]
    return Payload(orjson.dumps(files), orjson.dumps(declared), packed, orjson.dumps(meant))


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


def unpack_documents(content: bytes) -> Iterator[CompiledDocument]:
    """Yield the documents of a batch."""
    position = 0
    for location, found in orjson.loads(content):
        for line, occurrence, ref, digest in found:
            yield CompiledDocument(location, line, occurrence, EntityRef(ref), digest, position)
            position += 1


def unpack_relations(content: bytes) -> list[list[DeclaredRelation]]:
    """Return the relations that each document of a batch declares."""
    return [[DeclaredRelation(*relation) for relation in found] for found in orjson.loads(content)]


def unpack_leaves(content: bytes) -> list[str]:
    """Return the texts of the leaves in one division of a batch."""
    found: list[str] = orjson.loads(content) if content else []
    return found


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

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._kept)

    def add(self, payload: Payload) -> int:
        """Keep a payload; return its number."""
        self._kept.append(payload)
        return len(self._kept) - 1

    def documents(self, number: int) -> bytes:
        """Return the packed documents of a number."""
        return self._kept[number].documents

    def relations(self, number: int) -> bytes:
        """Return the packed relations of a number."""
        return self._kept[number].relations

    def leaves(self, number: int, division: int) -> bytes:
        """Return the packed leaves of a number in a division."""
        return self._kept[number].leaves[division]

    def size_of_leaves(self, number: int, division: int) -> int:
        """Return how many bytes the packed leaves of a number in a division are."""
        return len(self._kept[number].leaves[division])

    def meanings(self, number: int) -> bytes:
        """Return the packed meanings of a number."""
        return self._kept[number].meanings

    def close(self) -> None:
        """Let go of all that is kept."""
        self._kept.clear()
