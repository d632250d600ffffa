"""Compiles catalog files: bytes to documents, documents to entities or problems."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from portal.ingest import yaml
from portal.ingest.check import Checked, Examine, check, problem_of
from portal.ingest.meaning import Annotate, Meaning, meaning_of
from portal.ingest.payload import CompiledDocument, Payload, pack
from portal.ingest.placeholders import Placeholder, Resolve, find_placeholders, replace_placeholders
from portal.ingest.relate import declared_relations
from portal.ingest.yaml import YamlLimits
from portal.model.declared_kinds import DEFINITION
from portal.model.entity import Entity, entity_of
from portal.model.envelope import FieldFault, Path
from portal.model.fields import Fault
from portal.model.kind import Kind, Kinds
from portal.model.leaves import LeafMemory
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.model.relation import DeclaredRelation
from portal.model.rules import Allows
from portal.model.sentence import Sentence

#: What is wrong with an entity that the catalog's rules keep out.
KIND_NOT_ALLOWED = Fault(
    "kind-not-allowed",
    Sentence("a kind that may come from the location that leads here (docs/settings.md: catalog_rules)"),
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A parsed document whose placeholders are not replaced yet; `position` counts from 0, `line` from 1."""

    position: int
    line: int
    value: Any
    placeholders: list[Placeholder]


@dataclass(frozen=True, slots=True)
class DraftFile:
    """A parsed file: its documents, and the problems that parsing found."""

    location: str
    content: bytes
    drafts: list[Draft]
    problems: list[Problem]


@dataclass(slots=True)
class CompiledFile:
    """What a file means beside its entities: problems, and which entities its faulty documents claim to be.

    `has_unknown_faults` is true when a faulty document does not say which entity it is; `unknown_refs` are what those
    of no known kind claim to be. `kinds` (lower case) are those of its entities. `locations` are its Location entities
    as declared, which lead to more files, and `definitions` its KindDefinitions. `batch` is the number under which its
    batch's payload, with the entities, is kept; -1 when there is none.
    """

    location: str
    problems: Sequence[Problem] = ()
    faulty_refs: Collection[EntityRef] = ()
    has_unknown_faults: bool = False
    unknown_refs: Collection[EntityRef] = ()
    kinds: Collection[str] = ()
    locations: Sequence[Mapping[str, Any]] = ()
    definitions: Sequence[Mapping[str, Any]] = ()
    batch: int = -1


@dataclass(frozen=True, slots=True)
class CompiledBatch:
    """Files that were compiled together; `payload` is all their documents, and what they say."""

    files: Mapping[str, CompiledFile]
    payload: Payload


