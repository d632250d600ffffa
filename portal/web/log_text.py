"""Makes lines of a task's log fit for a page."""

from __future__ import annotations

import re
from typing import Literal

Level = Literal["error", "warn", "info", "debug", ""]

#: What terminals take for commands: colours, titles of windows, links.
_COMMANDS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
#: How loggers begin a line: `info: …`, `[WARNING] …`.
_LEVEL = re.compile(r"\s*\[?(error|warn|warning|info|debug)(?:\]|:)", re.IGNORECASE)


def plain(text: str) -> str:
    """Return a text without what tells a terminal how to show it."""
    return _UNPRINTABLE.sub("", _COMMANDS.sub("", text).replace("\r\n", "\n"))


def level_of(text: str) -> Level:
    """Return the level that a plain text says it has, empty for one that says none."""
    found = _LEVEL.match(text)
    if found is None:
        return ""
    name = found[1].lower()
    return "warn" if name == "warning" else name  # type: ignore[return-value]  # one of those in the expression
