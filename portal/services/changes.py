"""Writes what a refresh has found: a delta becomes rows, relations, index, versions in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from portal.ingest.annotate import Annotator
from portal.ingest.meaning import Meaning, meaning_of
from portal.ingest.relate import declared_relations
from portal.ingest.snapshot import CLAIM_CODES, Delta, Snapshot, Stored
from portal.model.declared_kinds import GONE
from portal.model.entity import Entity
from portal.model.kind import Kind, Kinds
from portal.model.leaves import LeafMemory
from portal.model.ref import EntityRef
from portal.model.relation import DeclaredRelation
from portal.providers.contract import Authorship
from portal.services.claims import Changes, Put, claim_documents, claim_problem, compare, holder_of
from portal.services.finishing import Finisher
from portal.store import entities, sources, versions
from portal.store.database import Connection
from portal.store.entities import Claim, HeldEntity
from portal.store.relations import RelationWriter
from portal.store.sources import Source
from portal.store.terms import TermWriter

Item = TypeVar("Item")

_FINISHED_AT_ONCE = 2_000
_NOBODY = Authorship()


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
    changes = writer.write(delta, snapshot, stored=stored, authorship=authorship, again=again)
    sources.add_revision(
        connection,
        {
            "revision": writer.revision,
            "source_id": source.id,
            "recorded_at_ms": now_ms,
            "added": len(changes.added),
            "changed": len(changes.changed),
            "removed": len(changes.removed),
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
    origins: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.origins = {source.id: source.location for source in sources.list_sources(self.connection)}

    def write(
        self,
        delta: Delta,
        snapshot: Snapshot,
        *,
        stored: Stored,
        authorship: Mapping[str, Authorship],
        again: Collection[EntityRef],
    ) -> Changes:
        """Decide who holds each entity, then write documents, files, problems, and what follows from them."""
        affected = sorted(
            {document.ref for document in delta.put}
            | {EntityRef(known.key.ref) for known in (*delta.drop, *delta.orphan)}
            | set(delta.again)
        )
        claims = entities.claims_on(self.connection, affected)
        held = entities.held_entities(self.connection, affected)
        puts = claim_documents(
            delta,
            claims,
            stored=stored,
            source_id=self.source.id,
            authorship=authorship,
            first_id=sources.next_document_id(self.connection),
        )
        holders = {ref: holder_of(found, held.get(ref)) for ref, found in claims.items() if found}
        sources.update_documents(self.connection, [{"id": known.id, "line": line} for known, line in delta.move])
        sources.update_documents(self.connection, [{"id": known.id, "is_orphan": True} for known in delta.orphan])
        sources.delete_documents(self.connection, sorted(known.id for known in delta.drop))
        sources.delete_files(self.connection, self.source.id, delta.drop_files)
        sources.put_files(self.connection, self.source.id, delta.put_files)
        sources.delete_problems(self.connection, [known.id for known in delta.drop_problems])
        added = [(self.source.id, problem) for problem in delta.add_problems]
        sources.add_problems(self.connection, added, revision=self.revision)
        touched = {
            EntityRef(problem.ref)
            for problem in (*delta.add_problems, *(known.problem for known in delta.drop_problems))
            if problem.ref is not None
        }
        touched.update(again, delta.again)
        touched |= self._sync_claim_problems(affected, claims, holders)
        touched.update(EntityRef(known.key.ref) for known in delta.orphan)
        adopted = {key.ref for key, known in stored.documents.items() if known.is_orphan}
        touched.update(document.ref for document in delta.put if document.ref in adopted)
        changes = compare(affected, holders, held, touched, revision=self.revision)
        entities.delete_entities(self.connection, [held[ref].id for ref in changes.removed])
        gone = [self._removal(held[ref], authorship.get(held[ref].location, _NOBODY)) for ref in changes.removed]
        versions.insert_versions(self.connection, gone)
        relations = RelationWriter(self.connection)
        touched |= relations.sync({ref: [] for ref in changes.removed}, known=held)
        self._write_meanings(
            puts, snapshot, changes=changes, relations=relations, held=held, holders=holders, touched=touched
        )
        return changes

    def _write_meanings(
        self,
        puts: Sequence[Put],
        snapshot: Snapshot,
        *,
        changes: Changes,
        relations: RelationWriter,
        held: Mapping[EntityRef, HeldEntity],
        holders: Mapping[EntityRef, Claim],
        touched: set[EntityRef],
    ) -> None:
        """Write what documents mean, a batch at a time: relations first, which a finished text must know all of.

        Then terms, whose numbers an entity's row holds, then documents, versions, entities.
        """
        written = {*changes.added, *changes.changed, *(ref for ref in touched if ref in holders)}
        names = dict.fromkeys(changes.added, "added") | dict.fromkeys(changes.changed, "changed")

        def is_held(claim: Claim) -> bool:
            return holders[claim.ref].id == claim.id

        put_refs = {put.claim.ref for put in puts if is_held(put.claim)}
        elsewhere = [holders[ref] for ref in sorted(written - put_refs)]
        del put_refs
        documents = [put.document for put in puts]
        refs = [put.claim.ref for put in puts if is_held(put.claim)] + [claim.ref for claim in elsewhere]
        # In the order in which they are written, so that their rows come in the order of their numbers.
        relations.numbers(refs)
        for batch, declared in _beside(puts, snapshot.relations(documents)):
            found = zip(batch, declared, strict=True)
            told = {put.claim.ref: declares for put, declares in found if is_held(put.claim)}
            touched |= relations.sync(told, known=held) - written
        for portion in _portions(elsewhere):
            touched |= relations.sync(self._declared(portion), known=held) - written
        relations.flush()
        terms = TermWriter(self.connection)
        numbered = terms.number(snapshot.leaves(documents))
        finisher = Finisher(self.connection, held, refs, relations=relations, terms=terms, annotator=self.annotator)
        for batch, (number, meanings) in _beside(puts, snapshot.meanings(documents)):
            self._write_documents(batch, meanings, is_held)
            meant = [(put.claim, meaning) for put, meaning in zip(batch, meanings, strict=True) if is_held(put.claim)]
            self._write_versions(meant, names)
            finisher.finish(meant, numbered[number])
        for portion in _portions(elsewhere):
            memory = LeafMemory()
            meant = self._meant(portion, memory)
            self._write_versions(meant, names)
            finisher.finish(meant, terms.ids(memory.leaves))
        for others in _portions(sorted(touched - written)):
            finisher.finish_again(others)
        finisher.flush()

    def _write_documents(
        self, puts: Sequence[Put], meanings: Sequence[Meaning], is_held: Callable[[Claim], bool]
    ) -> None:
        inserted: list[dict[str, Any]] = []
        updated: list[dict[str, Any]] = []
        for put, meaning in zip(puts, meanings, strict=True):
            claim = put.claim
            row: dict[str, Any] = {
                "id": claim.id,
                "line": claim.line,
                "digest": claim.digest,
                "commit": claim.commit,
                "author": claim.author,
                "authored_at_ms": claim.authored_at_ms,
                # The version that an entity has by now tells it.
                "declared": None if is_held(claim) else meaning.text,
            }
            if put.is_stored:
                updated.append({"is_orphan": False} | row)
            else:
                whose = {"source_id": claim.source_id, "ref": claim.ref, "location": claim.location}
                inserted.append(whose | {"occurrence": put.document.occurrence} | row)
        sources.update_documents(self.connection, updated)
        sources.insert_documents(self.connection, inserted)

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

    def _write_versions(self, meant: Sequence[tuple[Claim, Meaning]], names: Mapping[EntityRef, str]) -> None:
        """Write the versions of entities that have changed; `names` say how."""
        versions.insert_versions(
            self.connection,
            [self._version(claim, meaning.text, names[claim.ref]) for claim, meaning in meant if claim.ref in names],
        )

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


def _beside(
    puts: Sequence[Put], batches: Iterable[tuple[Sequence[object], Item]]
) -> Iterator[tuple[Sequence[Put], Item]]:
    """Yield what is known of batches of documents beside the puts of the same documents."""
    start = 0
    for documents, known in batches:
        yield puts[start : start + len(documents)], known
        start += len(documents)


def _portions(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Yield portions: the finished texts and leaves of all would fill the memory."""
    for start in range(0, len(items), _FINISHED_AT_ONCE):
        yield items[start : start + _FINISHED_AT_ONCE]
