"""What placeholders take in: which files must be read, asked for in rounds, then the values that stand in."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from portal.errors import InputError
from portal.ingest import graphql, yaml
from portal.ingest.bundle import bundle, named_files, parse_definition
from portal.ingest.compile import DraftFile
from portal.ingest.placeholders import Resolve
from portal.ingest.stored import Stored
from portal.model.integration import Integrations
from portal.model.location import Target, is_absolute_target, parse_location, parse_target, relative_target
from portal.model.reading import ReadingRules

#: So many files one catalog file may lead to, and so many bytes they may have together.
_FILES = 500
_BYTES = 50 * 1024 * 1024
_BUNDLED = {"$openapi": "refs", "$asyncapi": "refs", "$graphql": "imports"}


@dataclass(frozen=True, slots=True)
class Given:
    """What was found where a target leads.

    The target as it turned out, the identity of the content (empty: there is none), the content or why it is not had.
    """

    target: Target
    blob: str
    content: bytes | str


class _Use(NamedTuple):
    """A file that is taken in, and what is looked for in it: `refs`, `imports`, or nothing."""

    location: str
    looks_for: str


@dataclass(slots=True)
class _Budget:
    files: int = _FILES
    bytes: int = _BYTES


class Inclusions:
    """The files that placeholders of catalog files name, and those that these name.

    First `wanted` and `give` in turn, until nothing is wanted; then `resolver` and `inputs`. A file of the entity's own
    repository may always be taken in, one of another repository only where the rules name it: its content may be for
    fewer eyes than the catalog's, and Portal's login may open both. Rule: `assertSameRepository` of catalog-backend
    4.0.0, which knows no exception.
    """

    def __init__(
        self,
        files: Collection[DraftFile],
        *,
        places: Mapping[str, Target],
        integrations: Integrations,
        rules: ReadingRules,
    ) -> None:
        """`places` maps each file's location to a target that names it alone."""
        self._integrations = integrations
        self._rules = rules
        self._targets: dict[str, Target] = {}
        self._given: dict[str, Given] = {}
        self._values: dict[str, Any] = {}
        #: (location of a file, text in it) to the location that the text names, or why it names none.
        self._named: dict[tuple[str, str], str | InputError] = {}
        self._used: dict[_Use, list[_Use]] = {}
        self._waiting: list[tuple[_Use, _Budget]] = []
        self._roots: dict[str, list[_Use]] = {}
        for file in files:
            budget = _Budget()
            self._targets[file.location] = places[file.location]
            uses = self._roots[file.location] = []
            for draft in file.drafts:
                for placeholder in draft.placeholders:
                    if placeholder.target is not None:
                        looks_for = _BUNDLED.get(placeholder.key, "")
                        uses += self._use(file.location, placeholder.target, looks_for, budget)

    def wanted(self) -> list[Target]:
        """Return the files that must be read next, each a target that names one file; empty when all is known."""
        while self._waiting:
            locations = dict.fromkeys(use.location for use, _ in self._waiting)
            missing = [self._targets[location] for location in locations if location not in self._given]
            if missing:
                return missing
            self.give({})
        return []

    def give(self, found: Mapping[Target, Given]) -> None:
        """Take in what `wanted` asked for."""
        for target, given in found.items():
            location = target.location(target.pattern)
            self._given[location] = given
            self._targets[location] = given.target
        waiting, self._waiting = self._waiting, []
        for use, budget in waiting:
            content = self._given[use.location].content
            budget.bytes -= len(content)
            for text in self._texts_in(use):
                self._used[use] += self._use(use.location, text, use.looks_for, budget)

    def resolver(self, location: str) -> Resolve:
        """Return what gives the value of each placeholder of a file."""

        def resolve(key: str, text: str) -> Any:
            named = self._name(location, text)
            content = self._content(named)
            try:
                return self._whole(named, _BUNDLED[key]) if key in _BUNDLED else _value(key, content)
            except ValueError as error:
                raise ValueError(f"a file with {key.removeprefix('$')} content ({error})") from error

        return resolve

    def inputs(self, location: str) -> tuple[tuple[str, str], ...]:
        """Return all files that a catalog file leads to, with the identity of their content, sorted."""
        found: dict[str, str] = {}
        pending = deque(self._roots.get(location, ()))
        seen = set(pending)
        while pending:
            use = pending.popleft()
            found[use.location] = self._given[use.location].blob
            fresh = [item for item in self._used[use] if item not in seen]
            seen.update(fresh)
            pending.extend(fresh)
        return tuple(sorted(found.items()))

    def _use(self, base: str, text: str, looks_for: str, budget: _Budget) -> Iterator[_Use]:
        try:
            location = self._locate(base, text)
        except InputError as error:
            self._named[base, text] = error
            return
        use = _Use(location, looks_for)
        if use not in self._used:
            if budget.files <= 0 or budget.bytes <= 0:
                self._named[base, text] = InputError("one catalog file takes in more than Portal reads")
                return
            budget.files -= 1
            self._used[use] = []
            self._waiting.append((use, budget))
        self._named[base, text] = location
        yield use

    def _locate(self, base: str, text: str) -> str:
        """Return the location that a text names, seen from a file. Raises `InputError`."""
        here = self._targets[base]
        if is_absolute_target(text):
            target = parse_target("url", text, integrations=self._integrations)
            if target.is_glob:
                raise InputError(f'"{text}" is a pattern')
            if target.tree.type == "git" and not (_is_same(target, here) or self._rules.allows(text)):
                raise InputError("it is of another repository, which the setting reading_hosts does not name")
        else:
            target = relative_target(here, base=here.pattern, relative=text)
        location = target.location(target.pattern)
        self._targets.setdefault(location, target)
        return location

    def _texts_in(self, use: _Use) -> list[str]:
        content = self._given[use.location].content
        if isinstance(content, str) or not use.looks_for:
            return []
        if use.looks_for == "imports":
            return [line.file for line in graphql.imports(content.decode("utf-8", "replace"))]
        try:
            return named_files(self._parsed(use.location))
        except ValueError:
            return []  # told when the value is asked for

    def _name(self, base: str, text: str) -> str:
        named = self._named[base, text]
        if isinstance(named, str):
            return named
        raise ValueError(f"a file that can be read ({named.message})")

    def _content(self, location: str) -> bytes:
        content = self._given[location].content
        if isinstance(content, str):
            raise ValueError(f"a file that can be read ({content})")  # noqa: TRY004  # one kind of fault for the caller
        return content

    def _parsed(self, location: str) -> Any:
        content = self._given[location].content
        if isinstance(content, str):
            raise ValueError(f"{location} cannot be read: {content}")  # noqa: TRY004  # one kind of fault for the caller
        if location not in self._values:
            self._values[location] = parse_definition(content, location=location)
        return self._values[location]

    def _text(self, location: str) -> str:
        content = self._given[location].content
        if isinstance(content, str):
            raise ValueError(f"{location} cannot be read: {content}")  # noqa: TRY004  # one kind of fault for the caller
        return _decoded(content)

    def _linked(self, base: str, text: str) -> str:
        named = self._named.get((base, text))
        if isinstance(named, str):
            return named
        raise ValueError(f'"{text}" in {base} cannot be read: {named.message if named else "it is not read"}')

    def _whole(self, location: str, looks_for: str) -> str:
        if looks_for == "imports":
            return graphql.merge(location, text=self._text, locate=self._linked)
        return bundle(location, self._text(location), value=self._parsed, locate=self._linked)


