"""Builds the value of one YAML document from the events of its text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from portal.ingest.scalars import TAG_PREFIX, Words, key_text, tagged_value
from portal.ingest.yaml_events import DocumentFaultError, NextEvent, ValuePath, events, span_of
from portal.model.problem import Span
from portal.model.sentence import Sentence

_HEADER_WITH_COMMENT = re.compile(r"[|>][-+0-9]*#")
_MOST_UNKNOWN_TAGS: Final = 50
_FLOW_STEP: Final = "  "
_FLOW_WIDTH: Final = 80
_NEEDS_QUOTES = re.compile(r"""[\[\]{},\n]|^[ #&*!|>'"%@`]|^[?-](?: |$)|: | #|[ :]$""")


@dataclass(frozen=True, slots=True)
class UnknownTag:
    """A tag that is not known or does not fit its value, with where the value stands in the document's text."""

    tag: str
    path: ValuePath
    span: Span


@dataclass(slots=True)
class Constructor:
    """Reads one document; for one use.

    libyaml's composer calls itself for each level, so that 30,000 `[` overflow the C stack, and 100,000 keep its
    scanner busy for 16 seconds. The events come one by one: the depth is known before the next one is asked for.
    """

    text: str
    words: Words
    most_levels: int
    most_nodes: int
    unknown_tags: list[UnknownTag] = field(default_factory=list)
    _next: NextEvent = field(init=False)
    _anchors: dict[str, _Anchored] = field(default_factory=dict, init=False)
    _nodes: int = field(default=0, init=False)
    _levels: int = field(default=0, init=False)
    _path: list[str | int] = field(default_factory=list, init=False)
    _block: CollectionStartEvent | None = field(default=None, init=False)  # the innermost one
    _in_flow: bool = field(default=False, init=False)
    _end: Any = field(default=None, init=False)  # the event that closed the last collection
    _lines: list[str] | None = field(default=None, init=False)

    def value(self) -> Any:
        """Return what the document holds. Raises `DocumentFaultError`, or PyYAML's own errors."""
        self._next = events(self.text)
        value = None
        try:
            while type(event := self._next()) is not StreamEndEvent:
                if isinstance(event, NodeEvent):
                    value = self._node(event)
        except DocumentFaultError as fault:
            fault.path = tuple(self._path)
            raise
        return value

    def _node(self, event: Any) -> Any:
        self._nodes += 1
        if type(event) is AliasEvent:
            return self._alias(event)
        if event.anchor is None:
            return self._scalar(event) if type(event) is ScalarEvent else self._collection(event)
        before = self._nodes
        anchored = self._anchors[event.anchor] = _Anchored()
        anchored.value = self._scalar(event) if type(event) is ScalarEvent else self._collection(event)
        anchored.nodes = self._nodes - before + 1
        return anchored.value

    def _alias(self, event: Any) -> Any:
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            raise DocumentFaultError(
                "yaml-syntax",
                span_of(event.start_mark),
                found=Sentence('the alias "*%(anchor)s"', anchor=event.anchor),
                expected=Sentence('an anchor "&%(anchor)s" before it', anchor=event.anchor),
                hint=Sentence('Put the text in quotes if its "*" names no anchor'),
            )
        if anchored.nodes is None:
            raise DocumentFaultError(
                "yaml-alias-limit",
                span_of(event.start_mark),
                found=Sentence('the alias "*%(anchor)s" inside the value it names', anchor=event.anchor),
                expected=Sentence("a value that does not hold itself"),
            )
        self._nodes += anchored.nodes
        if self._nodes > self.most_nodes:
            raise DocumentFaultError(
                "yaml-alias-limit",
                span_of(event.start_mark),
                found=Sentence("more than %(limit)s values", limit=f"{self.most_nodes:,}"),
                expected=Sentence("at most %(limit)s", limit=f"{self.most_nodes:,}"),
                hint=Sentence("Write the values out instead of naming them by aliases of aliases"),
            )
        return anchored.value

    def _scalar(self, event: Any) -> Any:
        start = event.start_mark
        if event.style in {"'", '"'}:
            self._check_indent(start, event.end_mark, flow=False)
        elif event.style in {"|", ">"}:
            self._check_block_scalar(event)
        if event.tag is not None:
            value, known = tagged_value(event.tag, event.value, legacy=self.words.legacy)
            if not known:
                self._unknown_tag(event)
            return value
        return self.words.scalars[event.value] if event.implicit[0] else event.value

    def _check_block_scalar(self, event: Any) -> None:
        r"""Refuse `spec:\n|-\n  x`, where npm `yaml` takes the text for a key of its own, and the comment in `|#`."""
        start = event.start_mark
        if self._block is not None and start.column <= _column(self._block, self.text):
            found, expected = (
                Sentence('"%(style)s" no further right than the keys around it', style=event.style),
                Sentence("it behind its key"),
            )
        elif _HEADER_WITH_COMMENT.match(self.text, start.index):
            found, expected = (
                Sentence('"#" right after "%(style)s"', style=event.style),
                Sentence('a blank before the comment, as in " #"'),
            )
        else:
            return
        raise DocumentFaultError("yaml-syntax", span_of(start), found=found, expected=expected)

    def _collection(self, event: Any) -> Any:
        is_mapping = type(event) is MappingStartEvent
        if event.tag is not None and event.tag not in {"!", TAG_PREFIX + ("map" if is_mapping else "seq")}:
            self._unknown_tag(event)
        self._levels += 1
        self._check_levels(self._levels, event)
        outer_block, outer_in_flow = self._block, self._in_flow
        if event.flow_style:
            self._in_flow = True
        else:
            self._block = event
        value = self._mapping() if is_mapping else self._sequence()
        self._levels -= 1
        self._block, self._in_flow = outer_block, outer_in_flow
        if event.flow_style and not outer_in_flow:
            self._check_indent(event.start_mark, self._end.end_mark, flow=True)
        return value

    def _mapping(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        next_event, path = self._next, self._path
        scalars, keys = self.words.scalars, self.words.keys
        path.append("")
        while type(event := next_event()) is not MappingEndEvent:
            if type(event) is ScalarEvent and event.tag is None and event.anchor is None:
                self._nodes += 1
                key = keys[event.value] if event.implicit[0] else event.value
            else:
                key = self._uncommon_key(event)
            path[-1] = key
            if key in result:
                raise DocumentFaultError(
                    "yaml-duplicate-key",
                    span_of(event.start_mark),
                    found=Sentence('"%(key)s" again', key=key),
                    expected=Sentence("each key once"),
                    hint=Sentence("Remove or rename one of the two"),
                )
            event = next_event()
            # Nearly all values are plain scalars; reading them here is a tenth of the whole time
            if type(event) is ScalarEvent and event.implicit[0] and event.tag is None and event.anchor is None:
                self._nodes += 1
                result[key] = scalars[event.value]
            else:
                result[key] = self._node(event)
        path.pop()
        self._end = event
        return result

    def _sequence(self) -> list[Any]:
        result: list[Any] = []
        next_event, path = self._next, self._path
        path.append(0)
        while type(event := next_event()) is not SequenceEndEvent:
            path[-1] = len(result)
            result.append(self._node(event))
        path.pop()
        self._end = event
        return result

    def _uncommon_key(self, event: Any) -> str:
        """Return the key that a tagged or anchored scalar, an alias or a collection stands for.

        A collection becomes its own text in flow style, `{{ x }}` the key `{ x }`: its events are read to their end,
        and then again for the value, which other rules and aliases ask for.
        """
        if type(event) is AliasEvent:
            value = self._node(event)
            return f"*{event.anchor}" if isinstance(value, (dict, list)) else key_text(value)
        if type(event) is ScalarEvent:
            return key_text(self._node(event))
        recorded = [event]
        level = 1
        while level:
            recorded.append(inner := self._next())
            level += isinstance(inner, CollectionStartEvent) - isinstance(inner, CollectionEndEvent)
            self._check_levels(self._levels + level, inner)
        source = self._next
        self._next = iter(recorded).__next__
        self._node(self._next())
        self._next = source
        rest = iter(recorded)
        return _flow_text(next(rest), rest, text=self.text, indent="")

    def _unknown_tag(self, event: Any) -> None:
        if len(self.unknown_tags) < _MOST_UNKNOWN_TAGS:
            self.unknown_tags.append(UnknownTag(event.tag, tuple(self._path), span_of(event.start_mark)))

    def _check_levels(self, levels: int, event: Any) -> None:
        if levels > self.most_levels:
            raise DocumentFaultError(
                "yaml-depth",
                span_of(event.start_mark),
                found=Sentence("more than %(limit)s levels", limit=self.most_levels),
                expected=Sentence("at most %(limit)s", limit=self.most_levels),
            )

    def _check_indent(self, start: Any, end: Any, *, flow: bool) -> None:
        r"""Refuse a value that goes on in a line that is not indented deeper than the block around it.

        libyaml takes `a: 'x\ny'`, YAML and npm `yaml` do not. As in npm, a comment and the bracket that closes a flow
        collection may stand at the column of the block.
        """
        if start.line == end.line or self._block is None:
            return
        if self._lines is None:
            self._lines = self.text.split("\n")
        column = _column(self._block, self.text)
        for number in range(start.line + 1, end.line + 1):
            line = self._lines[number]
            rest = line.lstrip(" ")
            indent = len(line) - len(rest)
            if indent > column or rest in {"", "\r"}:
                continue
            if flow and (not rest.strip() or rest[0] == "#"):
                continue
            if flow and number == end.line and indent == column and rest[0] in "]}":
                continue
            raise DocumentFaultError(
                "yaml-syntax",
                Span(number + 1, indent + 1),
                found=Sentence(
                    "a line indented by %(indent)s inside the value that begins in line %(line)s",
                    indent=indent,
                    line=start.line + 1,
                ),
                expected=Sentence("at least %(column)s", column=column + 1),
                hint=Sentence("Indent it, or close the quote or bracket before it"),
            )


@dataclass(slots=True)
class _Anchored:
    """What an anchor names: its value and how many nodes that expands to, not known while it is being built."""

    value: Any = None
    nodes: int | None = None


def _column(block: Any, text: str) -> int:
    """Return the column of the keys or dashes of a block collection.

    Its start mark stands at its anchor or tag, where it has one. Its end mark stands at the first key or dash, but
    behind the dash of a sequence that is indented no more than its key.
    """
    end = block.end_mark
    column: int = end.column
    return column - 1 if column and text[end.index - 1] == "-" else column


def _flow_text(event: Any, rest: Iterator[Any], *, text: str, indent: str) -> str:
    """Return a node as npm `yaml` writes it in flow style: `{ a: 1, b }`, `[ x ]`.

    Numbers and words keep the text they have in the file. Known gap: npm also folds a text of more than 80 characters.
    """
    if isinstance(event, AliasEvent):
        return f"*{event.anchor}"
    properties = f"&{event.anchor} " if event.anchor else ""
    if event.tag:
        properties += event.tag.replace(TAG_PREFIX, "!!") + " "
    if isinstance(event, ScalarEvent):
        return properties + _scalar_text(event)
    inner = indent + _FLOW_STEP
    items: list[str] = []
    if isinstance(event, MappingStartEvent):
        while not isinstance(key := next(rest), MappingEndEvent):
            items.append(_pair_text(key, rest, text=text, indent=inner))
        opening, closing = "{}"
    else:
        inner += _FLOW_STEP
        while not isinstance(item := next(rest), SequenceEndEvent):
            items.append(_flow_text(item, rest, text=text, indent=inner))
        opening, closing = "[]"
    if not items:
        return properties + opening + closing
    if "\n" in "".join(items) or sum(map(len, items)) + 3 * len(items) + 1 > _FLOW_WIDTH:
        lines = f",\n{inner}".join(items)
        return f"{properties}{opening}\n{inner}{lines}\n{indent}{closing}"
    return f"{properties}{opening} {', '.join(items)} {closing}"


def _pair_text(key: Any, rest: Iterator[Any], *, text: str, indent: str) -> str:
    is_collection = isinstance(key, CollectionStartEvent)
    written = _flow_text(key, rest, text=text, indent=indent + _FLOW_STEP)
    if is_collection:
        written = f"? {written}"
    value = next(rest)
    start, end = value.start_mark.index, value.end_mark.index
    if isinstance(value, ScalarEvent) and start == end and not text[max(start - 80, 0) : start].rstrip().endswith(":"):
        return written  # `{ x }`; in `{ x: }` the parser puts the empty value behind the colon
    value_text = _flow_text(value, rest, text=text, indent=indent + _FLOW_STEP)
    separator = f"\n{indent}:" if is_collection else ":"
    return f"{written}{separator} {value_text}".rstrip()


def _scalar_text(event: Any) -> str:
    value: str = event.value
    if event.style == "'" and "\n" not in value:
        return "'" + value.replace("'", "''") + "'"
    if event.style or _NEEDS_QUOTES.search(value):
        return json.dumps(value, ensure_ascii=False)
    return value
