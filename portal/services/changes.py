"""Writes what a refresh has found: a delta becomes rows, relations, index, versions in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from portal.ingest.annotate import Annotator
from portal.ingest.meaning import Meaning, meaning_of
from portal.ingest.relate import declared_relations
from portal.ingest.snapshot import CLAIM_CODES, Delta, Snapshot
from portal.ingest.stored import Stored
from portal.model.declared_kinds import GONE
from portal.model.entity import Entity
from portal.model.kind import Kind, Kinds
from portal.model.leaves import LeafMemory
from portal.model.ref import EntityRef
from portal.model.relation import DeclaredRelation
from portal.providers.contract import Authorship
from portal.services.claims import (
    ADDED,
    CHANGED,
    LOST,
    SAME,
    Claims,
    DecidedBatch,
    claim_problem,
    holder_of,
    portions,
    verdict_of,
)
from portal.services.finishing import Finisher
from portal.store import entities, sources, versions
from portal.store.database import Connection
from portal.store.entities import Claim, HeldEntity
from portal.store.relations import RelationWriter, count_of
from portal.store.sources import Source
from portal.store.terms import TermNumbers, TermWriter

#: What versions call the changes of which there are any.
VERSION_NAMES: Final = {ADDED: "added", CHANGED: "changed"}

_NOBODY = Authorship()
#: So many relations are in memory at once with what they make of the texts.
_MOST_RELATIONS = 30_000


@dataclass(slots=True)
class Changes:
    """What refreshes changed: how many entities came, changed, went, and the revisions that the catalog has by them.

    No revision when nothing was written; the versions of the revisions tell which entities they were.
    """

    revisions: tuple[int, ...] = ()
    added: int = 0
    changed: int = 0
    removed: int = 0

    @property
    def revision(self) -> int | None:
        """The newest of the revisions; None when nothing was written."""
        return self.revisions[-1] if self.revisions else None

    @property
    def total(self) -> int:
        """How many entities are concerned."""
        return self.added + self.changed + self.removed

    def then(self, later: Changes) -> Changes:
        """Return these changes with those that came after them."""
        return Changes(
            self.revisions + later.revisions,
            self.added + later.added,
            self.changed + later.changed,
            self.removed + later.removed,
        )


def write_delta(
    connection: Connection,
    source: Source,
    *,
    delta: Delta,
    snapshot: Snapshot,
    stored: Stored,
    kinds: Kinds,
    annotator: Annotator,
    authorship: Mapping[str, Authorship],
    now_ms: int,
    again: Collection[EntityRef] = (),
) -> Changes:
    """Write a source's delta; `authorship` tells who touched each file that was read anew.

    `again` are entities to finish anew although their documents stay as they are. Readers see the catalog before or
    after, never between. An empty delta writes nothing.
    """
    if delta.is_empty:
        return Changes()
    newest = sources.newest_revision(connection)
    # A clock that is set back must not put what follows before what was: times go the way of revisions.
    now_ms = max(now_ms, newest.recorded_at_ms)
    writer = _Writer(connection, source, kinds, annotator, newest.number + 1, now_ms)
    writer.write(delta, snapshot, stored=stored, authorship=authorship, again=again)
    changes = writer.changes
    sources.add_revision(
        connection,
        {
            "revision": writer.revision,
            "source_id": source.id,
            "recorded_at_ms": now_ms,
            "added": changes.added,
            "changed": changes.changed,
            "removed": changes.removed,
        },
    )
    return changes


@dataclass(slots=True)
class _Writer:
    connection: Connection
    source: Source
    kinds: Kinds
    annotator: Annotator
    revision: int
    now_ms: int
    changes: Changes = field(init=False)
    origins: Mapping[str, str] = field(init=False)
    is_first: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_first = not entities.are_there_any(self.connection)
        self.changes = Changes((self.revision,))
        self.origins = {source.id: source.location for source in sources.list_sources(self.connection)}

    def write(
        self,
        delta: Delta,
        snapshot: Snapshot,
        *,
        stored: Stored,
        authorship: Mapping[str, Authorship],
        again: Collection[EntityRef],
    ) -> None:
        """Decide who holds each entity, then write documents, files, problems, and what follows from them.

        Documents come a batch at a time, each time anew: first to be decided on, then with their relations, which a
        finished text must know all of, then with their terms, whose numbers an entity's row holds, then with the rest.
        """
        self._write_files(delta)
        relations = RelationWriter(self.connection)
        claims = Claims(
            self.connection,
            snapshot,
            source_id=self.source.id,
            stored=stored,
            authorship=authorship,
            relations=relations,
        )
        touched = {
            EntityRef(problem.ref)
            for problem in (*delta.add_problems, *(known.problem for known in delta.drop_problems))
            if problem.ref is not None
        }
        touched.update(again, delta.again, (EntityRef(known.key.ref) for known in delta.orphan))
        decided = list(claims.decide(delta.put))
        concerned = claims.contested.union(
            delta.again, (EntityRef(known.key.ref) for known in (*delta.drop, *delta.orphan))
        )
        elsewhere = self._settle(concerned, claims, touched=touched, relations=relations, authorship=authorship)
        # What else is touched is finished again.
        written = {claim.ref for claim, _, _ in elsewhere}
        for portion in portions(decided, lambda batch: len(batch.positions)):
            touched |= self._write_relations(
                portion, snapshot, claims, relations=relations, touched=touched, written=written
            )
        for others in portions(elsewhere):
            declared = self._declared([claim for claim, _, _ in others])
            touched |= self._present(relations.sync(declared, known=declared))
        relations.flush()
        terms = TermWriter(self.connection)
        numbered = terms.number(snapshot.leaves([batch.batch for batch in decided]))
        finisher = Finisher(self.connection, relations=relations, terms=terms, annotator=self.annotator)
        for portion in portions(decided, lambda batch: len(batch.positions)):
            for some in self._divided(portion):
                self._write_meanings(some, snapshot, claims, numbered=numbered, finisher=finisher)
        numbered.close()
        for others in portions(elsewhere):
            self._write_elsewhere(others, relations=relations, terms=terms, finisher=finisher)
        for refs in portions(sorted(touched - written)):
            finisher.finish_again(refs)
        finisher.flush()

    def _write_files(self, delta: Delta) -> None:
        """Write what a delta says of files, problems, and of documents that are stored already and say the same."""
        sources.update_documents(self.connection, [{"id": known.id, "line": line} for known, line in delta.move])
        sources.update_documents(self.connection, [{"id": known.id, "is_orphan": True} for known in delta.orphan])
        # Before anything is decided: an orphan yields to any other document.
        sources.update_documents(self.connection, [{"id": known.id, "is_orphan": False} for known in delta.adopt])
        sources.delete_documents(self.connection, sorted(known.id for known in delta.drop))
        sources.delete_files(self.connection, self.source.id, delta.drop_files)
        sources.put_files(self.connection, self.source.id, delta.put_files)
        sources.delete_problems(self.connection, [known.id for known in delta.drop_problems])
        added = [(self.source.id, problem) for problem in delta.add_problems]
        sources.add_problems(self.connection, added, revision=self.revision, dropped=delta.drop_problems)

    def _settle(
        self,
        concerned: Collection[EntityRef],
        claims: Claims,
        *,
        touched: set[EntityRef],
        relations: RelationWriter,
        authorship: Mapping[str, Authorship],
    ) -> list[tuple[Claim, int, HeldEntity | None]]:
        """Write what follows for entities that lose a document, or that several claim, when all documents are written.

        Entities that nothing claims any more go. Returns those that documents hold from now on, or mean something else
        by, which are not among the written ones: the document, what becomes of the entity, how it is held now.
        """
        refs = sorted(concerned)
        found = entities.claims_on(self.connection, refs)
        held = entities.held_entities(self.connection, refs)
        holders = {ref: holder_of(claimed, held.get(ref)) for ref, claimed in found.items()}
        touched |= self._sync_claim_problems(refs, found, holders)
        removed = [held[ref] for ref in refs if ref in held and ref not in holders]
        entities.delete_entities(self.connection, [entity.id for entity in removed])
        gone = [self._removal(entity, authorship.get(entity.location, _NOBODY)) for entity in removed]
        versions.insert_versions(self.connection, gone)
        touched |= relations.sync({entity.ref: [] for entity in removed}, known=held)
        self.changes.removed += len(removed)
        elsewhere: list[tuple[Claim, int, HeldEntity | None]] = []
        for ref, holder in holders.items():
            now = held.get(ref)
            if claims.is_written(holder):
                continue
            verdict = verdict_of(holder, now)
            if verdict != SAME or ref in touched or (now is not None and now.document_id != holder.id):
                elsewhere.append((holder, verdict, now))
        return elsewhere

    def _write_relations(
        self,
        decided: Sequence[DecidedBatch],
        snapshot: Snapshot,
        claims: Claims,
        *,
        relations: RelationWriter,
        touched: Collection[EntityRef],
        written: set[EntityRef],
    ) -> set[EntityRef]:
        """Write the relations that documents declare; return the entities that were there and have others now.

        Adds those to `written` that hold such a document, of the entities that were there or are touched.
        """
        told: dict[EntityRef, Collection[DeclaredRelation]] = {}
        known: set[EntityRef] = set()
        for batch in decided:
            declared = snapshot.relations(batch.batch)
            for document in claims.known(batch):
                if document.verdict != LOST:
                    told[document.claim.ref] = declared[document.position]
                    if document.verdict != ADDED:
                        known.add(document.claim.ref)
        written |= known.union(ref for ref in told if ref in touched)
        return self._present(relations.sync(told, known=known) - told.keys())

    def _present(self, refs: Collection[EntityRef]) -> set[EntityRef]:
        """Return those of the entities that were in the catalog before."""
        return set() if self.is_first else {*entities.held_entities(self.connection, sorted(refs))}

    def _divided(self, portion: Sequence[DecidedBatch]) -> Iterator[Sequence[DecidedBatch]]:
        """Yield a portion in parts that do not have too many relations."""
        count = count_of(self.connection, [number for batch in portion for number in batch.numbers])
        size = -(-len(portion) // max(1, -(-count // _MOST_RELATIONS)))
        for start in range(0, len(portion), size):
            yield portion[start : start + size]

    def _write_meanings(
        self,
        decided: Sequence[DecidedBatch],
        snapshot: Snapshot,
        claims: Claims,
        *,
        numbered: TermNumbers,
        finisher: Finisher,
    ) -> None:
        """Write the texts of documents that lose, of the others all that they mean."""
        documents = [claims.known(batch) for batch in decided]
        won = [document for found in documents for document in found if document.verdict != LOST]
        there = sorted(document.claim.ref for document in won if document.verdict != ADDED)
        finisher.look_ahead([document.claim.ref for document in won], entities.held_entities(self.connection, there))
        for batch, found in zip(decided, documents, strict=True):
            meanings = snapshot.meanings(batch.batch)
            lost = [
                {"id": document.claim.id, "declared": meanings[document.position].text}
                for document in found
                if document.verdict == LOST
            ]
            sources.update_documents(self.connection, lost)
            meant = [
                (document.claim, document.number, document.verdict, meanings[document.position])
                for document in found
                if document.verdict != LOST
            ]
            self._write_versions(meant)
            finisher.finish([(claim, number, meaning) for claim, number, _, meaning in meant], numbered[batch.batch])

    def _write_elsewhere(
        self,
        others: Sequence[tuple[Claim, int, HeldEntity | None]],
        *,
        relations: RelationWriter,
        terms: TermWriter,
        finisher: Finisher,
    ) -> None:
        """Write all that documents mean that were stored already."""
        refs = [claim.ref for claim, _, _ in others]
        numbers = relations.numbers(refs)
        memory = LeafMemory()
        verdicts = {claim.ref: verdict for claim, verdict, _ in others}
        meant = [
            (claim, numbers[claim.ref], verdicts[claim.ref], meaning)
            for claim, meaning in self._meant([claim for claim, _, _ in others], memory)
        ]
        finisher.look_ahead(refs, {now.ref: now for _, _, now in others if now is not None})
        self._write_versions(meant)
        finisher.finish([(claim, number, meaning) for claim, number, _, meaning in meant], terms.ids(memory.leaves))

    def _stored(self, claims: Sequence[Claim]) -> Iterator[tuple[Claim, Entity, Mapping[str, Any], Kind]]:
        """Yield what is declared by documents that are stored already."""
        texts = entities.declared_texts(self.connection, [claim.id for claim in claims])
        for claim in claims:
            declared = orjson.loads(texts[claim.id])
            # A kind that has gone leaves what all owned things share.
            kind = self.kinds.find(declared["kind"], declared["apiVersion"]) or GONE
            yield claim, Entity(claim.ref, texts[claim.id], claim.digest), declared, kind

    def _declared(self, claims: Sequence[Claim]) -> dict[EntityRef, list[DeclaredRelation]]:
        """Return the relations that documents declare that are stored already."""
        return {
            claim.ref: declared_relations(entity.ref, declared, kind)
            for claim, entity, declared, kind in self._stored(claims)
        }

    def _meant(self, claims: Sequence[Claim], memory: LeafMemory) -> list[tuple[Claim, Meaning]]:
        """Return what documents mean that are stored already; `memory` takes in the leaves that they share."""
        found: list[tuple[Claim, Meaning]] = []
        for claim, entity, declared, kind in self._stored(claims):
            annotations = self.annotator.annotations(
                claim.location, origin=self.origins[claim.source_id], is_orphan=claim.is_orphan
            )
            found.append((claim, meaning_of(entity, declared, kind, annotations=annotations, memory=memory)))
        return found

    def _write_versions(self, meant: Sequence[tuple[Claim, int, int, Meaning]]) -> None:
        """Write the versions of entities that come or change with documents; count them."""
        rows: list[dict[str, Any]] = []
        for claim, _, verdict, meaning in meant:
            if verdict == ADDED:
                self.changes.added += 1
            elif verdict == CHANGED:
                self.changes.changed += 1
            else:
                continue
            rows.append(self._version(claim, meaning.text, VERSION_NAMES[verdict]))
        versions.insert_versions(self.connection, rows)

    def _sync_claim_problems(
        self,
        affected: list[EntityRef],
        claims: Mapping[EntityRef, list[Claim]],
        holders: Mapping[EntityRef, Claim],
    ) -> set[EntityRef]:
        """Bring the problems of entities claimed twice to what they should be; return the entities concerned."""
        wanted = {
            (claim.source_id, claim_problem(claim, holders[ref]))
            for ref, found in claims.items()
            for claim in found
            if claim.id != holders[ref].id
            and not claim.is_orphan
            and (claim.location, claim.digest) != (holders[ref].location, holders[ref].digest)
        }
        present = sources.problems_of_refs(self.connection, affected, codes=CLAIM_CODES)
        obsolete = [known.id for owner, known in present if (owner, known.problem) not in wanted]
        missing = wanted - {(owner, known.problem) for owner, known in present}
        sources.delete_problems(self.connection, obsolete)
        sources.add_problems(
            self.connection, sorted(missing, key=lambda item: (item[0], str(item[1]))), revision=self.revision
        )
        changed = {known.problem.ref for _, known in present if known.id in set(obsolete)}
        changed |= {problem.ref for _, problem in missing}
        return {EntityRef(ref) for ref in changed if ref is not None}

    def _version(self, claim: Claim, text: str, change: str) -> dict[str, Any]:
        return {
            "ref": claim.ref,
            "revision": self.revision,
            "change": change,
            "source_id": claim.source_id,
            "location": claim.location,
            "digest": claim.digest,
            "commit": claim.commit,
            "author": claim.author,
            "authored_at_ms": claim.authored_at_ms,
            "recorded_at_ms": self.now_ms,
            "declared": text,
        }

    def _removal(self, entity: HeldEntity, who: Authorship) -> dict[str, Any]:
        return {
            "ref": entity.ref,
            "revision": self.revision,
            "change": "removed",
            "source_id": entity.source_id,
            "location": entity.location,
            "digest": entity.digest,
            "commit": who.commit,
            "author": who.author,
            "authored_at_ms": who.authored_at_ms,
            "recorded_at_ms": self.now_ms,
            "declared": "",
        }
