"""Reads YAML files as Backstage does, each faulty document beside its good neighbours."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    CollectionEndEvent,
    CollectionStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from portal.ingest.scalars import Words
from portal.ingest.yaml_events import DocumentFaultError, NextEvent, ValuePath, events, span_of, with_repairs
from portal.ingest.yaml_plain import DEEPEST, NOT_PLAIN, plain_value
from portal.ingest.yaml_values import Constructor
from portal.model.problem import Problem, Span
from portal.model.sentence import Sentence


@dataclass(frozen=True, slots=True)
class YamlLimits:
    """What a file may cost.

    `depth` counts nested collections; the reader takes two Python frames for each. `expanded_nodes` counts the nodes of
    a document with each alias replaced by what it names; it is asked where there are aliases only, since without them
    the bytes bind it already.
    """

    size_bytes: int = 5 * 1024 * 1024
    depth: int = 100
    expanded_nodes: int = 200_000
    documents: int = 10_000


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file.

    `index` counts every document of the file from 0, empty ones too; `line` is where it begins, from 1. `value` is None
    for an empty document, and for one with a `problem`. Values that aliases name twice are one object, so they must not
    be changed in place.
    """

    index: int
    value: Any
    problem: Problem | None = None
    warnings: tuple[Problem, ...] = ()
    line: int = 1


@dataclass(frozen=True, slots=True)
class _Part:
    """The text of one document, with where it begins in the file; `line` and `column` count from 0."""

    text: str
    line: int
    column: int
    legacy: bool

    @property
    def first_line(self) -> int:
        """The line after the marker that opens the document, or its first one where none does; from 1."""
        end = self.text.find("\n")
        return self.line + (2 if self.text[: max(end, 0)].strip() == "---" else 1)

    def in_file(self, span: Span) -> Span:
        """Return where a place of this part stands in the file."""
        return Span(span.line + self.line, span.column + (self.column if span.line == 1 else 0))


_DEFAULT_LIMITS: Final = YamlLimits()
#: What libyaml 0.2.6 says of more levels than it reads; those before had no limit.
_TOO_DEEP_FOR_LIBYAML: Final = "exceeded maximum nesting depth"
_LIBYAML_LEVELS: Final = 1_000
_MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_CONTENT = re.compile(r"^(?!%)[ \t]*[^# \t\r\n]", re.MULTILINE)
_DIRECTIVE = re.compile(r"^%(?:YAML[ \t]+([0-9.]+))?", re.MULTILINE)
_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse(content: bytes, *, location: str = "", limits: YamlLimits = _DEFAULT_LIMITS) -> list[Document]:
    """Return the documents of a file, with the problem of each one that cannot be read.

    `location` is put into the problems. A fault of the whole file (size, encoding, NUL, number of documents) makes one
    document of index 0 with that problem. The data is what npm `yaml` 2.9 gives Backstage: YAML 1.2 core (1.1 after
    `%YAML 1.1`), merge keys plain, keys as strings, see `portal.ingest.scalars` for numbers. Nothing is raised for any
    content.

    Each document has a parser of its own, so that an error cannot reach its neighbours. For 10,000 small documents
    this costs a tenth to a fifth more than one parser for the file, and spares a second way for files with errors.
    """
    text = _text(content, limits)
    if isinstance(text, Problem):
        return [Document(0, None, replace(text, location=location))]
    vocabularies = {legacy: Words.of_version(legacy=legacy) for legacy in (False, True)}
    documents: list[Document] = []
    for part in _parts(text):
        if len(documents) == limits.documents:
            return [Document(0, None, _too_many(location, limits))]
        words = vocabularies[part.legacy]
        documents.append(_document(part, len(documents), words=words, limits=limits, location=location))
    return documents


