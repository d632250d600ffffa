"""Writes what a refresh has found: a delta becomes rows, relations, index, versions in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import orjson

from portal.ingest.annotate import Annotator
from portal.ingest.compile import CompiledDocument
from portal.ingest.relate import declared_targets, relate
from portal.ingest.snapshot import CLAIM_CODES, Delta, DocumentKey, Stored
from portal.ingest.stitch import Stitched, stitch
from portal.model.entity import Entity
from portal.model.kind import Kind, Kinds
from portal.model.leaves import Leaf, LeafMemory
from portal.model.problem import Problem, Span
from portal.model.ref import EntityRef
from portal.providers.contract import Authorship
from portal.store import entities, sources
from portal.store.database import Connection
from portal.store.entities import Claim, HeldEntity
from portal.store.index import IndexWriter
from portal.store.sources import Source

Item = TypeVar("Item")

_FINISHED_AT_ONCE = 2_000


@dataclass(slots=True)
class Changes:
    """What a refresh changed: references of entities added, changed, removed, and the catalog's new revision.

    `revision` is None when nothing was written.
    """

    revision: int | None = None
    added: list[EntityRef] = field(default_factory=list)
    changed: list[EntityRef] = field(default_factory=list)
    removed: list[EntityRef] = field(default_factory=list)


def write_delta(
    connection: Connection,
    source: Source,
    *,
    delta: Delta,
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
    writer = _Writer(connection, source, kinds, annotator, sources.current_revision(connection) + 1, now_ms)
    changes = writer.write(delta, stored=stored, authorship=authorship, again=again)
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
class _Entry:
    """An entity that is written: who holds it from now on, as what, with the row that it has (None: none yet)."""

    claim: Claim
    entity: Entity
    kind: Kind
    text: str
    now: HeldEntity | None
    id: int
    uid: str


@dataclass(slots=True)
class _Writer:
    connection: Connection
    source: Source
    kinds: Kinds
    annotator: Annotator
    revision: int
    now_ms: int
    _documents: dict[int, CompiledDocument] = field(default_factory=dict)

    def write(
        self, delta: Delta, *, stored: Stored, authorship: Mapping[str, Authorship], again: Collection[EntityRef]
    ) -> Changes:
        """Write documents, files, problems; then decide who holds each entity and write what follows from it."""
        affected = sorted(
            {document.entity.ref for document in delta.put}
            | {EntityRef(known.key.ref) for known in (*delta.drop, *delta.orphan)}
        )
        claims = entities.claims_on(self.connection, affected)
        held = entities.held_entities(self.connection, affected)
        self._write_documents(delta, claims, stored=stored, authorship=authorship)
        sources.delete_files(self.connection, self.source.id, delta.drop_files)
        sources.put_files(self.connection, self.source.id, delta.put_files)
        sources.delete_problems(self.connection, [known.id for known in delta.drop_problems])
        added = [(self.source.id, problem) for problem in delta.add_problems]
        sources.add_problems(self.connection, added, revision=self.revision)
        holders = {ref: _holder(found, held.get(ref)) for ref, found in claims.items() if found}
        touched = {
            EntityRef(problem.ref)
            for problem in (*delta.add_problems, *(known.problem for known in delta.drop_problems))
            if problem.ref is not None
        }
        touched.update(again)
        touched |= self._sync_claim_problems(affected, claims, holders)
        touched.update(EntityRef(known.key.ref) for known in delta.orphan)
        adopted = {key.ref for key, known in stored.documents.items() if known.is_orphan}
        touched.update(document.entity.ref for document in delta.put if document.entity.ref in adopted)
        changes = Changes(self.revision)
        for ref in affected:
            holder, now = holders.get(ref), held.get(ref)
            if holder is None:
                if now is not None:
                    changes.removed.append(ref)
            elif now is None:
                changes.added.append(ref)
            elif now.digest != holder.digest or now.source_id != holder.source_id:
                changes.changed.append(ref)
            elif (now.document_id, now.location) != (holder.id, holder.location):
                touched.add(ref)
        entities.delete_entities(self.connection, [held[ref].id for ref in changes.removed])
        self._settle(changes, holders, held, touched)
        return changes

    def _write_documents(
        self,
        delta: Delta,
        claims: dict[EntityRef, list[Claim]],
        *,
        stored: Stored,
        authorship: Mapping[str, Authorship],
    ) -> None:
        """Write documents, and bring `claims` to what they claim now."""
        inserted: list[dict[str, Any]] = []
        updated: list[dict[str, Any]] = []
        number = sources.next_document_id(self.connection)
        dropped = {known.id for known in delta.drop}
        for known in delta.drop:
            ref = EntityRef(known.key.ref)
            claims[ref] = [claim for claim in claims.get(ref, ()) if claim.id not in dropped]
        orphaned = {known.id for known in delta.orphan}
        for known in delta.orphan:
            ref = EntityRef(known.key.ref)
            claims[ref] = [replace(claim, is_orphan=claim.is_orphan or claim.id in orphaned) for claim in claims[ref]]
        for document in delta.put:
            who = authorship.get(document.location, Authorship())
            ref = document.entity.ref
            row: dict[str, Any] = {
                "line": document.line,
                "digest": document.entity.digest,
                "commit": who.commit,
                "author": who.author,
                "authored_at_ms": who.authored_at_ms,
                "declared": document.entity.text,
            }
            found = stored.documents.get(DocumentKey(document.location, ref, document.occurrence))
            claim = Claim(
                number if found is None else found.id,
                ref,
                self.source.id,
                document.location,
                document.line,
                document.entity.digest,
                who.commit,
                who.author,
                who.authored_at_ms,
            )
            others = claims.setdefault(ref, [])
            if found is None:
                number += 1
                whose = {"id": claim.id, "source_id": self.source.id, "ref": ref}
                inserted.append(whose | {"location": document.location, "occurrence": document.occurrence} | row)
                others.append(claim)
            else:
                updated.append({"id": found.id, "is_orphan": False} | row)
                claims[ref] = [claim if other.id == found.id else other for other in others]
            self._documents[claim.id] = document
        sources.update_documents(self.connection, [{"id": known.id, "line": line} for known, line in delta.move])
        sources.update_documents(self.connection, updated)
        sources.update_documents(self.connection, [{"id": known.id, "is_orphan": True} for known in delta.orphan])
        sources.insert_documents(self.connection, inserted)
        sources.delete_documents(self.connection, sorted(dropped))

    def _settle(
        self,
        changes: Changes,
        holders: Mapping[EntityRef, Claim],
        held: Mapping[EntityRef, HeldEntity],
        touched: set[EntityRef],
    ) -> None:
        """Write versions, relations, then rows with their finished texts and index, a portion at a time."""
        written = sorted({*changes.added, *changes.changed, *(ref for ref in touched if ref in holders)})
        entities.insert_versions(self.connection, [self._removal(held[ref]) for ref in changes.removed])
        touched |= entities.sync_relations(self.connection, {ref: [] for ref in changes.removed}, known=held)
        number = entities.next_entity_id(self.connection)
        fresh = set(changes.added)
        changed = fresh.union(changes.changed)
        entries: list[_Entry] = []
        for portion in _portions(written):
            made = self._entries([holders[ref] for ref in portion], held, number)
            number += len(made)
            wanted = {entry.claim.ref: relate(entry.entity, entry.kind) for entry in made}
            touched |= entities.sync_relations(self.connection, wanted, known=held)
            entities.insert_versions(
                self.connection,
                [
                    self._version(entry, "added" if entry.claim.ref in fresh else "changed")
                    for entry in made
                    if entry.claim.ref in changed
                ],
            )
            entries += made
        index = IndexWriter(self.connection)
        for ready in _portions(entries):
            self._finish(ready, index)
        for refs in _portions(sorted(touched.difference(written))):
            self._stitch_again(refs, index)

    def _entries(self, claims: Sequence[Claim], held: Mapping[EntityRef, HeldEntity], first_id: int) -> list[_Entry]:
        """Return what must be written of entities; documents of other sources are read."""
        elsewhere = [claim.id for claim in claims if claim.id not in self._documents]
        texts = entities.declared_texts(self.connection, elsewhere)
        entries = []
        for number, claim in enumerate(claims, start=first_id):
            document = self._documents.get(claim.id)
            if document is not None:
                entity, kind = document.entity, document.kind
            else:
                entity = Entity.of_text(claim.ref, texts[claim.id], claim.digest)
                kind = self._kind_of(entity)
            now = held.get(claim.ref)
            identity = (number, str(uuid.uuid4())) if now is None else (now.id, now.uid)
            entries.append(_Entry(claim, entity, kind, entity.text, now, *identity))
        return entries

    def _kind_of(self, entity: Entity) -> Kind:
        kind = self.kinds.find(entity.kind, str(entity.declared["apiVersion"]))
        if kind is None:
            raise RuntimeError(f"{entity.ref} was accepted by a kind that is not known any more")
        return kind

    def _finish(self, entries: Sequence[_Entry], index: IndexWriter) -> None:
        """Write entity rows with their finished texts, and their index."""
        refs = [entry.claim.ref for entry in entries]
        outgoing = entities.relations_of(self.connection, refs)
        faults = self._faults(refs)
        origins = {source.id: source.location for source in sources.list_sources(self.connection)}
        inserted: list[dict[str, Any]] = []
        updated: list[dict[str, Any]] = []
        leaves: dict[int, Sequence[Leaf]] = {}
        memory = LeafMemory()
        for entry in entries:
            claim, ref = entry.claim, entry.claim.ref
            stitched = stitch(
                entry.entity.declared,
                uid=entry.uid,
                annotations=self.annotator.annotations(
                    claim.location, origin=origins[claim.source_id], is_orphan=claim.is_orphan
                ),
                relations=outgoing.get(ref, ()),
                problems=faults.get(ref, ()),
                memory=memory,
            )
            metadata = entry.entity.declared["metadata"]
            targets = declared_targets(entry.entity, entry.kind)
            row: dict[str, Any] = {
                "id": entry.id,
                "etag": stitched.etag,
                "title": str(metadata.get("title") or metadata["name"]),
                "document_id": claim.id,
                "source_id": claim.source_id,
                "location": claim.location,
                "digest": claim.digest,
                "owner": targets.get("owner"),
                "system": targets.get("system"),
                "domain": targets.get("domain"),
                "layer": targets.get("layer"),
                "body": stitched.body,
            }
            if entry.now is None:
                inserted.append({"ref": ref, "uid": entry.uid, "kind": ref.kind} | row)
            else:
                updated.append(row)
            leaves[entry.id] = stitched.leaves
        entities.insert_entities(self.connection, inserted)
        entities.update_entities(self.connection, updated)
        index.sync(leaves, new={row["id"] for row in inserted})

    def _stitch_again(self, refs: Sequence[EntityRef], index: IndexWriter) -> None:
        """Finish entities anew whose documents stay as they are; those not in the catalog are left out."""
        outgoing = entities.relations_of(self.connection, refs)
        faults = self._faults(refs)
        stitched: dict[int, Stitched] = {}
        memory = LeafMemory()
        for item in entities.stitch_inputs(self.connection, refs):
            stitched[item.id] = stitch(
                orjson.loads(item.declared),
                uid=item.uid,
                annotations=self.annotator.annotations(item.location, origin=item.origin, is_orphan=item.is_orphan),
                relations=outgoing.get(item.ref, ()),
                problems=faults.get(item.ref, ()),
                memory=memory,
            )
        entities.update_entities(
            self.connection,
            [{"id": number, "etag": found.etag, "body": found.body} for number, found in stitched.items()],
        )
        index.sync({number: found.leaves for number, found in stitched.items()})

    def _faults(self, refs: Sequence[EntityRef]) -> dict[str, list[Problem]]:
        """Return the problems that entities show; a claim that lost is the other document's fault."""
        faults: dict[str, list[Problem]] = {}
        for _, known in sources.problems_of_refs(self.connection, refs):
            if known.problem.severity == "error" and known.problem.code not in CLAIM_CODES and known.problem.ref:
                faults.setdefault(known.problem.ref, []).append(known.problem)
        return faults

    def _sync_claim_problems(
        self,
        affected: list[EntityRef],
        claims: Mapping[EntityRef, list[Claim]],
        holders: Mapping[EntityRef, Claim],
    ) -> set[EntityRef]:
        """Bring the problems of entities claimed twice to what they should be; return the entities concerned."""
        wanted = {
            (claim.source_id, _claim_problem(claim, holders[ref]))
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

    def _version(self, entry: _Entry, change: str) -> dict[str, Any]:
        claim = entry.claim
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
            "declared": entry.text,
        }

    def _removal(self, entity: HeldEntity) -> dict[str, Any]:
        return {
            "ref": entity.ref,
            "revision": self.revision,
            "change": "removed",
            "source_id": entity.source_id,
            "location": entity.location,
            "digest": entity.digest,
            "commit": "",
            "author": "",
            "authored_at_ms": None,
            "recorded_at_ms": self.now_ms,
            "declared": "",
        }


def _portions(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Yield portions: the finished texts and leaves of all would fill the memory."""
    for start in range(0, len(items), _FINISHED_AT_ONCE):
        yield items[start : start + _FINISHED_AT_ONCE]


def _holder(claims: list[Claim], now: HeldEntity | None) -> Claim:
    """Return the document that holds an entity: the one that does, else the oldest; orphans come last."""
    claims = [claim for claim in claims if not claim.is_orphan] or claims
    if now is not None:
        for claim in claims:
            if claim.id == now.document_id:
                return claim
    return claims[0]


def _claim_problem(claim: Claim, holder: Claim) -> Problem:
    return Problem(
        "ref-duplicate" if claim.source_id == holder.source_id else "ref-conflict",
        location=claim.location,
        span=Span(claim.line, 1),
        field="metadata.name",
        found=claim.ref,
        expected=f"a reference that is not taken; {holder.location}:{holder.line} holds it",
        hint="Rename one of the two, or remove it; this document takes over when the other lets go",
        ref=claim.ref,
    )
