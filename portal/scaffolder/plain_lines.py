"""Spares the template engine the lines of a text that it would only copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Fault = TypeVar("Fault")

#: Stands for lines that the engine does not see; no file of text holds it, and one that does is rendered whole.
_MARK = "\x1e"
#: Where these stand, lines without a brace may matter: blocks decide on them, comments swallow them, dashes trim them.
_WHOLE = ("{%", "{#", "{{-", "-}}", _MARK)


@dataclass(frozen=True, slots=True)
class Shortened:
    """A text with a mark in place of each run of plain lines; `runs` are those, in their order."""

    text: str
    runs: Sequence[str]

    def restored(self, rendered: str) -> str | None:
        """Return what the whole text renders to, None where what was rendered holds marks of its own."""
        parts = rendered.split(_MARK)
        if len(parts) != len(self.runs) + 1:
            return None
        return parts[0] + "".join(run + part for run, part in zip(self.runs, parts[1:], strict=True))


def shortened(text: str) -> Shortened | None:
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
            kept.append(line)
            is_run = False
        elif is_run:
            runs[-1] += line
        else:
            runs.append(line)
            kept.append(_MARK)
            is_run = True
    return Shortened("".join(kept), runs)


def sparing(
    texts: Sequence[str], attempt: Callable[[Sequence[tuple[int, str]]], Sequence[str | Fault]]
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
        elif (spared := shortened(text)) is None:
            whole.append((index, text))
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