def spans(content: bytes, *, index: int, paths: Collection[ValuePath]) -> dict[ValuePath, Span]:
    """Return where the fields of document `index` stand, for each of `paths`, such as `("metadata", "tags", 0)`.

    A mapping's field stands at its key, a list's item where the item begins, `()` where the document's content begins.
    A path that does not exist has the place of its deepest ancestor that does. The document is read again, so ask only
    for documents with problems, and for all paths at once.
    """
    text = _text(content, _DEFAULT_LIMITS, check_size=False)
    part = None if isinstance(text, Problem) else next(islice(_parts(text), index, None), None)
    if part is None:
        return dict.fromkeys(paths, Span(1, 1))
    wanted = {path[:length] for path in paths for length in range(len(path) + 1)}
    words = Words.of_version(legacy=part.legacy)
    found: dict[ValuePath, Span] = {}
    # What stands before an error is found all the same
    with suppress(YAMLError, DocumentFaultError):
        with_repairs(part.text, lambda repaired: _Locator(events(repaired), words, wanted, found).locate())
    top = found.setdefault((), Span(1, 1))
    return {
        path: part.in_file(next((found[path[:end]] for end in range(len(path), 0, -1) if path[:end] in found), top))
        for path in paths
    }


def _text(content: bytes, limits: YamlLimits, *, check_size: bool = True) -> str | Problem:
    if check_size and len(content) > limits.size_bytes:
        return Problem(
            "file-too-large",
            found=Sentence("%(size)s bytes", size=f"{len(content):,}"),
            expected=Sentence("at most %(limit)s", limit=f"{limits.size_bytes:,}"),
        )
    try:
        text = content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as fault:
        line_start = content.rfind(b"\n", 0, fault.start) + 1
        column = len(content[line_start : fault.start].decode(errors="replace"))
        return Problem(
            "file-not-utf8",
            span=Span(content.count(b"\n", 0, fault.start) + 1, column + 1),
            found=Sentence("the byte 0x%(byte)s", byte=f"{content[fault.start]:02X}"),
            expected=Sentence("UTF-8 text"),
            hint=Sentence("Save the file with the encoding UTF-8"),
        )
    position = text.find("\0")
    if position >= 0:
        return _unprintable(_Part(text, 0, 0, legacy=False), position)
    return text


def _too_many(location: str, limits: YamlLimits) -> Problem:
    return Problem(
        "yaml-document-limit",
        location=location,
        found=Sentence("more than %(limit)s documents", limit=f"{limits.documents:,}"),
        expected=Sentence("at most %(limit)s", limit=f"{limits.documents:,}"),
        hint=Sentence("Spread them over several files"),
    )


def _parts(text: str) -> Iterator[_Part]:
    """Split a file at the lines that begin with `---` or `...`, which end a document whatever it holds."""
    start = line = column = 0
    legacy = opened = False
    for marker in _MARKER.finditer(text):
        position = marker.start()
        closes = marker[0] == "..."
        if opened or _CONTENT.search(text, start, position):
            yield _Part(text[start:position], line, column, legacy)
            line, column = line + text.count("\n", start, position), 0
            start, opened = position, False
        if closes:
            line, column = line + text.count("\n", start, position), len(marker[0])
            start = marker.end()
            continue
        versions = _DIRECTIVE.findall(text, start, position)
        if versions:  # npm `yaml` keeps the version until the next directive
            legacy = "1.1" in versions
        opened = True
    if opened or _CONTENT.search(text, start):
        yield _Part(text[start:], line, column, legacy)


