"""Finishes entities: what a document means becomes a row with the text that is served, index entries, words."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from portal.ingest.annotate import Annotator
from portal.ingest.meaning import Meaning
from portal.ingest.snapshot import CLAIM_CODES
from portal.ingest.stitch import Stitched, finish, frame, furnished
from portal.model.leaves import LeafMemory, indexed_leaves
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.model.searchable import Searchable
from portal.store import entities, sources
from portal.store.database import Connection
from portal.store.entities import Claim, HeldEntity
from portal.store.index import IndexWriter, number_list
from portal.store.relations import RelationWriter, relations_of
from portal.store.search import put_words
from portal.store.terms import TermWriter


class Finisher:
    """Finishes entities in one transaction, when all documents, relations and problems are written.

    `flush` comes last.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        relations: RelationWriter,
        terms: TermWriter,
        annotator: Annotator,
    ) -> None:
        self._connection = connection
        self._annotator = annotator
        self._index = IndexWriter(connection)
        self._relations = relations
        self._terms = terms
        self._faulty = sources.refs_with_problems(connection)
        self._held: Mapping[EntityRef, HeldEntity] = {}
        self._outgoing: Mapping[str, Sequence[tuple[str, str]]] = {}

    def look_ahead(self, refs: Sequence[EntityRef], held: Mapping[EntityRef, HeldEntity]) -> None:
        """Read what `finish` needs of entities that it will be asked for next; `held` are those of them there are."""
        self._held = held
        self._outgoing = relations_of(self._connection, refs)

    def finish(self, documents: Sequence[tuple[Claim, int, Meaning]], terms: Sequence[int]) -> None:
        """Write the rows of entities whose documents are new or have changed.

        A document comes with the number of its entity; `terms` are the ids of the leaves.
        """
        faults = self._faults([claim.ref for claim, _, _ in documents])
        inserted: list[dict[str, Any]] = []
        updated: list[dict[str, Any]] = []
        words: dict[int, Searchable] = {}
        entries: dict[int, Sequence[int]] = {}
        for (claim, number, meaning), new_uid in zip(documents, _new_uids(len(documents)), strict=True):
            ref, now = claim.ref, self._held.get(claim.ref)
            uid = new_uid if now is None else now.uid
            outgoing = self._outgoing.get(ref, ())
            stitched = finish(meaning.frame, uid=uid, relations=outgoing, problems=faults.get(ref, ()))
            found = [terms[place] for place in meaning.leaves]
            row: dict[str, Any] = {
                "id": number,
                "etag": stitched.etag,
                "title": meaning.title,
                "document_id": claim.id,
                "source_id": claim.source_id,
                "location": claim.location,
                "digest": claim.digest,
                "owner": meaning.targets.get("owner"),
                "system": meaning.targets.get("system"),
                "domain": meaning.targets.get("domain"),
                "layer": meaning.targets.get("layer"),
                "body": stitched.body,
                "term_ids": number_list(found),
            }
            if now is None:
                inserted.append({"ref": ref, "uid": uid, "kind": ref.kind} | row)
            else:
                updated.append(row)
            entries[number] = found
            words[number] = meaning.words
        new = {row["id"] for row in inserted}
        self._index.sync(entries, new=new)
        entities.insert_entities(self._connection, inserted)
        entities.update_entities(self._connection, updated)
        put_words(self._connection, words, new=new)

    def finish_again(self, refs: Sequence[EntityRef]) -> None:
        """Finish entities anew whose documents stay as they are; those not in the catalog are left out."""
        outgoing = relations_of(self._connection, refs)
        faults = self._faults(refs)
        stitched: dict[int, Stitched] = {}
        places: dict[int, Sequence[int]] = {}
        memory = LeafMemory()
        for item in entities.stitch_inputs(self._connection, refs):
            annotations = self._annotator.annotations(item.location, origin=item.origin, is_orphan=item.is_orphan)
            document = furnished(orjson.loads(item.declared), annotations)
            places[item.id] = indexed_leaves(document, memory=memory)
            stitched[item.id] = finish(
                frame(document),
                uid=item.uid,
                relations=outgoing.get(item.ref, ()),
                problems=faults.get(item.ref, ()),
            )
        terms = self._terms.ids(memory.leaves)
        entries = {number: [terms[place] for place in found] for number, found in places.items()}
        self._index.sync(entries)
        entities.update_entities(
            self._connection,
            [
                {"id": number, "etag": found.etag, "body": found.body, "term_ids": number_list(entries[number])}
                for number, found in stitched.items()
            ],
        )

    def flush(self) -> None:
        """Write what has been gathered."""
        self._index.flush()
        self._relations.flush()

    def _faults(self, refs: Sequence[EntityRef]) -> dict[str, list[Problem]]:
        """Return the problems that entities show, of those that have any; a claim that lost is the other's fault."""
        faults: dict[str, list[Problem]] = {}
        concerned = [ref for ref in refs if ref in self._faulty]
        for _, known in sources.problems_of_refs(self._connection, concerned):
            if known.problem.severity == "error" and known.problem.code not in CLAIM_CODES and known.problem.ref:
                faults.setdefault(known.problem.ref, []).append(known.problem)
        return faults


def _new_uids(count: int) -> Iterator[str]:
    """Yield so many new uuids of version 4, a third as costly as one by one. Rule: RFC 9562, 5.4."""
    digits = os.urandom(16 * count).hex()
    for start in range(0, 32 * count, 32):
        one = digits[start : start + 32]
        variant = "89ab"[int(one[16], 16) & 3]
        yield f"{one[:8]}-{one[8:12]}-4{one[13:16]}-{variant}{one[17:20]}-{one[20:]}"
