"""Decides which document holds each entity."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from portal.ingest.payload import CompiledDocument
from portal.ingest.snapshot import Puts, Snapshot
from portal.ingest.stored import DocumentKey, Stored
from portal.model.problem import Problem, Span
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.providers.contract import Authorship
from portal.services.memory import give_back
from portal.store import entities, sources
from portal.store.database import Connection
from portal.store.entities import Claim, HeldEntity
from portal.store.relations import RelationWriter

Item = TypeVar("Item")

#: What becomes of an entity with a document that is written: nothing, as another one holds it; or it comes, changes,
#: stays as it was.
LOST, ADDED, CHANGED, SAME = range(4)

_NOBODY = Authorship()
#: So many documents are decided on and written at once.
PORTION = 2_000
#: What may change of a document, which stays the same one.
_UPDATED = ("id", "line", "digest", "commit", "author", "authored_at_ms", "is_orphan")


@dataclass(frozen=True, slots=True)
class DecidedBatch:
    """What was decided of the documents of a batch that are written: 17 bytes each, as there may be millions.

    At the same place in each: the position of a document in its batch, its id, the number of its entity, what becomes
    of that.
    """

    batch: int
    positions: array[int]
    ids: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[int] = field(default_factory=lambda: array("i"))
    verdicts: bytearray = field(default_factory=bytearray)


class Decided(NamedTuple):
    """A document that is written: its claim, its position in its batch, its entity's number, what becomes of that."""

    claim: Claim
    position: int
    number: int
    verdict: int


class Claims:
    """Decides on the documents of one source that are written, a portion at a time, and writes them.

    All of a large catalog's would fill the memory. Each is decided on when it comes, with those that came before: of
    the documents that claim an entity the one that does hold it goes on, else the oldest holds it, and none that comes
    later is older. `contested` are the entities that several documents claim.
    """

    def __init__(
        self,
        connection: Connection,
        snapshot: Snapshot,
        *,
        source_id: str,
        stored: Stored,
        authorship: Mapping[str, Authorship],
        relations: RelationWriter,
    ) -> None:
        self.contested: set[EntityRef] = set()
        self._connection = connection
        self._snapshot = snapshot
        self._source_id = source_id
        self._stored = stored
        self._authorship = authorship
        self._relations = relations
        self._first_id = self._next_id = sources.next_document_id(connection)
        self._updated: set[int] = set()

    def decide(self, puts: Sequence[Puts]) -> Iterator[DecidedBatch]:
        """Write documents, and yield what was decided of them.

        Their texts stand with the versions that they become; those of documents that lose are left to the caller.
        """
        for portion in portions(puts, lambda put: len(put.positions)):
            documents = [self._chosen(put) for put in portion]
            refs = [document.ref for found in documents for document in found]
            first_new = self._relations.next_number
            numbers = self._relations.numbers(refs)
            # Nothing has claimed yet what had no number.
            known = sorted({ref for ref in refs if numbers[ref] < first_new})
            claims = entities.claims_on(self._connection, known)
            held = entities.held_entities(self._connection, known)
            claimed = [self._claimed(found, claims) for found in documents]
            self.contested.update(ref for ref, found in claims.items() if len(found) > 1)
            for put, found in zip(portion, claimed, strict=True):
                batch = DecidedBatch(put.batch, put.positions)
                for claim in found:
                    now = held.get(claim.ref)
                    holder = holder_of(claims[claim.ref], now)
                    batch.ids.append(claim.id)
                    batch.numbers.append(numbers[claim.ref])
                    batch.verdicts.append(verdict_of(claim, now) if holder.id == claim.id else LOST)
                yield batch

    def known(self, batch: DecidedBatch) -> list[Decided]:
        """Return the documents of a batch with what was decided of them."""
        documents = self._snapshot.documents(batch.batch)
        return [
            Decided(self._claim(documents[position], document_id), position, number, verdict)
            for position, document_id, number, verdict in zip(
                batch.positions, batch.ids, batch.numbers, batch.verdicts, strict=True
            )
        ]

    def is_written(self, claim: Claim) -> bool:
        """Return whether a document is one of those that were decided on."""
        return claim.id >= self._first_id or claim.id in self._updated

    def _chosen(self, put: Puts) -> list[CompiledDocument]:
        documents = self._snapshot.documents(put.batch)
        return [documents[position] for position in put.positions]

    def _claimed(self, documents: Sequence[CompiledDocument], claims: dict[EntityRef, list[Claim]]) -> list[Claim]:
        """Write documents; return what they claim, and bring `claims` to it."""
        found: list[Claim] = []
        inserted: list[dict[str, Any]] = []
        updated: list[dict[str, Any]] = []
        for document in documents:
            known = self._stored.documents.get(DocumentKey(document.location, document.ref, document.occurrence))
            others = claims.setdefault(document.ref, [])
            if known is None:
                claim = self._claim(document, self._next_id)
                self._next_id += 1
                others.append(claim)
                inserted.append(claim._asdict() | {"occurrence": document.occurrence, "declared": None})
            else:
                claim = self._claim(document, known.id)
                others[:] = [claim if other.id == claim.id else other for other in others]
                updated.append({name: getattr(claim, name) for name in _UPDATED} | {"declared": None})
                self._updated.add(claim.id)
            found.append(claim)
        sources.insert_documents(self._connection, inserted)
        sources.update_documents(self._connection, updated)
        return found

    def _claim(self, document: CompiledDocument, document_id: int) -> Claim:
        who = self._authorship.get(document.location, _NOBODY)
        return Claim(
            document_id,
            document.ref,
            self._source_id,
            document.location,
            document.line,
            document.digest,
            who.commit,
            who.author,
            who.authored_at_ms,
        )


def portions(items: Sequence[Item], size: Callable[[Item], int] = lambda _: 1) -> Iterator[Sequence[Item]]:
    """Yield items in portions that are written at once; `size` says how many documents an item has.

    What a whole portion took of the memory is given back when the next one is asked for.
    """
    start = total = 0
    for end, item in enumerate(items, start=1):
        total += size(item)
        if total >= PORTION:
            yield items[start:end]
            start, total = end, 0
            give_back()
    if start < len(items):
        yield items[start:]


def verdict_of(holder: Claim, now: HeldEntity | None) -> int:
    """Return what becomes of an entity that a document holds from now on; a move to another file is a change."""
    if now is None:
        return ADDED
    is_same = (now.digest, now.source_id, now.location) == (holder.digest, holder.source_id, holder.location)
    return SAME if is_same else CHANGED


def holder_of(claims: list[Claim], now: HeldEntity | None) -> Claim:
    """Return the document that holds an entity: the one that does, else the oldest; orphans come last."""
    claims = [claim for claim in claims if not claim.is_orphan] or claims
    if now is not None:
        for claim in claims:
            if claim.id == now.document_id:
                return claim
    return claims[0]


def claim_problem(claim: Claim, holder: Claim) -> Problem:
    """Return the problem of a document whose entity another one holds."""
    return Problem(
        "ref-duplicate" if claim.source_id == holder.source_id else "ref-conflict",
        location=claim.location,
        span=Span(claim.line, 1),
        field="metadata.name",
        found=claim.ref,
        expected=Sentence(
            "a reference that is not taken; %(location)s:%(line)s holds it", location=holder.location, line=holder.line
        ),
        hint=Sentence("Rename one of the two, or remove it; this document takes over when the other lets go"),
        ref=claim.ref,
    )
