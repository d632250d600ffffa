"""Checks catalog files as the whole catalog would: what they say, what they name, whom their going would hurt."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson

from portal.errors import InputError
from portal.ingest.check import check, field_name
from portal.ingest.compile import parse_files
from portal.ingest.places import entity_spans
from portal.ingest.yaml import YamlLimits
from portal.model.entity import LOCATION_ANNOTATION, ref_of
from portal.model.envelope import Path as FieldPath
from portal.model.hosted import repository_name
from portal.model.kind import Kinds
from portal.model.layer import Finding
from portal.model.location import GENERATED_PREFIX, parse_location
from portal.model.policy import policy_of
from portal.model.problem import Problem, Span
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.refresh import RefreshService
from portal.services.sources import SourcesService
from portal.store import catalog, sources
from portal.store.catalog import Origin
from portal.store.database import Database
from portal.vcs.worktree import WorkTree, changed_since

#: What says how an organisation works: all of it matters to every file.
_FRAME_KINDS = frozenset({"layer", "role", "policy", "kinddefinition"})
#: Relations along which a layer or a role is inherited.
_INHERITING = frozenset({"partOf", "childOf", "memberOf", "hasRole"})
_ROUNDS = 20
_DOCUMENTS_A_FILE = 500
_NAMED = 5
#: What to do about an entity that the catalog has from another file.
_CLAIMED = Sentence("Rename one of the two, or remove it; this document takes over when the other lets go")
_CLAIMED_HERE = Sentence(
    "Where that is this very repository, add the url that the catalog reads as a remote of the clone"
)
_CATALOG_SUFFIXES = (".yaml", ".yml", ".json")
#: What an entity has from the catalog alone, and would be taken for a claim of the file.
_GIVEN = ("relations", "status")
_GIVEN_METADATA = ("uid", "etag", "annotations")


class Knowledge(Protocol):
    """What a whole catalog holds, as finished entities."""

    def of_kinds(self, kinds: Collection[str]) -> Iterable[Mapping[str, Any]]:
        """Return all entities of some kinds (lower case)."""
        ...

    def by_refs(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, Mapping[str, Any]]:
        """Return those of the entities that are there."""
        ...


@dataclass(frozen=True, slots=True)
class Validation:
    """What a check has found: problems by place, what layers' rules find with its place, where each entity stands.

    `knows_all` says whether the whole catalog was asked: without it, references to what is not among the files are not
    checked.
    """

    problems: Sequence[Problem]
    findings: Sequence[tuple[Finding, str, Span]]
    places: Mapping[EntityRef, tuple[str, int]]
    knows_all: bool

    @property
    def entities(self) -> int:
        """How many entities there are."""
        return len(self.places)


@dataclass(slots=True)
class _Local:
    """The entities of the files with the lines where they begin, and the files, by location."""

    origins: dict[EntityRef, Origin] = field(default_factory=dict)
    lines: dict[EntityRef, int] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)


class ValidationService:
    """Checks files in a catalog of their own, to which what they need of the whole catalog is added."""

    def __init__(
        self,
        database: Database,
        located: SourcesService,
        refresh: RefreshService,
        ownership: OwnershipService,
        kinds: KindsService,
        *,
        folder: Path,
        limits: YamlLimits,
    ) -> None:
        self._database = database
        self._sources = located
        self._refresh = refresh
        self._ownership = ownership
        self._kinds = kinds
        self._known = folder / "known"
        self._limits = limits

    def validate(
        self,
        targets: Sequence[tuple[str, str]],
        *,
        knowledge: Knowledge | None = None,
        home: WorkTree | None = None,
        since: str | None = None,
        registered: bool = False,
    ) -> Validation:
        """Check the files of (type, target) locations; `home` is the working tree that they lie in.

        Of locations that somebody wants `registered` no more is read than of those that are.

        With a revision `since`, what is wrong with files that have not changed since then is not told, but for what the
        change itself does to them. Raises `InputError` for a revision that is not there, and as `Knowledge` and
        `SourcesService.add` do.
        """
        if since is not None and home is None:
            raise InputError(f'Nothing can have changed since "{since}": the files lie in no git working tree')
        changed = None if since is None or home is None else changed_since(home, since)
        ids = [source.id for source in self._sources.add(targets, registered=registered)]
        self._refresh.refresh(ids)
        local = self._local(ids)
        frame = list(knowledge.of_kinds(_FRAME_KINDS)) if knowledge is not None else []
        if frame:
            self._learn("frame", frame, without=local.origins.keys())
            local = self._local(ids)
        removed = self._removed(local, home, changed)
        caused: list[Problem] = []
        if knowledge is not None:
            caused += self._conflicts(local, knowledge.by_refs(local.origins.keys()), home)
            caused += self._still_needed(knowledge, removed, local, home)
            self._learn_what_is_named(knowledge, frame, local, removed)
        named = self._references(local)
        with self._database.reading() as connection:
            found = [*caused, *sources.list_problems(connection, source_ids=ids)]
            present = catalog.origins(connection, sorted({ref for refs in named.values() for ref in refs.values()}))
        counts = self._counting(home, changed)

        def is_told(location: str, target: EntityRef) -> bool:
            if target in present:
                return False
            return target in removed or (knowledge is not None and counts(location))

        problems = [problem for problem in found if counts(problem.location)]
        problems += self._missing(named, is_told, local)
        findings = [
            (finding, local.origins[finding.ref].location, Span(local.lines.get(finding.ref, 1), 1))
            for finding in self._ownership.findings(local.origins.keys())
            if counts(local.origins[finding.ref].location) or not removed.keys().isdisjoint(finding.related)
        ]
        places = {ref: (origin.location, local.lines.get(ref, 1)) for ref, origin in sorted(local.origins.items())}
        return Validation(sorted(problems, key=_by_place), findings, places, knows_all=knowledge is not None)

    def _local(self, ids: Sequence[str]) -> _Local:
        found = _Local()
        with self._database.reading() as connection:
            for source_id in ids:
                found.files |= sources.stored_state(connection, source_id).files.keys()
                for document in sources.stored_documents(connection, source_id).values():
                    if not document.key.location.startswith(GENERATED_PREFIX):
                        found.lines.setdefault(EntityRef(document.key.ref), document.line)
            origins = catalog.origins(connection, sorted(found.lines))
        found.origins = {ref: origin for ref, origin in origins.items() if origin.source_id in ids}
        return found

    def _counting(self, home: WorkTree | None, changed: Mapping[str, bytes | None] | None) -> Callable[[str], bool]:
        """Return what says whether problems of a file, given by location, are told."""
        if changed is None or home is None:
            return bool
        locations = {_file(home, path) for path in changed}
        return lambda location: location in locations

    def _conflicts(
        self, local: _Local, existing: Mapping[EntityRef, Mapping[str, Any]], home: WorkTree | None
    ) -> Iterator[Problem]:
        """Yield the entities that another file of the catalog holds already."""
        for ref, entity in existing.items():
            if not self._is_replaced(entity, local, home):
                holder = _location_of(entity)
                yield Problem(
                    "ref-conflict",
                    local.origins[ref].location,
                    Span(local.lines.get(ref, 1), 1),
                    "metadata.name",
                    ref,
                    Sentence("a reference that is not taken; %(holder)s holds it", holder=holder),
                    _CLAIMED if home is None else _CLAIMED_HERE,
                    ref,
                )

    def _is_replaced(self, entity: Mapping[str, Any], local: _Local, home: WorkTree | None) -> bool:
        """Return whether an entity of the catalog comes from one of the files, as it was, or from one that has gone."""
        if _location_of(entity) in local.files:
            return True
        try:
            location_type, text = parse_location(_location_of(entity))
            if location_type == "file":
                path = Path(text.partition("#")[0])
            else:
                target = self._sources.target_of(location_type, text)
                if home is None or repository_name(target.tree.root) not in home.remotes:
                    return False
                path = home.root / target.pattern
        except InputError:
            return False
        return f"file:{path}" in local.files or not path.exists()

    def _removed(
        self, local: _Local, home: WorkTree | None, changed: Mapping[str, bytes | None] | None
    ) -> dict[EntityRef, str]:
        """Return the entities that changed files no longer declare, with their files."""
        if changed is None or home is None:
            return {}
        before = {_file(home, path): content for path, content in changed.items() if content is not None}
        now = {
            location: path.read_bytes()
            for location in before
            if (path := Path(location.removeprefix("file:"))).is_file() and not path.is_symlink()
        }
        kinds = self._kinds.current()
        still = {ref for ref, _ in self._claimed(now, kinds)} | local.origins.keys()
        return {ref: location for ref, location in self._claimed(before, kinds) if ref not in still}

    def _claimed(self, contents: Mapping[str, bytes], kinds: Kinds) -> Iterator[tuple[EntityRef, str]]:
        """Yield the entities that files claim to declare, faulty ones too."""
        files = {location: content for location, content in contents.items() if location.endswith(_CATALOG_SUFFIXES)}
        for location, file in parse_files(files, limits=self._limits).items():
            for draft in file.drafts:
                checked = check(draft.value, kinds=kinds)
                if checked.ref is not None and checked.kind is not None:
                    yield checked.ref, location

    def _still_needed(
        self, knowledge: Knowledge, removed: Mapping[EntityRef, str], local: _Local, home: WorkTree | None
    ) -> Iterator[Problem]:
        """Yield the entities that go although others, which are not among the files, name them."""
        forward = {pair.inverse: pair.forward for pair in self._kinds.current().relation_types}
        for ref, entity in knowledge.by_refs(removed.keys()).items():
            if not self._is_replaced(entity, local, home):
                continue
            who = [
                f"{relation['targetRef']} {forward[relation['type']]}"
                for relation in entity.get("relations") or ()
                if relation["type"] in forward
                and relation["targetRef"] not in local.origins
                and relation["targetRef"] not in removed
            ]
            if who:
                named: Sentence | list[str] = who[:_NAMED]
                if len(who) > _NAMED:
                    named = Sentence("%(shown)s, %(count)s more", shown=who[:_NAMED], count=len(who) - _NAMED)
                yield Problem(
                    "entity-needed",
                    removed[ref],
                    Span(1, 1),
                    found=Sentence("%(ref)s, which %(count)s entity names (%(named)s)", ref=ref, count=1, named=named)
                    if len(who) == 1
                    else Sentence(
                        "%(ref)s, which %(count)s entities name (%(named)s)", ref=ref, count=len(who), named=named
                    ),
                    hint=Sentence("Tell their owners first, or keep the document until nothing names it"),
                    ref=ref,
                    severity="warning",
                )

    def _learn_what_is_named(
        self,
        knowledge: Knowledge,
        frame: Iterable[Mapping[str, Any]],
        local: _Local,
        removed: Collection[EntityRef],
    ) -> None:
        """Add what the files name, with what that inherits layers and roles from, and those who hold roles."""
        known: dict[EntityRef, Mapping[str, Any]] = {}
        wanted = {target for origin in local.origins.values() for target in _targets(orjson.loads(origin.body))}
        wanted |= {target for entity in frame if entity["kind"] == "Role" for target in _targets(entity)}
        policies = [
            policy_of(body, ref_of(body))
            for body in [*frame, *(orjson.loads(found.body) for found in local.origins.values())]
            if body["kind"] == "Policy"
        ]
        wanted |= {who for policy in policies for found in policy.exemptions for who in (found.entity, found.approver)}
        seen = {*local.origins, *removed}
        for _ in range(_ROUNDS):
            wanted -= seen
            if not wanted:
                break
            seen |= wanted
            found = knowledge.by_refs(wanted)
            known |= found
            wanted = {target for entity in found.values() for target in _targets(entity, _INHERITING)}
        self._learn("named", known.values(), without=())

    def _learn(self, name: str, entities: Iterable[Mapping[str, Any]], *, without: Collection[EntityRef]) -> None:
        """Take entities of the whole catalog in, but for those that the files declare."""
        self._known.mkdir(exist_ok=True)
        documents = [_declared(entity) for entity in entities if ref_of(entity) not in without]
        for number, start in enumerate(range(0, len(documents), _DOCUMENTS_A_FILE)):
            some = documents[start : start + _DOCUMENTS_A_FILE]
            (self._known / f"{name}-{number}.yaml").write_bytes(b"\n---\n".join(map(orjson.dumps, some)))
        self._sources.add([("file", f"{self._known}#:*.yaml")])
        self._refresh.refresh()

    def _references(self, local: _Local) -> dict[EntityRef, dict[FieldPath, EntityRef]]:
        """Return what the fields of the files' entities name, by entity and field."""
        kinds = self._kinds.current()
        found: dict[EntityRef, dict[FieldPath, EntityRef]] = {}
        for ref, origin in local.origins.items():
            entity = orjson.loads(origin.body)
            kind = kinds.find(entity["kind"], entity["apiVersion"])
            spec = entity.get("spec") or {}
            for item in kind.relation_fields[kind.schema_for(spec)] if kind is not None else ():
                value = spec.get(item.name)
                if not value:
                    continue
                try:
                    texts = list(item.field.refs(value))
                    targets = [
                        EntityRef.parse(text, default_kind=item.default_kind, default_namespace=ref.namespace)
                        for text in texts
                    ]
                except (InputError, TypeError, KeyError, AttributeError):
                    # A lenient field with a value that is no reference: its warning has been given.
                    continue
                for number, target in enumerate(targets):
                    path = ("spec", item.name, number) if isinstance(value, list) else ("spec", item.name)
                    found.setdefault(ref, {})[path] = target
        return found

    def _missing(
        self,
        named: Mapping[EntityRef, Mapping[FieldPath, EntityRef]],
        is_told: Callable[[str, EntityRef], bool],
        local: _Local,
    ) -> Iterator[Problem]:
        """Yield the references that lead nowhere, each at its place."""
        by_file: dict[str, dict[EntityRef, list[FieldPath]]] = {}
        for ref, fields in named.items():
            location = local.origins[ref].location
            paths = [path for path, target in fields.items() if is_told(location, target)]
            if paths:
                by_file.setdefault(location, {})[ref] = paths
        kinds = self._kinds.current()
        for location, wanted in by_file.items():
            content = Path(location.removeprefix("file:")).read_bytes() if location.startswith("file:") else b""
            spans = entity_spans(content, location=location, wanted=wanted, kinds=kinds, limits=self._limits)
            for ref, paths in wanted.items():
                for path in paths:
                    yield Problem(
                        "reference-missing",
                        location,
                        # What is not read from this machine is placed where its entity begins.
                        spans.get((ref, path)) or Span(local.lines.get(ref, 1), 1),
                        field_name(path),
                        named[ref][path],
                        Sentence("an entity that is in the catalog"),
                        ref=ref,
                        severity="warning",
                    )


def _file(home: WorkTree, path: str) -> str:
    return f"file:{home.root / path}"


def _location_of(entity: Mapping[str, Any]) -> str:
    return str((entity["metadata"].get("annotations") or {}).get(LOCATION_ANNOTATION, ""))


def _targets(entity: Mapping[str, Any], types: Collection[str] | None = None) -> Iterator[EntityRef]:
    """Yield what an entity's relations, all or of some types, lead to."""
    for relation in entity.get("relations") or ():
        if types is None or relation["type"] in types:
            yield EntityRef(relation["targetRef"])


def _declared(entity: Mapping[str, Any]) -> dict[str, Any]:
    """Return a finished entity as a file could declare it."""
    document = {name: value for name, value in entity.items() if name not in _GIVEN}
    document["metadata"] = {name: value for name, value in entity["metadata"].items() if name not in _GIVEN_METADATA}
    return document


def _by_place(problem: Problem) -> tuple[str, int, int, str, str]:
    span = problem.span or Span(0, 0)
    return (problem.location, span.line, span.column, problem.field, problem.code)