def foreign_inputs(stored: Stored, integrations: Integrations) -> dict[str, Target]:
    """Return the files that a source's placeholders took in from other trees than the entity's, by location."""
    found: dict[str, Target] = {}
    own: tuple[str, ...] = ()
    for location, state in stored.files.items():
        for taken, _ in state.inputs:
            if taken in found or taken.startswith(("file:", *own)):
                continue
            here = parse_target(*parse_location(location), integrations=integrations)
            target = parse_target(*parse_location(taken), integrations=integrations)
            if target.tree != here.tree:
                found[taken] = target
            elif target.prefix and not target.suffix and target.tree.type == "git":
                own = (*own, target.prefix)
    return found


def _is_same(target: Target, here: Target) -> bool:
    """Return whether two targets are of one repository, however its url is written."""
    return _repository(target) == _repository(here)


def _repository(target: Target) -> str:
    return target.tree.root.rstrip("/").removesuffix(".git").lower() if target.tree.type == "git" else ""


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error


def _value(key: str, content: bytes) -> Any:
    if key == "$json":
        return orjson.loads(content)
    if key == "$yaml":
        documents = [document for document in yaml.parse(content) if document.value is not None or document.problem]
        if len(documents) != 1:
            raise ValueError(f"expected one document, found {len(documents)}")
        if documents[0].problem is not None:
            raise ValueError(str(documents[0].problem))
        return documents[0].value
    return _decoded(content)