def _document(part: _Part, index: int, *, words: Words, limits: YamlLimits, location: str) -> Document:
    if not part.legacy and limits.depth >= DEEPEST and (plain := plain_value(part.text)) is not NOT_PLAIN:
        return Document(index, plain, line=part.first_line)
    constructor: Constructor | None = None

    def construct(text: str) -> Any:
        nonlocal constructor
        constructor = Constructor(text, words, limits.depth, limits.expanded_nodes)
        return constructor.value()

    try:
        value = with_repairs(part.text, construct)
    except DocumentFaultError as fault:
        problem = Problem(
            fault.code,
            span=part.in_file(fault.span),
            field=_field(fault.path),
            found=fault.found,
            expected=fault.expected,
            hint=fault.hint,
        )
    except MarkedYAMLError as fault:
        is_too_deep = fault.problem == _TOO_DEEP_FOR_LIBYAML
        problem = _depth_problem(part, fault, limits) if is_too_deep else _syntax_problem(part, fault)
    except YAMLError:  # only the reader's errors have no mark
        unprintable = _UNPRINTABLE.search(part.text)
        problem = _unprintable(part, unprintable.start() if unprintable else 0)
    else:
        unknown_tags = constructor.unknown_tags if constructor else ()
        return Document(
            index,
            value,
            warnings=tuple(
                Problem(
                    "yaml-tag",
                    location=location,
                    span=part.in_file(unknown.span),
                    field=_field(unknown.path),
                    found=f'"{unknown.tag}"',
                    hint=Sentence("Remove the tag"),
                    severity="warning",
                )
                for unknown in unknown_tags
            ),
            line=part.first_line,
        )
    return Document(index, None, replace(problem, location=location), line=part.first_line)


def _field(path: ValuePath) -> str:
    shown = [*path[:_SHOWN_PATH_PARTS], "…"] if len(path) > _SHOWN_PATH_PARTS else path
    return ".".join(map(str, shown))


def _unprintable(part: _Part, position: int) -> Problem:
    line_start = part.text.rfind("\n", 0, position) + 1
    return Problem(
        "yaml-syntax",
        span=part.in_file(Span(part.text.count("\n", 0, position) + 1, position - line_start + 1)),
        found=Sentence("the control character U+%(code)s", code=f"{ord(part.text[position]):04X}"),
        expected=Sentence("text without control characters"),
        hint=Sentence("Remove it; a file that is not text cannot be read"),
    )


def _depth_problem(part: _Part, fault: MarkedYAMLError, limits: YamlLimits) -> Problem:
    """Return the problem of a document that libyaml 0.2.6 gives up before Portal has counted its levels."""
    most = min(limits.depth, _LIBYAML_LEVELS)
    span = part.in_file(span_of(fault.problem_mark))
    return Problem(
        "yaml-depth",
        span=span,
        found=Sentence("more than %(limit)s levels", limit=most),
        expected=Sentence("at most %(limit)s", limit=most),
    )


def _syntax_problem(part: _Part, fault: MarkedYAMLError) -> Problem:
    """Return the problem of a syntax error, in words for the author of the file where libyaml's are for its own."""
    mark: Any = fault.problem_mark or fault.context_mark
    lines = part.text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    rest = line[mark.column :].strip()
    problem = str(fault.problem)
    expected, hint = _EXPLANATIONS.get(problem, ("", ""))
    if problem == "found character that cannot start any token" and not rest.startswith(tuple("%@`")):
        expected, hint = Sentence("spaces"), _INDENT
    nearby = "\n".join(lines[max(mark.line - 1, 0) : mark.line + 1])
    if "{%" in nearby or "{{" in nearby:
        hint = Sentence(
            "This looks like a template that is not rendered yet; put its placeholders in quotes, or leave the file out"
        )
    if rest:
        found = f'"{rest[:_SHOWN_CHARACTERS]}{"…" if len(rest) > _SHOWN_CHARACTERS else ""}"'
    else:
        found = Sentence("the end of the line") if mark.line + 1 < len(lines) else Sentence("the end of the document")
    return Problem(
        "yaml-syntax",
        span=part.in_file(span_of(mark)),
        found=found,
        expected=expected or Sentence("YAML (%(problem)s)", problem=problem),
        hint=hint,
    )


