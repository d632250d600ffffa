"""Spares the template engine the lines of a text that it would only copy, or put a given text into."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Fault = TypeVar("Fault")

#: Stands for lines that the engine does not see; no file of text holds it, and one that does is rendered whole.
_MARK = "\x1e"
#: Where these stand, lines without a brace may matter: blocks decide on them, comments swallow them, dashes trim them.
_WHOLE = ("{%", "{#", "{{-", "-}}", _MARK)
_NAME = r"[A-Za-z][A-Za-z0-9_]*"
#: Words that may mean something else in an expression, and names that the engine gives to nobody.
_WORDS = frozenset(
    {"and", "constructor", "else", "false", "if", "in", "is", "none", "not", "null", "or", "prototype", "true"}
)


class NamedTexts:
    """Renders lines in which every expression only names a text in scope, such as `${{ values.name }}`.

    Between `opening` and `}}` stands an expression. An expression that names anything but a text (a number, a mapping,
    nothing) is left to the engine, as is all that is more than a name.
    """

    def __init__(self, context: Mapping[str, Any], *, opening: str = "${{") -> None:
        self._context = context
        self._expression = re.compile(rf"{re.escape(opening)}\s*({_NAME}(?:\.{_NAME})*)\s*}}}}")

    def rendered(self, line: str) -> str | None:
        """Return what a line renders to, None where the engine has to tell."""
        parts: list[str] = []
        end = 0
        for found in self._expression.finditer(line):
            text = self._text(found[1])
            # What stands next to the braces may be one of them.
            if text is None or line[: found.start()].endswith("{") or line.startswith("}", found.end()):
                return None
            parts += [line[end : found.start()], text]
            end = found.end()
        parts.append(line[end:])
        return None if any("{{" in part or "}}" in part for part in parts[::2]) else "".join(parts)

    def _text(self, path: str) -> str | None:
        found: Any = self._context
        for name in path.split("."):
            if name in _WORDS or not isinstance(found, Mapping):
                return None
            found = found.get(name)
        return found if isinstance(found, str) else None


@dataclass(frozen=True, slots=True)
class Shortened:
    """A text with a mark in place of each run of plain lines; `runs` are what those render to, in their order."""

    text: str
    runs: Sequence[str]

    def restored(self, rendered: str) -> str | None:
        """Return what the whole text renders to, None where what was rendered holds marks of its own."""
        parts = rendered.split(_MARK)
        if len(parts) != len(self.runs) + 1:
            return None
        return parts[0] + "".join(run + part for run, part in zip(self.runs, parts[1:], strict=True))


def shortened(text: str, named: NamedTexts) -> Shortened | None:
    """Return a text without its plain lines; None for one that the engine has to see as it is.

    Only expressions stand in it then, each of which begins and ends in one line.
    """
    if any(sign in text for sign in _WHOLE):
        return None
    kept: list[str] = []
    runs: list[str] = []
    is_run = False
    for line in text.splitlines(keepends=True):
        if "{" in line or "}" in line:
            if line.count("{{") != line.count("}}"):
                return None
            rendered = named.rendered(line)
            if rendered is None:
                kept.append(line)
                is_run = False
                continue
        else:
            rendered = line
        if is_run:
            runs[-1] += rendered
        else:
            runs.append(rendered)
            kept.append(_MARK)
            is_run = True
    return Shortened("".join(kept), runs)


def sparing(
    texts: Sequence[str], named: NamedTexts, attempt: Callable[[Sequence[tuple[int, str]]], Sequence[str | Fault]]
) -> list[str | Fault]:
    """Return what texts render to, or their faults, asking `attempt` for as little of them as will do.

    `attempt` is given places in `texts`, each with what is to be rendered instead of the text.
    """
    found: dict[int, str | Fault] = {}
    whole: list[tuple[int, str]] = []
    short: list[tuple[int, Shortened]] = []
    for index, text in enumerate(texts):
        if "{" not in text:  # no tag starts without one
            found[index] = text
        elif (spared := shortened(text, named)) is None:
            whole.append((index, text))
        elif spared.text == _MARK:
            found[index] = spared.runs[0]
        else:
            short.append((index, spared))
    asked = [*whole, *((index, spared.text) for index, spared in short)]
    if asked:
        found |= zip((index for index, _ in asked), attempt(asked), strict=True)
    again: list[tuple[int, str]] = []
    for index, spared in short:
        rendered = found[index]
        restored = spared.restored(rendered) if isinstance(rendered, str) else None
        if restored is None:  # a fault, which is told by its line in the whole text, or marks of its own
            again.append((index, texts[index]))
        else:
            found[index] = restored
    if again:
        found |= zip((index for index, _ in again), attempt(again), strict=True)
    return [found[index] for index in range(len(texts))]
