"""Selects paths by glob patterns as Backstage's scaffolder actions read them.

Rule: globby 11 with `dot: true`. `*` and `?` stay within a segment, dot files included; `**` spans segments; `[a-z]`,
`[!a]`, `{a,b}` and `@(a|b)` work; a pattern that is a directory's path means all within; `!x` takes away what the
patterns before it selected. The other extended forms (`!(x)`, `+(x)`, `*(x)`, numeric ranges) are refused.

Matching is linear in pattern and path, whatever a hostile template asks for.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from portal.errors import InputError

_MAX_PATTERN_CHARACTERS = 1000
_MAX_ALTERNATIVES = 256
_CHOICE = re.compile(r"\{([^{},]*(?:,[^{},]*)+)\}|([?@])\(([^()]*)\)")
_REFUSED = re.compile(r"[!+*]\([^)]*\)|\{[^{},]*\.\.[^{},]*\}")


def select(patterns: Sequence[str], paths: Collection[str], *, directories: Collection[str] = ()) -> set[str]:
    """Return the members of `paths` that the patterns select, in the order of the patterns.

    Paths are relative, `/`-separated, without a trailing slash. `directories` are the paths of directories, needed for
    patterns that name one. Raises `InputError` for a pattern that is not understood.
    """
    selected: set[str] = set()
    for pattern in patterns:
        negated = pattern.startswith("!") and not pattern.startswith("!(")
        found = _matching(pattern.removeprefix("!") if negated else pattern, paths, directories)
        selected = selected - found if negated else selected | found
    return selected


def _matching(pattern: str, paths: Collection[str], directories: Collection[str]) -> set[str]:
    if not pattern:
        raise InputError('found the empty pattern; "**" selects everything')
    if len(pattern) > _MAX_PATTERN_CHARACTERS:
        raise InputError(
            f"found a pattern of {len(pattern)} characters; at most {_MAX_PATTERN_CHARACTERS} are accepted"
        )
    if (refused := _REFUSED.search(pattern)) is not None:
        raise InputError(
            f'found "{refused.group()}" in the pattern "{pattern}"; list the paths or use *, **, ?, {{a,b}}'
        )
    plain = pattern.rstrip("/").removeprefix("./")
    whole = plain in {"", "."} and not pattern.startswith("/")
    if whole or plain in directories:
        prefix = "" if whole else f"{plain}/"
        return {path for path in paths if path.startswith(prefix)}
    if pattern.endswith("/"):  # only a directory, and those have no content of their own
        return set()
    matchers = [_segments(alternative) for alternative in _alternatives(plain)]
    return {path for path in paths if any(_matches(path.split("/"), matcher) for matcher in matchers)}


def _alternatives(pattern: str) -> list[str]:
    """Return `pattern` with each `{a,b}`, `@(a|b)` and `?(a|b)` written out."""
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        current = waiting.pop()
        choice = _CHOICE.search(current)
        if choice is None:
            done.append(current)
        else:
            braces, sign, extended = choice.groups()
            options = extended.split("|") if sign else braces.split(",")
            if sign == "?":
                options.append("")
            before, after = current[: choice.start()], current[choice.end() :]
            waiting.extend(f"{before}{option}{after}" for option in options)
        if len(done) + len(waiting) > _MAX_ALTERNATIVES:
            raise InputError(f'found more than {_MAX_ALTERNATIVES} alternatives in the pattern "{pattern}"')
    return done


@lru_cache(maxsize=256)
def _segment(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern.replace("[^", "[!")))


def _segments(pattern: str) -> list[re.Pattern[str] | None]:
    """Return a matcher for each segment, None for `**`."""
    return [None if segment == "**" else _segment(segment) for segment in pattern.removeprefix("./").split("/")]


def _matches(path: Sequence[str], pattern: Sequence[re.Pattern[str] | None]) -> bool:
    """Walk the path once, keeping every position in the pattern that it may stand at."""
    positions = _skip({0}, pattern)
    for segment in path:
        following = set()
        for position in positions:
            if position < len(pattern):
                matcher = pattern[position]
                if matcher is None:
                    following.add(position)
                elif matcher.match(segment):
                    following.add(position + 1)
        positions = _skip(following, pattern)
    return len(pattern) in positions


def _skip(positions: set[int], pattern: Sequence[re.Pattern[str] | None]) -> set[int]:
    """Return `positions` with those behind each `**`, which may stand for no segment."""
    reached = set(positions)
    for position in sorted(positions):
        following = position
        while following < len(pattern) and pattern[following] is None:
            following += 1
            reached.add(following)
    return reached
