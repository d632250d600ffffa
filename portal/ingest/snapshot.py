"""What a source means now, with what must change so that the store says the same."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from portal.ingest.meaning import Meaning
from portal.ingest.payload import (
    DIVISIONS,
    CompiledDocument,
    Payloads,
    unpack_documents,
    unpack_leaves,
    unpack_meanings,
    unpack_relations,
)
from portal.ingest.stored import DocumentKey, FileState, Stored, StoredDocument, StoredProblem
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.model.relation import DeclaredRelation
from portal.model.sentence import Sentence

if TYPE_CHECKING:
    from portal.ingest.compile import CompiledBatch, CompiledFile

#: Problems of a Location's targets: they are found again at each refresh, whether the file changed or not.
LINK_CODES = frozenset(
    {
        "target-missing",
        "target-invalid",
        "target-outside",
        "target-not-allowed",
        "file-symlink",
        "location-cycle",
        "source-unreachable",
        "revision-missing",
    }
)
#: Problems of claims on one entity: they follow from the stored documents of all sources.
CLAIM_CODES = frozenset({"ref-duplicate", "ref-conflict"})


@dataclass(slots=True)
class Snapshot:
    """What a source means now.

    `files` are all files found, with their content's identity. `compiled` are those that were read anew; the others
    are as stored. `unreadable` are files that could not be read or are gone while a Location still names them: their
    documents are kept. `link_problems` belong to targets of Locations. `payloads` hold what the documents mean.
    `changed_kinds` (lower case) mean something else than when the store was written.
    """

    files: dict[str, FileState] = field(default_factory=dict)
    compiled: dict[str, CompiledFile] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    link_problems: list[Problem] = field(default_factory=list)
    payloads: Payloads = field(default_factory=Payloads)
    changed_kinds: Collection[str] = ()

    def add(self, batch: CompiledBatch) -> None:
        """Take in files that were read anew."""
        number = self.payloads.add(batch.payload)
        for location, file in batch.files.items():
            file.batch = number
            self.compiled[location] = file

    def batches(self) -> Iterator[tuple[int, list[CompiledDocument]]]:
        """Yield the documents of the files that were read anew: a batch after the other, with its number."""
        for number in range(len(self.payloads)):
            # A file that was compiled again is in two batches.
            yield (
                number,
                [
                    document
                    for document in unpack_documents(self.payloads.documents(number))
                    if self.compiled[document.location].batch == number
                ],
            )

    def documents(self, number: int) -> list[CompiledDocument]:
        """Return all documents of a batch, by position."""
        return list(unpack_documents(self.payloads.documents(number)))

    def relations(self, number: int) -> list[list[DeclaredRelation]]:
        """Return the relations that the documents of a batch declare, by position."""
        return unpack_relations(self.payloads.relations(number))

    def meanings(self, number: int) -> list[Meaning]:
        """Return what the documents of a batch mean, by position."""
        return unpack_meanings(self.payloads.meanings(number))

    def leaves(self, numbers: Sequence[int]) -> Iterator[Division]:
        """Yield the leaves of batches, division after division."""
        for division in range(DIVISIONS):
            yield Division(self.payloads, numbers, division)


@dataclass(frozen=True, slots=True)
class Division:
    """The leaves of batches in one division, which are read each time they are asked for."""

    payloads: Payloads
    numbers: Sequence[int]
    division: int

    @property
    def size_bytes(self) -> int:
        """How long their texts are, packed."""
        return sum(self.payloads.size_of_leaves(number, self.division) for number in self.numbers)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of each batch with the texts of its leaves."""
        for number in self.numbers:
            yield number, unpack_leaves(self.payloads.leaves(number, self.division))


class Puts(NamedTuple):
    """The documents of one batch that must be written, by position."""

    batch: int
    positions: array[int]