class _Batch:
    """A batch on its way."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self.memory = LeafMemory()
        self.documents: list[CompiledDocument] = []
        self.relations: list[list[DeclaredRelation]] = []
        self.meanings: list[Meaning] = []

    def add(
        self,
        entity: Entity,
        declared: Mapping[str, Any],
        kind: Kind,
        annotations: Mapping[str, str],
        *,
        location: str,
        line: int = 1,
        occurrence: int = 0,
    ) -> None:
        """Add a document, with what it declares and means."""
        position = len(self.documents)
        self.documents.append(CompiledDocument(location, line, occurrence, entity.ref, entity.digest, position))
        self.relations.append(declared_relations(entity.ref, declared, kind))
        self.meanings.append(meaning_of(entity, declared, kind, annotations=annotations, memory=self.memory))

    def packed(self) -> Payload:
        """Return all that was added."""
        return pack(self.documents, self.relations, self.meanings, self.memory.leaves)


def parse_files(contents: Mapping[str, bytes], *, limits: YamlLimits) -> dict[str, DraftFile]:
    """Parse files given by location; documents that cannot be parsed become problems, empty ones are skipped."""
    parsed: dict[str, DraftFile] = {}
    for location, content in contents.items():
        documents = yaml.parse(content, location=location, limits=limits)
        problems = [problem for document in documents for problem in _parse_problems(document)]
        may_include = b"$" in content
        drafts = [
            Draft(
                document.index,
                document.line,
                document.value,
                find_placeholders(document.value) if may_include else [],
            )
            for document in documents
            if document.problem is None and document.value is not None
        ]
        parsed[location] = DraftFile(location, content, drafts, problems)
    return parsed


def compile_files(
    files: Collection[DraftFile],
    *,
    kinds: Kinds,
    resolvers: Mapping[str, Resolve],
    annotate: Annotate,
    allows: Allows | None = None,
    examine: Mapping[str, Examine] = MappingProxyType({}),
) -> CompiledBatch:
    """Compile parsed files.

    `resolvers` maps a location to what gives the values of its placeholders; `allows` says which entities may come in,
    `examine` what there is to warn of in those that do, by kind.
    """
    batch = _Batch(kinds)
    compiled = {
        file.location: _compile(
            file,
            batch,
            resolve=resolvers.get(file.location, _unresolved),
            annotations=annotate(file.location),
            allows=allows,
            examine=examine,
        )
        for file in files
    }
    return CompiledBatch(compiled, batch.packed())


def compile_entity(location: str, declared: Mapping[str, Any], kind: Kind, *, annotate: Annotate) -> CompiledBatch:
    """Return the batch of one file with one entity that has no fault."""
    batch = _Batch(Kinds([kind]))
    entity = entity_of(declared)
    batch.add(entity, declared, kind, annotate(location), location=location)
    return CompiledBatch({location: CompiledFile(location, kinds=(entity.ref.kind,))}, batch.packed())


def _unresolved(key: str, target: str) -> Any:  # noqa: ARG001  # the form of `Resolve`
    raise ValueError("a file that can be read (nothing reads files here)")


def _parse_problems(document: yaml.Document) -> list[Problem]:
    found = list(document.warnings)
    return [document.problem, *found] if document.problem is not None else found


def _compile(
    file: DraftFile,
    batch: _Batch,
    *,
    resolve: Resolve,
    annotations: Mapping[str, str],
    allows: Allows | None,
    examine: Mapping[str, Examine],
) -> CompiledFile:
    problems = list(file.problems)
    has_unknown_faults = any(problem.severity == "error" for problem in problems)
    faulty_refs: set[EntityRef] = set()
    unknown_refs: set[EntityRef] = set()
    kinds: set[str] = set()
    locations: list[Mapping[str, Any]] = []
    definitions: list[Mapping[str, Any]] = []
    occurrences: dict[EntityRef, int] = {}
    for draft in file.drafts:
        value, faults = replace_placeholders(draft.value, draft.placeholders, resolve=resolve)
        checked = check(value, kinds=batch.kinds)
        if allows is not None and checked.entity is not None and not allows(value):
            faults.append(FieldFault(("kind",), KIND_NOT_ALLOWED, value["kind"]))
        all_faults = [*faults, *(fault for fault in checked.faults if not _is_below(fault.path, faults))]
        if checked.entity is not None and not faults and value["kind"] in examine:
            all_faults += examine[value["kind"]](value)
        if all_faults:
            problems.extend(_placed(file, draft, checked, all_faults))
        if checked.entity is None or checked.kind is None or faults:
            if checked.ref is None:
                has_unknown_faults = True
            elif checked.kind is None:
                unknown_refs.add(checked.ref)
            else:
                faulty_refs.add(checked.ref)
            continue
        entity = checked.entity
        occurrence = occurrences.get(entity.ref, 0)
        occurrences[entity.ref] = occurrence + 1
        batch.add(
            entity,
            value,
            checked.kind,
            annotations,
            location=file.location,
            line=draft.line,
            occurrence=occurrence,
        )
        kinds.add(entity.ref.kind)
        if checked.kind.name == "Location":
            locations.append(value)
        elif entity.ref.kind == DEFINITION:
            definitions.append(value)
    # Tuples: of the sets and lists of 100,000 files most would be empty, and each as large as the rest of its file.
    return CompiledFile(
        file.location,
        tuple(problems),
        tuple(faulty_refs),
        has_unknown_faults,
        tuple(unknown_refs),
        tuple(kinds),
        tuple(locations),
        tuple(definitions),
    )


def _is_below(path: Path, faults: Collection[FieldFault]) -> bool:
    """Return whether the value at `path` is a placeholder that has failed: its own fault says more."""
    return any(fault.path[: len(path)] == path for fault in faults)


def _placed(file: DraftFile, draft: Draft, checked: Checked, faults: Collection[FieldFault]) -> list[Problem]:
    spans = yaml.spans(file.content, index=draft.position, paths={fault.path for fault in faults})
    return [problem_of(fault, ref=checked.ref).at(file.location, spans.get(fault.path)) for fault in faults]
