"""JSON as JavaScript reads it, or writes it.

Pure. Rules: ECMA-262 `JSON.parse`, `JSON.stringify`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Never

from portal.errors import InputError

_LONGEST_INDENT = 10
#: Above it JavaScript writes a number with its exponent.
_LARGEST_PLAIN = 1e21
_INDENT = re.compile(r"^(\t+| +)(?=\S)", re.MULTILINE)


def parse_json(text: str, *, name: str) -> Any:
    """Return the value of a JSON text. Raises `InputError`, naming the text, for anything else."""
    try:
        return json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: found no JSON: {error or 'it is nested too deeply'}") from error


def to_json(value: Any, *, members: Sequence[str] | None = None, indent: str | int = "") -> str:
    """Return a JSON value as text.

    `members` are the only ones that mappings keep, in that order; None: all. `indent` is the text, or the number of
    spaces, of which ten characters at most count; none writes all in one line.
    """
    step = " " * max(0, min(indent, _LONGEST_INDENT)) if isinstance(indent, int) else indent[:_LONGEST_INDENT]
    separators = (",", ": ") if step else (",", ":")
    return json.dumps(_plain(value, members), ensure_ascii=False, indent=step or None, separators=separators)


def indent_of(text: str) -> str:
    """Return what the first indented line of a JSON text begins with, two spaces where none does."""
    found = _INDENT.search(text)
    return found[1] if found else "  "


def _plain(value: Any, members: Sequence[str] | None) -> Any:
    if isinstance(value, dict):
        names = value if members is None else [name for name in dict.fromkeys(members) if name in value]
        return {name: _plain(value[name], members) for name in names}
    if isinstance(value, list):
        return [_plain(item, members) for item in value]
    if isinstance(value, float):
        # JavaScript has one kind of number: 1.0 is 1 there.
        return int(value) if value.is_integer() and abs(value) < _LARGEST_PLAIN else value
    return value


def _refuse(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")