@dataclass(slots=True)
class _Locator:
    """Finds where the wanted paths of one document stand, as far as its text can be read."""

    next_event: NextEvent
    words: Words
    wanted: Collection[ValuePath]
    found: dict[ValuePath, Span]

    def locate(self) -> None:
        while not isinstance(event := self.next_event(), StreamEndEvent):
            if isinstance(event, NodeEvent):
                self._visit(event, (), value=event)

    def _visit(self, place: Any, path: ValuePath, *, value: Any) -> None:
        if path not in self.wanted or path in self.found:
            self._skip(value)
            return
        self.found[path] = span_of(place.start_mark)
        if isinstance(value, MappingStartEvent):
            while not isinstance(key := self.next_event(), MappingEndEvent):
                self._visit(key, (*path, self._key(key)), value=self.next_event())
        elif isinstance(value, SequenceStartEvent):
            position = 0
            while not isinstance(item := self.next_event(), SequenceEndEvent):
                self._visit(item, (*path, position), value=item)
                position += 1

    def _key(self, key: Any) -> str | int:
        if isinstance(key, ScalarEvent):
            return self.words.keys[key.value] if key.implicit[0] else str(key.value)
        self._skip(key)
        return -1  # no path leads through a key that is a collection or an alias

    def _skip(self, event: Any) -> None:
        level = int(isinstance(event, CollectionStartEvent))
        while 0 < level <= _DEFAULT_LIMITS.depth:
            event = self.next_event()
            level += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if level:
            raise DocumentFaultError("yaml-depth", span_of(event.start_mark), found="")


_SHOWN_CHARACTERS: Final = 40
_SHOWN_PATH_PARTS: Final = 12
_QUOTE = Sentence("Put the text in quotes")
_INDENT = Sentence("Indent with spaces; YAML does not allow tabs")
_INDENTATION = Sentence("Check the indentation")
#: What libyaml says, and what to say instead: expected, hint.
_EXPLANATIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "mapping values are not allowed in this context": (
            Sentence('one ": " in a line'),
            Sentence('Put the text in quotes if it holds ": "'),
        ),
        "found character that cannot start any token": (Sentence("text that does not begin so"), _QUOTE),
        "found a tab character that violates indentation": (Sentence("spaces"), _INDENT),
        "found a tab character where an indentation space is expected": (
            Sentence("spaces"),
            _INDENT,
        ),
        "could not find expected ':'": (
            Sentence('":" after the key'),
            Sentence("Write `key: value`, or indent what goes on with a text"),
        ),
        "did not find expected key": (Sentence("a key at the column of the keys above"), _INDENTATION),
        "did not find expected '-' indicator": (Sentence('"- " at the column of the items above'), _INDENTATION),
        "block sequence entries are not allowed in this context": (
            Sentence('"- " in a line of its own'),
            Sentence("Begin a new line"),
        ),
        "did not find expected ',' or ']'": (
            '"," or "]"',
            Sentence("Close the bracket, or separate the items by commas"),
        ),
        "did not find expected ',' or '}'": (
            '"," or "}"',
            Sentence("Close the brace, or separate the entries by commas"),
        ),
        "did not find expected node content": (
            Sentence("a value"),
            Sentence("Put the text in quotes if it begins with a special character"),
        ),
        "found unexpected end of stream": (Sentence("the closing quote"), Sentence("Close the quote")),
        "found unexpected document indicator": (
            Sentence("the closing quote"),
            Sentence('Indent the line that begins with "---" or "..."'),
        ),
        "found unknown escape character": (
            Sentence("an escape that YAML knows"),
            Sentence(r"Write \\ for \, or use single quotes"),
        ),
        "found invalid Unicode character escape code": (Sentence("the escape of a character"), ""),
        "did not find expected alphabetic or numeric character": (
            Sentence("a name"),
            Sentence('Put the text in quotes: "&" and "*" begin a name'),
        ),
        "did not find expected comment or line break": (
            Sentence("the end of the line"),
            Sentence("Begin the text in the next line"),
        ),
        "did not find expected <document start>": (Sentence('"---" before a further value'), _INDENTATION),
        "found undefined tag handle": (Sentence("a tag that the file declares"), Sentence("Remove the tag")),
    }
)
