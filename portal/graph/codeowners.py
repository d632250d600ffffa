"""Finds whom a CODEOWNERS file names for a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from codeowners import CodeOwners

#: GitLab's section: `[Name]`, optional with `^`, a number of approvals, owners of all its lines that name none.
_SECTION = re.compile(r"\^?\[([^\]]+)\](?:\[\d*\])?(?P<owners>(?:\s+\S+)*)")
_COMMENT = re.compile(r"\s#.*")
_STARS = re.compile(r"\*{3,}")
#: A bracket or wildcard within brackets: the library makes a set within a set of it, which Python may come to read in
#: another way, and warns of.
_NESTED = re.compile(r"\[[^\]]*[\[*?]")
#: A pattern with more wildcards could be made to take for ever.
_MOST_STARS = 5
_LONGEST_LINE = 2_000
_PATHS_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Rule:
    """A line (from 1) of a CODEOWNERS file: its pattern, GitLab's section where it stands in one, its owners."""

    line: int
    pattern: str
    section: str | None
    owners: tuple[str, ...]


class OwnersFile:
    """A CODEOWNERS file as GitHub and GitLab read it; lines that neither understands are passed over.

    Rule: "About code owners" of GitHub's documentation; "Code Owners syntax" of GitLab's.
    """

    def __init__(self, text: str) -> None:
        defaults: dict[str, tuple[str, ...]] = {}
        lines: list[str] = []
        for line in text.splitlines():
            line, section = _understood(line)  # noqa: PLW2901  # what is kept of it
            lines.append(line)
            if section is not None:
                name, owners = section
                defaults.setdefault(name, owners)
        self._defaults = defaults
        self._rules = CodeOwners("\n".join(lines))
        self._found: dict[str, list[Rule]] = {}

    def rules_for(self, path: str) -> list[Rule]:
        """Return the last line that matches a path, of each section one, by line."""
        known = self._found.get(path)
        if known is None:
            # Each line is tried on each path: 2,000 on 2,000 took 4 seconds.
            if len(self._found) >= _PATHS_KEPT:
                self._found.clear()
            known = self._found[path] = self._matched(path)
        return known

    def _matched(self, path: str) -> list[Rule]:
        found: dict[str | None, Rule] = {}
        for owners, line, pattern, section in self._rules.matching_lines(path):
            key = None if section is None else section.lower()
            if key not in found:
                named = tuple(dict.fromkeys(text for _, text in owners))
                found[key] = Rule(line or 0, pattern or "", section, named or self._defaults.get(key or "", ()))
        return sorted(found.values(), key=lambda rule: rule.line)


def _understood(line: str) -> tuple[str, tuple[str, tuple[str, ...]] | None]:
    """Return a line as the library reads it, empty for one to pass over, and the section with owners it opens."""
    text = _COMMENT.sub("", line).strip()
    if not text or text.startswith("#") or len(text) > _LONGEST_LINE:
        return "", None
    section = _SECTION.fullmatch(text)
    if section is not None:
        owners: Any = section["owners"].split()
        if all("@" in owner for owner in owners):
            return f"[{section[1]}]", (section[1].lower(), tuple(owners))
    text = _STARS.sub("**", text)
    pattern = text.split()[0]
    if text.startswith("!") or _NESTED.search(text) or len(re.findall(r"\*+", pattern)) > _MOST_STARS:
        return "", None
    try:
        CodeOwners(text)
    except (ValueError, IndexError, re.error):
        return "", None
    return text, None
