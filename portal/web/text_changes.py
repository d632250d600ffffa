"""Tells which lines of a value went or came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import orjson

from portal.ingest.yaml_text import to_yaml

#: Lines of one side that are compared, behind those that both begin and end with: comparing takes their square.
_MOST_COMPARED = 200
#: Lines of one change that are shown; characters of each.
_MOST_SHOWN, _LINE_SHOWN = 60, 300
#: Longer values are compared as JSON: to write YAML of them takes too long.
_LONGEST_YAML = 10_000


class Line(NamedTuple):
    """A line of a change: `sign` is - for one that went, + for one that came, a space for one that stayed beside."""

    sign: str
    text: str


def is_lines(value: Any) -> bool:
    """Return whether a value is told by lines: a list, a mapping, a text of several."""
    return isinstance(value, (dict, list)) or (isinstance(value, str) and "\n" in value.strip())


def changed_lines(before: Sequence[str], after: Sequence[str]) -> tuple[list[Line], int]:
    """Return the lines that went and came, one that stayed on either side of them, and how many are not shown."""
    start = 0
    shortest = min(len(before), len(after))
    while start < shortest and before[start] == after[start]:
        start += 1
    end = 0
    while end < shortest - start and before[-1 - end] == after[-1 - end]:
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    told = list(_compared(old[:_MOST_COMPARED], new[:_MOST_COMPARED]))
    cut = max(0, len(old) - _MOST_COMPARED) + max(0, len(new) - _MOST_COMPARED)
    if start:
        told.insert(0, Line(" ", before[start - 1]))
    if end and not cut:
        told.append(Line(" ", before[len(before) - end]))
    shown = [Line(line.sign, _short(line.text)) for line in told[:_MOST_SHOWN]]
    return shown, cut + sum(line.sign != " " for line in told[_MOST_SHOWN:])


def lines_of(value: Any) -> list[str]:
    """Return a value as lines: a text as it is, anything else as YAML, which has one item a line."""
    if isinstance(value, str):
        return value.splitlines()
    written = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    return (to_yaml(value) if len(written) <= _LONGEST_YAML else written.decode()).splitlines()


def _compared(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    for tag, first, last, new_first, new_last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            # What stays is told where it is next to what does not.
            beside = [first, last - 1] if last - first > 1 else [first]
            yield from (Line(" ", old[at]) for at in beside)
        else:
            yield from (Line("-", line) for line in old[first:last])
            yield from (Line("+", line) for line in new[new_first:new_last])


def _short(text: str) -> str:
    return text if len(text) <= _LINE_SHOWN else f"{text[:_LINE_SHOWN]}…"
