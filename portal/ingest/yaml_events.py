"""Turns the text of one YAML document into libyaml's events as YAML 1.2 has them."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError
from yaml.events import CollectionEndEvent, ScalarEvent

from portal.model.problem import Span
from portal.model.sentence import Sentence

NextEvent = Callable[[], Any]  # PyYAML's events carry no types
ValuePath = tuple[str | int, ...]
_Restored = tuple[dict[int, str], dict[int, str]]

_MOST_CHARACTERS_READ_AGAIN: Final = 8 * 1024 * 1024
_SURROGATES = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_MISREAD = re.compile("\r(?!\n)|[\x85\u2028\u2029]|" + _SURROGATES.pattern)
_PLACEHOLDERS: Final = range(0xF0000, 0xFFFFE)  # private use
_GLUED_COMMENT = re.compile(r"""['"\]}]#""")
_BLANK_WITH_TAB = re.compile(r" *+\t[ \t]*+(?=#|\r?$)", re.MULTILINE)
_WHERE_A_KEY_IS_EMPTY: Final = {
    "did not find expected key",
    "did not find expected '-' indicator",
    "mapping values are not allowed in this context",
}
_EMPTY_KEY = re.compile(r":(?=[ \t\r\n]|\Z)")
_TAB_AFTER_DASH = re.compile(r"[ \t]++(?=[^-?: \t\r\n])(?![^\r\n]*:(?:[ \t\r\n]|\Z))")


class DocumentFaultError(Exception):
    """What libyaml accepts but Portal does not; `path` leads to the value, `span` counts in the document's text."""

    def __init__(self, code: str, span: Span, *, found: str, expected: str = "", hint: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.span = span
        self.found = found
        self.expected = expected
        self.hint = hint
        self.path: ValuePath = ()


def span_of(mark: Any) -> Span:
    """Return the place of a mark, which counts from 0."""
    return Span(mark.line + 1, mark.column + 1)


def events(text: str) -> NextEvent:
    r"""Return the function that yields the parser's next event of a document, mended where npm `yaml` reads otherwise.

    YAML 1.2 has no line breaks but `\n` and `\r\n`, where libyaml also breaks lines at a single `\r`, NEL, LS and PS.
    JSON writes what is beyond U+FFFF as two escapes, which libyaml refuses. Both pass through it as private-use
    characters. A comment needs a blank before it, also behind a quote or bracket. A block scalar at the end of a file
    has its newline in YAML 1.2, where libyaml gives only what the file has.
    """
    source = text
    restored: _Restored | None = None
    if not text.isascii() or text.count("\r") != text.count("\r\n") or "\\u" in text:
        source, restored = _shielded(text)
    if not text.endswith("\n"):
        source += "\n"
    next_event: NextEvent = CParser(source).get_event
    glued_comment = "#" in source and _GLUED_COMMENT.search(source)
    if not (restored or glued_comment):
        return next_event

    def mended() -> Any:
        event = next_event()
        if glued_comment and isinstance(event, (ScalarEvent, CollectionEndEvent)):
            _check_comment(source, event.end_mark)
        if restored and isinstance(event, ScalarEvent):
            event.value = event.value.translate(restored[event.style == '"'])
        return event

    return mended


def _shielded(text: str) -> tuple[str, _Restored | None]:
    """Replace what libyaml misreads; return with it what the placeholders stand for outside and in double quotes.

    A placeholder is as long as what it stands for, so that the parser's marks fit the original text.
    """
    misread = {match[0] for match in _MISREAD.finditer(text)}
    used = set(text) if misread else set()
    free = list(islice((chr(code) for code in _PLACEHOLDERS if chr(code) not in used), len(misread) + 1))
    if not misread or len(free) <= len(misread):
        return text, None
    filling = free.pop()
    placeholders = {original: free.pop() + filling * (len(original) - 1) for original in sorted(misread)}
    shielded = _MISREAD.sub(lambda match: placeholders[match[0]], text)
    outside = {ord(filling): ""} | {ord(placeholder[0]): original for original, placeholder in placeholders.items()}
    return shielded, (outside, {code: _SURROGATES.sub(_joined, original) for code, original in outside.items()})


def _joined(pair: re.Match[str]) -> str:
    return chr(0x10000 + (int(pair[1], 16) - 0xD800) * 0x400 + int(pair[2], 16) - 0xDC00)


def _check_comment(text: str, end: Any) -> None:
    if _GLUED_COMMENT.match(text, max(end.index - 1, 0)):
        raise DocumentFaultError(
            "yaml-syntax",
            span_of(end),
            found=Sentence('"#" right after a value'),
            expected=Sentence('a blank before the comment, as in " #"'),
        )


def with_repairs(text: str, read: Callable[[str], Any]) -> Any:
    """Return what `read` makes of a text, after mending what libyaml refuses in it though YAML 1.2 allows it.

    Each repair follows an error, since only the parser knows that the place is no text of a block scalar. A line may
    change its columns behind a mended place. Raises what `read` raises, when no repair is known or too many are needed.
    """
    characters_left = _MOST_CHARACTERS_READ_AGAIN
    while True:
        try:
            return read(text)
        except MarkedYAMLError as fault:
            repaired = _repaired(text, str(fault.problem), fault.problem_mark)
            characters_left -= len(text)
            if repaired is None or characters_left < 0:
                raise
            text = repaired


def _repaired(text: str, problem: str, mark: Any) -> str | None:
    if mark is None:
        return None
    line_start = text.rfind("\n", 0, mark.index) + 1
    before = text[line_start : mark.index]
    if problem in {"found a tab character that violates indentation", "found character that cannot start any token"}:
        # Editors leave tabs in blank lines and before comments, people write them behind a dash: they indent nothing
        blanks = _BLANK_WITH_TAB.match(text, mark.index)
        if blanks is None and before.rstrip(" ").endswith("-"):
            blanks = _TAB_AFTER_DASH.match(text, mark.index)
        return blanks and text[: blanks.start()] + " " * len(blanks[0]) + text[blanks.end() :]
    if problem in _WHERE_A_KEY_IS_EMPTY and _EMPTY_KEY.match(text, mark.index) and not before.strip(" -"):
        # `: x`, which only YAML 1.2 allows without a "?" before it
        return text[: mark.index] + '""' + text[mark.index :]
    return None