@dataclass(slots=True)
class Delta:
    """What must change in the store.

    `put` are documents that are new or say something else, batch after batch in the order in which they were read.
    `kept` are documents that stay although the files do not bear them out now, `orphan` those that stay from now on
    although nothing names them any more, `adopt` orphans that are declared again. `again` are entities whose documents
    stay as they are but mean something else.
    """

    put: list[Puts] = field(default_factory=list)
    move: list[tuple[StoredDocument, int]] = field(default_factory=list)
    drop: list[StoredDocument] = field(default_factory=list)
    kept: list[StoredDocument] = field(default_factory=list)
    orphan: list[StoredDocument] = field(default_factory=list)
    adopt: list[StoredDocument] = field(default_factory=list)
    again: list[EntityRef] = field(default_factory=list)
    put_files: dict[str, FileState] = field(default_factory=dict)
    drop_files: list[str] = field(default_factory=list)
    add_problems: list[Problem] = field(default_factory=list)
    drop_problems: list[StoredProblem] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has to be written."""
        return not (
            self.put
            or self.move
            or self.drop
            or self.orphan
            or self.again
            or self.put_files
            or self.drop_files
            or self.add_problems
            or self.drop_problems
        )


def delta(snapshot: Snapshot, stored: Stored, *, keeps_orphans: bool = False) -> Delta:
    """Return what must change so that the store equals `snapshot`.

    What nothing names any more is dropped, unless the catalog `keeps_orphans`; an orphan is let go when its entity is
    declared again.
    A faulty document keeps the stored row of the entity that it claims to be; a file with a fault that does not tell
    which entity it concerns keeps all its rows, as does a file that cannot be read. Rule: Backstage keeps the last
    good entity, catalog-backend 4.0 `updateProcessedEntityErrors`.
    """
    changes = Delta()
    present = _compare(changes, snapshot, stored)
    gone: list[StoredDocument] = []
    known_refs = {key.ref for key in stored.documents}
    faulty_refs = {ref for file in snapshot.compiled.values() for ref in (*file.faulty_refs, *file.unknown_refs)}
    for key, known in stored.documents.items():
        if key in present:
            continue
        if known.is_orphan:
            gone.append(known)
            continue
        compiled = snapshot.compiled.get(key.location)
        if key.location in snapshot.unreadable or (
            (compiled is not None and _hides_some(compiled, known_refs)) or key.ref in faulty_refs
        ):
            changes.kept.append(known)
        elif compiled is not None or key.location not in snapshot.files:
            gone.append(known)
    if gone and keeps_orphans:
        declared = _declared(snapshot, stored, gone)
        changes.drop = [known for known in gone if known.key.ref in declared]
        changes.orphan = [known for known in gone if known.key.ref not in declared and not known.is_orphan]
    else:
        changes.drop = gone
    changes.put_files = {
        location: state for location, state in snapshot.files.items() if stored.files.get(location) != state
    }
    changes.drop_files = [
        location for location in stored.files if location not in snapshot.files and location not in snapshot.unreadable
    ]
    _problem_changes(changes, snapshot, stored, known_refs)
    return changes


def _compare(changes: Delta, snapshot: Snapshot, stored: Stored) -> set[DocumentKey]:
    """Add what becomes of the documents of files that were read anew; return which of them are stored."""
    present: set[DocumentKey] = set()
    for number, documents in snapshot.batches():
        positions = array("I")
        for document in documents:
            key = DocumentKey(document.location, document.ref, document.occurrence)
            known = stored.documents.get(key)
            if known is not None:
                present.add(key)
            if known is None or known.is_orphan or known.digest != document.digest:
                positions.append(document.position)
                if known is not None and known.is_orphan:
                    changes.adopt.append(known)
                continue
            if known.line != document.line:
                changes.move.append((known, document.line))
            if document.ref.kind in snapshot.changed_kinds:
                changes.again.append(document.ref)
        if positions:
            changes.put.append(Puts(number, positions))
    return present


def _declared(snapshot: Snapshot, stored: Stored, gone: Collection[StoredDocument]) -> set[str]:
    """Return the entities of documents that are gone which others declare, stored ones or new ones."""
    going = {known.key for known in gone}
    refs = {key.ref for key in going}
    declared: set[str] = {key.ref for key in stored.documents if key not in going and key.ref in refs}
    for _, documents in snapshot.batches():
        declared.update(document.ref for document in documents if document.ref in refs)
    return declared


def _hides_some(file: CompiledFile, known_refs: Collection[str]) -> bool:
    """Return whether a faulty document of a file may be any entity of it.

    A kind that is not known may be a slip of the pen in one that was, unless its entity is there: its kind has gone.
    """
    return file.has_unknown_faults or any(ref not in known_refs for ref in file.unknown_refs)


def _kind_gone(problem: Problem, known_refs: Collection[str]) -> Problem:
    """Return the problem of a kind that is not known; of an entity that is there the kind has gone."""
    if problem.code != "kind-unknown" or problem.field != "kind" or problem.ref not in known_refs:
        return problem
    return replace(
        problem,
        code="kind-gone",
        expected=Sentence("a kind that is built in, or that a KindDefinition declares"),
        hint=Sentence("The entity stays as it last was; bring the KindDefinition back, or take this document out"),
    )


def _problem_changes(changes: Delta, snapshot: Snapshot, stored: Stored, known_refs: Collection[str]) -> None:
    wanted = {_kind_gone(problem, known_refs) for file in snapshot.compiled.values() for problem in file.problems}
    wanted.update(snapshot.link_problems)
    seen: set[Problem] = set()
    for known in stored.problems:
        if known.problem.code in CLAIM_CODES:
            continue
        is_link = known.problem.code in LINK_CODES
        location = known.problem.location
        is_untouched = not is_link and (
            (location in snapshot.files and location not in snapshot.compiled) or location in snapshot.unreadable
        )
        if known.problem in wanted and known.problem not in seen:
            seen.add(known.problem)
        elif not is_untouched:
            changes.drop_problems.append(known)
    changes.add_problems = sorted(wanted - seen, key=_problem_order)


def _problem_order(problem: Problem) -> tuple[str, int, int, str, str]:
    span = problem.span
    return (problem.location, span.line if span else 0, span.column if span else 0, problem.field, problem.code)
