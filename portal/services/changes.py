"""Writes what a refresh has found: a delta becomes rows, relations, index, versions in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from portal.ingest.annotate import Annotator
from portal.ingest.relate import declared_target, relate
from portal.ingest.snapshot import CLAIM_CODES, Delta, DocumentKey, Stored
from portal.ingest.stitch import Stitched, stitch
from portal.model.entity import Entity
from portal.model.kind import Kind, Kinds
from portal.model.problem import Problem, Span
from portal.model.ref import EntityRef
from portal.providers.contract import Authorship
from portal.store import entities, sources
from portal.store.database import Connection
from portal.store.entities import Claim, HeldEntity
from portal.store.sources import Source

_STITCHED_AT_ONCE = 2_000


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
) -> Changes:
    """Write a source's delta; `authorship` tells who touched each file that was read anew.

    Readers see the catalog before or after, never between. An empty delta writes nothing.
    """
    if delta.is_empty:
        return Changes()
    revision = sources.current_revision(connection) + 1
    affected = _write_documents(connection, source, delta=delta, stored=stored, authorship=authorship)
    sources.delete_files(connection, source.id, delta.drop_files)
    sources.put_files(connection, source.id, delta.put_files)
    sources.delete_problems(connection, [known.id for known in delta.drop_problems])
    sources.add_problems(connection, [(source.id, problem) for problem in delta.add_problems], revision=revision)
    touched = {
        EntityRef(problem.ref)
        for problem in (*delta.add_problems, *(known.problem for known in delta.drop_problems))
        if problem.ref is not None
    }
    writer = _Writer(connection, kinds, annotator, revision, now_ms)
    changes = writer.settle(sorted(affected), also_stitch=touched)
    sources.add_revision(
        connection,
        {
            "revision": revision,
            "source_id": source.id,
            "recorded_at_ms": now_ms,
            "added": len(changes.added),
            "changed": len(changes.changed),
            "removed": len(changes.removed),
        },
    )
    return changes


def _write_documents(
    connection: Connection,
    source: Source,
    *,
    delta: Delta,
    stored: Stored,
    authorship: Mapping[str, Authorship],
) -> set[EntityRef]:
    """Write documents; return the references that they claim or claimed."""
    inserted: list[dict[str, Any]] = []
    updated: list[dict[str, Any]] = []
    affected: set[EntityRef] = set()
    for document in delta.put:
        who = authorship.get(document.location, Authorship())
        row: dict[str, Any] = {
            "line": document.line,
            "digest": document.entity.digest,
            "commit": who.commit,
            "author": who.author,
            "authored_at_ms": who.authored_at_ms,
            "declared": orjson.dumps(document.entity.declared).decode(),
        }
        affected.add(document.entity.ref)
        key = DocumentKey(document.location, document.entity.ref, document.occurrence)
        known = stored.documents.get(key)
        if known is None:
            inserted.append(
                {
                    "source_id": source.id,
                    "ref": document.entity.ref,
                    "location": document.location,
                    "occurrence": document.occurrence,
                }
                | row
            )
        else:
            updated.append({"id": known.id} | row)
    sources.update_documents(connection, [{"id": known.id, "line": line} for known, line in delta.move])
    sources.update_documents(connection, updated)
    sources.insert_documents(connection, inserted)
    sources.delete_documents(connection, [known.id for known in delta.drop])
    affected.update(EntityRef(known.key.ref) for known in delta.drop)
    return affected


@dataclass(slots=True)
class _Writer:
    connection: Connection
    kinds: Kinds
    annotator: Annotator
    revision: int
    now_ms: int

    def settle(self, affected: list[EntityRef], *, also_stitch: Collection[EntityRef]) -> Changes:
        """Decide who holds each entity, then write rows, relations, finished texts, index and versions."""
        changes = Changes(self.revision)
        claims = entities.claims_on(self.connection, affected)
        held = entities.held_entities(self.connection, affected)
        holders = {ref: _holder(found, held.get(ref)) for ref, found in claims.items()}
        touched = {EntityRef(ref) for ref in also_stitch}
        touched |= self._sync_claim_problems(affected, claims, holders)
        versions: list[dict[str, Any]] = []
        for ref in affected:
            holder, now = holders.get(ref), held.get(ref)
            if holder is None:
                if now is not None:
                    changes.removed.append(ref)
                    versions.append(self._removal(now))
            elif now is None:
                changes.added.append(ref)
                versions.append(self._version(holder, "added"))
            elif now.digest != holder.digest or now.source_id != holder.source_id:
                changes.changed.append(ref)
                versions.append(self._version(holder, "changed"))
        entities.delete_entities(self.connection, [held[ref].id for ref in changes.removed])
        declared = {ref: self._declared(holder) for ref, holder in holders.items()}
        self._write_rows(holders, held, declared)
        wanted = {ref: relate(entity, kind) for ref, (entity, kind) in declared.items()}
        touched |= entities.sync_relations(self.connection, {**wanted, **{ref: [] for ref in changes.removed}})
        self._stitch(sorted(touched.union(holders)))
        entities.insert_versions(self.connection, versions)
        return changes

    def _declared(self, claim: Claim) -> tuple[Entity, Kind]:
        declared = orjson.loads(claim.declared)
        kind = self.kinds.find(declared["kind"], declared["apiVersion"])
        if kind is None:
            raise RuntimeError(f"{claim.ref} was accepted by a kind that is not known any more")
        return Entity(claim.ref, declared, claim.digest), kind

    def _write_rows(
        self,
        holders: Mapping[EntityRef, Claim],
        held: Mapping[EntityRef, HeldEntity],
        declared: Mapping[EntityRef, tuple[Entity, Kind]],
    ) -> None:
        """Write the entity rows; the finished text follows when relations are known."""
        inserted: list[dict[str, Any]] = []
        updated: list[dict[str, Any]] = []
        number = entities.next_entity_id(self.connection)
        for ref, holder in holders.items():
            entity, kind = declared[ref]
            row: dict[str, Any] = {
                "title": str(entity.declared["metadata"].get("title") or entity.declared["metadata"]["name"]),
                "document_id": holder.id,
                "source_id": holder.source_id,
                "location": holder.location,
                "digest": holder.digest,
                "owner": declared_target(entity, kind, field="owner"),
                "system": declared_target(entity, kind, field="system"),
                "domain": declared_target(entity, kind, field="domain"),
                "layer": declared_target(entity, kind, field="layer"),
            }
            now = held.get(ref)
            if now is None:
                new = {"id": number, "ref": ref, "uid": str(uuid.uuid4()), "etag": "", "kind": ref.kind, "body": ""}
                inserted.append(new | row)
                number += 1
            else:
                updated.append({"id": now.id} | row)
        entities.insert_entities(self.connection, inserted)
        entities.update_entities(self.connection, updated)

    def _stitch(self, refs: list[EntityRef]) -> None:
        """Finish entities, a portion at a time: the finished texts and leaves of all would fill the memory."""
        for start in range(0, len(refs), _STITCHED_AT_ONCE):
            self._stitch_portion(refs[start : start + _STITCHED_AT_ONCE])

    def _stitch_portion(self, refs: list[EntityRef]) -> None:
        faults: dict[str, list[Problem]] = {}
        for _, known in sources.problems_of_refs(self.connection, refs):
            # A claim that lost is the other document's fault, not this entity's.
            if known.problem.severity == "error" and known.problem.code not in CLAIM_CODES and known.problem.ref:
                faults.setdefault(known.problem.ref, []).append(known.problem)
        stitched: dict[int, Stitched] = {}
        for item in entities.stitch_inputs(self.connection, refs):
            stitched[item.id] = stitch(
                orjson.loads(item.declared),
                uid=item.uid,
                annotations=self.annotator.annotations(item.location, origin=item.origin),
                relations=item.relations,
                problems=faults.get(item.ref, ()),
            )
        entities.update_entities(
            self.connection,
            [{"id": number, "etag": found.etag, "body": found.body} for number, found in stitched.items()],
        )
        entities.sync_index(self.connection, {number: found.leaves for number, found in stitched.items()})

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

    def _version(self, claim: Claim, change: str) -> dict[str, Any]:
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
            "declared": claim.declared,
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


def _holder(claims: list[Claim], now: HeldEntity | None) -> Claim:
    """Return the document that holds an entity: the one that does, else the oldest."""
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
