"""Compiles catalog files: bytes to documents, documents to entities or problems."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.ingest import yaml
from portal.ingest.check import Checked, check, problem_of
from portal.ingest.meaning import (
    Annotate,
    Meaning,
    Payload,
    meaning_of,
    pack,
)
from portal.ingest.placeholders import Placeholder, Resolve, find_placeholders, replace_placeholders
from portal.ingest.relate import declared_relations
from portal.ingest.yaml import YamlLimits
from portal.model.entity import Entity, entity_of
from portal.model.envelope import FieldFault, Path
from portal.model.fields import Fault
from portal.model.kind import Kind, Kinds
from portal.model.leaves import LeafMemory
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.model.relation import DeclaredRelation
from portal.model.rules import Allows

#: What is wrong with an entity that the catalog's rules keep out.
KIND_NOT_ALLOWED = Fault("kind-not-allowed", "a kind that catalog_rules allows for the location that leads here")


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


@dataclass(frozen=True, slots=True)
class CompiledDocument:
    """A document that became an entity.

    `line` is where it begins, from 1; `occurrence` counts documents of the same ref in the same file; `position` counts
    the documents of its batch from 0. `digest` is the entity's.
    """

    location: str
    line: int
    occurrence: int
    ref: EntityRef
    digest: str
    position: int


@dataclass(slots=True)
class CompiledFile:
    """What a file means: entities, problems, and which entities its faulty documents claim to be.

    `has_unknown_faults` is true when a faulty document does not say which entity it is; `unknown_refs` are what those
    of no known kind claim to be. `locations` are its Location entities as declared, which lead to more files, and
    `definitions` its KindDefinitions. `batch` is the number under which its batch's payload is kept.
    """

    location: str
    documents: list[CompiledDocument] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    faulty_refs: set[EntityRef] = field(default_factory=set)
    has_unknown_faults: bool = False
    unknown_refs: set[EntityRef] = field(default_factory=set)
    locations: list[Mapping[str, Any]] = field(default_factory=list)
    definitions: list[Mapping[str, Any]] = field(default_factory=list)
    batch: int = 0


@dataclass(frozen=True, slots=True)
class CompiledBatch:
    """Files that were compiled together; `payload` is what all their documents say."""

    files: Mapping[str, CompiledFile]
    payload: Payload


class _Batch:
    """A batch on its way."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self.memory = LeafMemory()
        self.relations: list[list[DeclaredRelation]] = []
        self.meanings: list[Meaning] = []

    def add(self, entity: Entity, declared: Mapping[str, Any], kind: Kind, annotations: Mapping[str, str]) -> int:
        """Add what a document declares and means; return its position."""
        self.relations.append(declared_relations(entity.ref, declared, kind))
        self.meanings.append(meaning_of(entity, declared, kind, annotations=annotations, memory=self.memory))
        return len(self.meanings) - 1

    def packed(self) -> Payload:
        """Return all that was added."""
        return pack(self.relations, self.meanings, self.memory.leaves)


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
) -> CompiledBatch:
    """Compile parsed files.

    `resolvers` maps a location to what gives the values of its placeholders; `allows` says which entities may come in.
    """
    batch = _Batch(kinds)
    compiled = {
        file.location: _compile(
            file,
            batch,
            resolve=resolvers.get(file.location, _unresolved),
            annotations=annotate(file.location),
            allows=allows,
        )
        for file in files
    }
    return CompiledBatch(compiled, batch.packed())


def compile_entity(location: str, declared: Mapping[str, Any], kind: Kind, *, annotate: Annotate) -> CompiledBatch:
    """Return the batch of one file with one entity that has no fault."""
    batch = _Batch(Kinds([kind]))
    entity = entity_of(declared)
    position = batch.add(entity, declared, kind, annotate(location))
    document = CompiledDocument(location, 1, 0, entity.ref, entity.digest, position)
    return CompiledBatch({location: CompiledFile(location, [document])}, batch.packed())


def _unresolved(key: str, target: str) -> Any:  # noqa: ARG001  # the form of `Resolve`
    raise ValueError("a file that can be read (nothing reads files here)")


def _parse_problems(document: yaml.Document) -> list[Problem]:
    found = list(document.warnings)
    return [document.problem, *found] if document.problem is not None else found


def _compile(
    file: DraftFile, batch: _Batch, *, resolve: Resolve, annotations: Mapping[str, str], allows: Allows | None
) -> CompiledFile:
    compiled = CompiledFile(file.location, problems=list(file.problems))
    compiled.has_unknown_faults = any(problem.severity == "error" for problem in file.problems)
    occurrences: dict[EntityRef, int] = {}
    for draft in file.drafts:
        value, faults = replace_placeholders(draft.value, draft.placeholders, resolve=resolve)
        checked = check(value, kinds=batch.kinds)
        if allows is not None and checked.entity is not None and not allows(value):
            faults.append(FieldFault(("kind",), KIND_NOT_ALLOWED, value["kind"]))
        all_faults = [*faults, *(fault for fault in checked.faults if not _is_below(fault.path, faults))]
        if all_faults:
            compiled.problems.extend(_placed(file, draft, checked, all_faults))
        if checked.entity is None or checked.kind is None or faults:
            if checked.ref is None:
                compiled.has_unknown_faults = True
            elif checked.kind is None:
                compiled.unknown_refs.add(checked.ref)
            else:
                compiled.faulty_refs.add(checked.ref)
            continue
        entity = checked.entity
        occurrence = occurrences.get(entity.ref, 0)
        occurrences[entity.ref] = occurrence + 1
        position = batch.add(entity, value, checked.kind, annotations)
        compiled.documents.append(
            CompiledDocument(file.location, draft.line, occurrence, entity.ref, entity.digest, position)
        )
        if checked.kind.name == "Location":
            compiled.locations.append(value)
        elif checked.kind.further is not None:
            compiled.definitions.append(value)
    return compiled


def _is_below(path: Path, faults: Collection[FieldFault]) -> bool:
    """Return whether the value at `path` is a placeholder that has failed: its own fault says more."""
    return any(fault.path[: len(path)] == path for fault in faults)


def _placed(file: DraftFile, draft: Draft, checked: Checked, faults: Collection[FieldFault]) -> list[Problem]:
    spans = yaml.spans(file.content, index=draft.position, paths={fault.path for fault in faults})
    return [problem_of(fault, ref=checked.ref).at(file.location, spans.get(fault.path)) for fault in faults]
