"""Decides which document holds each entity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from portal.ingest.compile import CompiledDocument
from portal.ingest.snapshot import Delta, DocumentKey, Stored
from portal.model.problem import Problem, Span
from portal.model.ref import EntityRef
from portal.providers.contract import Authorship
from portal.store.entities import Claim, HeldEntity


@dataclass(slots=True)
class Changes:
    """What a refresh changed: references of entities added, changed, removed, and the catalog's new revision.

    `revision` is None when nothing was written.
    """

    revision: int | None = None
    added: list[EntityRef] = field(default_factory=list)
    changed: list[EntityRef] = field(default_factory=list)
    removed: list[EntityRef] = field(default_factory=list)

    def then(self, later: Changes) -> Changes:
        """Return these changes with those that came after them."""
        return Changes(
            self.revision if later.revision is None else later.revision,
            self.added + later.added,
            self.changed + later.changed,
            self.removed + later.removed,
        )


@dataclass(slots=True)
class Put:
    """A document to be written: what it claims, and whether it is stored already."""

    document: CompiledDocument
    claim: Claim
    is_stored: bool


def claim_documents(
    delta: Delta,
    claims: dict[EntityRef, list[Claim]],
    *,
    stored: Stored,
    source_id: str,
    authorship: Mapping[str, Authorship],
    first_id: int,
) -> list[Put]:
    """Bring `claims` to what documents claim from now on; return the documents to be written.

    New ones are numbered from `first_id` on: of two claims on one entity the older has the lower id.
    """
    number = first_id
    dropped = {known.id for known in delta.drop}
    for known in delta.drop:
        ref = EntityRef(known.key.ref)
        claims[ref] = [claim for claim in claims.get(ref, ()) if claim.id not in dropped]
    orphaned = {known.id for known in delta.orphan}
    for known in delta.orphan:
        ref = EntityRef(known.key.ref)
        claims[ref] = [replace(claim, is_orphan=claim.is_orphan or claim.id in orphaned) for claim in claims[ref]]
    puts: list[Put] = []
    nobody = Authorship()
    for document in delta.put:
        who = authorship.get(document.location, nobody)
        found = stored.documents.get(DocumentKey(document.location, document.ref, document.occurrence))
        claim = Claim(
            number if found is None else found.id,
            document.ref,
            source_id,
            document.location,
            document.line,
            document.digest,
            who.commit,
            who.author,
            who.authored_at_ms,
        )
        others = claims.setdefault(document.ref, [])
        if found is None:
            number += 1
            others.append(claim)
        else:
            claims[document.ref] = [claim if other.id == found.id else other for other in others]
        puts.append(Put(document, claim, found is not None))
    return puts


def compare(
    affected: Sequence[EntityRef],
    holders: Mapping[EntityRef, Claim],
    held: Mapping[EntityRef, HeldEntity],
    touched: set[EntityRef],
    *,
    revision: int,
) -> Changes:
    """Return which entities come, change and go; a move to another file is a change.

    Those that only another document of the same file holds now are added to `touched`.
    """
    changes = Changes(revision)
    for ref in affected:
        holder, now = holders.get(ref), held.get(ref)
        if holder is None:
            if now is not None:
                changes.removed.append(ref)
        elif now is None:
            changes.added.append(ref)
        elif (now.digest, now.source_id, now.location) != (holder.digest, holder.source_id, holder.location):
            changes.changed.append(ref)
        elif now.document_id != holder.id:
            touched.add(ref)
    return changes


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
        expected=f"a reference that is not taken; {holder.location}:{holder.line} holds it",
        hint="Rename one of the two, or remove it; this document takes over when the other lets go",
        ref=claim.ref,
    )
