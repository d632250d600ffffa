"""Reads the entities that a task is about to publish from the catalog files of its workspace."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from portal.actions.workspace import Workspace
from portal.errors import InputError
from portal.ingest.yaml import Document, parse, spans
from portal.model.entity import ref_of
from portal.model.envelope import Path, value_at
from portal.model.layer import accountable_owner
from portal.model.location import DEFAULT_PATTERN, is_absolute_target, is_glob, path_matches
from portal.model.problem import Problem, raise_for
from portal.model.ref import EntityRef

#: What catalogs look for in any folder of a repository.
_NAMES = frozenset({DEFAULT_PATTERN, "catalog-info.yml"})
#: What a template's expressions begin with: a repository may hold the skeletons of other templates.
_EXPRESSION = "{{"


@dataclass(frozen=True, slots=True)
class MadeEntity:
    """An entity as document `index` of a catalog file declares it; `path` is the file's in the workspace."""

    ref: EntityRef
    declared: Mapping[str, Any]
    path: str
    index: int
    content: bytes

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec, empty where it is none."""
        found = self.declared.get("spec")
        return found if isinstance(found, Mapping) else {}

    @property
    def owner(self) -> EntityRef | None:
        """Who is accountable for it, None where nobody is named."""
        return accountable_owner(self.declared, self.ref) if self.spec else None

    @property
    def names_owner(self) -> bool:
        """Whether it says who owns it, be it in words that are no reference."""
        return "owner" in self.spec or "owners" in self.spec

    def problem(self, path: Path, *, found: str, expected: str, hint: str = "") -> Problem:
        """Return a fault at a field of it, placed in its file."""
        span = spans(self.content, index=self.index, paths=[path])[path]
        field = ".".join(map(str, path))
        code = "field-missing" if value_at(self.declared, path) is None else "field-invalid"
        return Problem(code, self.path, span, field, found, expected, hint, self.ref)

    def owner_problem(self, owner: EntityRef) -> Problem | None:
        """Return what is wrong with its owner where that is not the one who was asked for."""
        if self.owner == owner:
            return None
        is_list = "owner" not in self.spec and "owners" in self.spec
        said = self.spec.get("owners" if is_list else "owner")
        first = said[0] if is_list and isinstance(said, list) and said else said
        return self.problem(
            ("spec", "owners", 0) if first is not said else ("spec", "owners" if is_list else "owner"),
            found=str(self.owner or ("no owner" if said is None else repr(first))),
            expected=f"{owner}, who was asked to own {self.ref}",
        )


def read_file(workspace: Workspace, path: str) -> list[MadeEntity]:
    """Return the entities of one catalog file. Raises `InputError` with every fault that keeps any from being read."""
    return list(_entities(_documents(workspace, path), path, is_strict=True))


def read_made(workspace: Workspace, *, folder: str = "", named: Collection[str] = ()) -> list[MadeEntity]:
    """Return the entities of all catalog files in a folder of the workspace, by path.

    These are `catalog-info.yaml` and the files that are `named`, with what their Locations lead to: each of their
    documents must be an entity. Those called `catalog-info.yaml` in deeper folders count as far as they can be read:
    the skeleton of a template may stand there. Raises `InputError` with every fault, `NotAllowedError` for a folder out
    of the workspace.
    """
    root = workspace.resolve(folder)
    files = {
        path
        for path in workspace.listing(folder)
        if ".git" not in path.split("/") and (root / path).is_file() and not (root / path).is_symlink()
    }
    found: list[MadeEntity] = []
    problems: list[Problem] = []
    pending = [path for path in map(_plain, (DEFAULT_PATTERN, *named)) if path in files]
    seen: set[str] = set()
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        try:
            entities = read_file(workspace, posixpath.join(folder, path) if folder else path)
        except InputError as error:
            problems += [item for item in error.problems if isinstance(item, Problem)]
            continue
        found += entities
        pending += [target for entity in entities for target in _targets(entity, path, files)]
    raise_for(problems)
    for path in files - seen:
        if posixpath.basename(path) in _NAMES:
            place = posixpath.join(folder, path) if folder else path
            found += _entities(_documents(workspace, place), place, is_strict=False)
    return sorted(found, key=lambda entity: (entity.path, entity.index))


def _documents(workspace: Workspace, path: str) -> tuple[bytes, list[Document]]:
    content = workspace.read(path)
    return content, parse(content, location=path)


def _entities(read: tuple[bytes, list[Document]], path: str, *, is_strict: bool) -> Iterator[MadeEntity]:
    """Yield the entities of documents; where it is strict, raise for what is none."""
    content, documents = read
    problems: list[Problem] = []
    for document in documents:
        if document.problem is not None:
            problems.append(document.problem)
        elif document.value is not None:
            if not _is_entity(document.value):
                place = spans(content, index=document.index, paths=[()])[()]
                code = "field-missing" if isinstance(document.value, Mapping) else "not-a-mapping"
                problems.append(Problem(code, path, place, expected="an entity, with kind, metadata.name and spec"))
                continue
            ref = ref_of(document.value)
            entity = MadeEntity(ref, document.value, path, document.index, content)
            if is_strict or _EXPRESSION not in repr((ref, entity.spec.get("owner"), entity.spec.get("owners"))):
                yield entity
    if is_strict:
        raise_for(problems)


def _is_entity(value: Any) -> bool:
    texts = (value_at(value, path) for path in (("kind",), ("metadata", "name"), ("metadata", "namespace")))
    kind, name, namespace = texts
    return isinstance(kind, str) and isinstance(name, str) and isinstance(namespace, str | None)


def _targets(entity: MadeEntity, path: str, files: Collection[str]) -> Iterator[str]:
    """Yield the files that a Location beside them leads to."""
    if entity.ref.kind != "location":
        return
    spec = entity.spec
    several = spec.get("targets")
    for text in (spec.get("target"), *(several if isinstance(several, list) else ())):
        if not isinstance(text, str) or is_absolute_target(text):
            continue
        target = _plain(posixpath.join(posixpath.dirname(path), text))
        if is_glob(target):
            yield from (name for name in sorted(files) if path_matches(name, target))
        else:
            yield from (name for name in (target, posixpath.join(target, DEFAULT_PATTERN)) if name in files)


def _plain(path: str) -> str:
    return posixpath.normpath(path.lstrip("/"))
