"""What a source means now, with what must change so that the store says the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import NamedTuple

from portal.ingest.compile import CompiledBatch, CompiledDocument, CompiledFile
from portal.ingest.meaning import DIVISIONS, Meaning, Payloads, unpack_leaves, unpack_meanings, unpack_relations
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.model.relation import DeclaredRelation

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


class DocumentKey(NamedTuple):
    """What tells a source's documents apart; a document that moves inside its file stays the same."""

    location: str
    ref: str
    occurrence: int


class FileState(NamedTuple):
    """The content that a file was compiled from: its own, and that of the files its placeholders took in."""

    blob: str
    inputs: tuple[tuple[str, str], ...] = ()


class StoredDocument(NamedTuple):
    """A document as the store has it; `digest` is 64 hex characters. An orphan is kept though nothing names it."""

    id: int
    key: DocumentKey
    line: int
    digest: str
    is_orphan: bool = False


class StoredProblem(NamedTuple):
    """A problem as the store has it."""

    id: int
    problem: Problem


@dataclass(slots=True)
class Stored:
    """What the store knows of one source."""

    files: Mapping[str, FileState]
    documents: Mapping[DocumentKey, StoredDocument]
    problems: Collection[StoredProblem]


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

    def relations(
        self, documents: Collection[CompiledDocument]
    ) -> Iterator[tuple[list[CompiledDocument], list[list[DeclaredRelation]]]]:
        """Yield documents of the snapshot with their relations, batch after batch, in the order they were read."""
        for number, batch in self._batches(documents):
            loaded = unpack_relations(self.payloads.relations(number))
            yield batch, [loaded[document.position] for document in batch]

    def leaves(self, documents: Collection[CompiledDocument]) -> Iterator[list[tuple[int, list[str]]]]:
        """Yield the leaves, as texts, of batches with these documents, by the number of the batch: by division."""
        numbers = list(dict.fromkeys(number for number, _ in self._batches(documents)))
        for division in range(DIVISIONS):
            yield [(number, unpack_leaves(self.payloads.leaves(number, division))) for number in numbers]

    def meanings(
        self, documents: Collection[CompiledDocument]
    ) -> Iterator[tuple[list[CompiledDocument], tuple[int, list[Meaning]]]]:
        """Yield documents of the snapshot with what they mean and the number of their batch.

        They come batch after batch, in the order they were read.
        """
        for number, batch in self._batches(documents):
            loaded = unpack_meanings(self.payloads.meanings(number))
            yield batch, (number, [loaded[document.position] for document in batch])

    def _batches(self, documents: Collection[CompiledDocument]) -> Iterator[tuple[int, list[CompiledDocument]]]:
        for number, found in groupby(documents, key=lambda document: self.compiled[document.location].batch):
            yield number, list(found)

    @property
    def documents(self) -> dict[DocumentKey, CompiledDocument]:
        """The documents of the files that were read anew."""
        return {
            DocumentKey(document.location, document.ref, document.occurrence): document
            for file in self.compiled.values()
            for document in file.documents
        }


@dataclass(slots=True)
class Delta:
    """What must change in the store.

    `kept` are documents that stay although the files do not bear them out now, `orphan` those that stay from now on
    although nothing names them any more. `again` are entities whose documents stay as they are but mean something
    else.
    """

    put: list[CompiledDocument] = field(default_factory=list)
    move: list[tuple[StoredDocument, int]] = field(default_factory=list)
    drop: list[StoredDocument] = field(default_factory=list)
    kept: list[StoredDocument] = field(default_factory=list)
    orphan: list[StoredDocument] = field(default_factory=list)
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
    documents = snapshot.documents
    for key, document in documents.items():
        known = stored.documents.get(key)
        if known is None or known.is_orphan or known.digest != document.digest:
            changes.put.append(document)
        elif known.line != document.line:
            changes.move.append((known, document.line))
    gone: list[StoredDocument] = []
    known_refs = {key.ref for key in stored.documents}
    faulty_refs = {ref for file in snapshot.compiled.values() for ref in (*file.faulty_refs, *file.unknown_refs)}
    for key, known in stored.documents.items():
        if key in documents:
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
        going = {known.key for known in gone}
        declared = {key.ref for key in (*documents, *stored.documents) if key not in going}
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
    changes.again = [] if not snapshot.changed_kinds else _meaning_else(snapshot, documents, stored)
    _problem_changes(changes, snapshot, stored, known_refs)
    return changes


def _meaning_else(
    snapshot: Snapshot, documents: Mapping[DocumentKey, CompiledDocument], stored: Stored
) -> list[EntityRef]:
    """Return the entities of kinds that mean something else now, and whose documents are as stored."""
    return [
        document.ref
        for key, document in documents.items()
        if document.ref.kind in snapshot.changed_kinds
        and key in stored.documents
        and stored.documents[key].digest == document.digest
    ]


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
        expected="a kind that is built in, or that a KindDefinition declares",
        hint="The entity stays as it last was; bring the KindDefinition back, or take this document out",
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
