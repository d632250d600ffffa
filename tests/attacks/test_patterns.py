"""Regular-expression denial: every pattern of Portal is done soon with texts made to keep it busy."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import subprocess
import sys
import time

from servers import ROOT

import portal

#: Characters of a text. Where time grows with the square of it, it is far above the limit.
_LONG = 8_000
_SLOW_SECONDS, _MOST_SECONDS = 0.25, 500
_PUMPS = (
    "a",
    "A",
    "0",
    " ",
    "\t",
    "\n",
    "/",
    ".",
    "-",
    "_",
    ":",
    "@",
    "[",
    "]",
    "{",
    "}",
    "(",
    '"',
    "'",
    "\\",
    "#",
    "*",
)
_PAIRS = (
    "a-",
    "a.",
    "/a",
    "a:",
    "a ",
    "a\n",
    " \t",
    "[a",
    "a@",
    "\\d83d",
    "0.",
    "a,",
    '"\\',
    "\\u",
    " #",
    "\r\n",
    "<a",
)
_STARTS = ("", "a", "https://", "[", '"', "/projects/a/repos/", "a@", "revision:")
_ENDS = ("", "!", "\n")


def patterns() -> dict[str, re.Pattern]:
    """Return all patterns that modules of Portal hold, by where they are."""
    found = {}
    for module in pkgutil.walk_packages(portal.__path__, "portal."):
        # What the operator types is nobody else's text.
        if module.name.startswith(("portal.store.migrations", "portal.cli", "portal.__main__")):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                found[f"{module.name}.{name}"] = value
    return found


def _tell(*words: object) -> None:
    sys.stdout.write(f"{' '.join(map(str, words))}\n")
    sys.stdout.flush()


def attack() -> None:
    """Print the patterns that took long, with the text; each is announced first, in case it never ends."""
    for place, pattern in sorted(patterns().items()):
        _tell("trying", place)
        worst = (0.0, "")
        for start in _STARTS:
            for pump in (*_PUMPS, *_PAIRS):
                for end in _ENDS:
                    text = start + pump * (_LONG // len(pump)) + end
                    given = text.encode("utf-8", "replace") if isinstance(pattern.pattern, bytes) else text
                    for way in (pattern.match, pattern.fullmatch):
                        begin = time.process_time()
                        way(given)
                        worst = max(worst, (time.process_time() - begin, f"{way.__name__} {start!r} {pump!r} {end!r}"))
                    if worst[0] > _SLOW_SECONDS:
                        break
                if worst[0] > _SLOW_SECONDS:
                    break
            if worst[0] > _SLOW_SECONDS:
                break
        if worst[0] > _SLOW_SECONDS:
            _tell("slow", place, *worst)
    _tell("done")


def test_no_pattern_can_be_kept_busy() -> None:
    """In a process of its own: a pattern that does not end cannot be interrupted."""
    try:
        done = subprocess.run(
            [sys.executable, __file__],
            capture_output=True,
            text=True,
            timeout=_MOST_SECONDS,
            check=False,
            env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        )
        told, errors = done.stdout, done.stderr
    except subprocess.TimeoutExpired as expired:
        told, errors = (expired.stdout or b"").decode(), "it did not end"
    assert [line for line in told.splitlines() if line.startswith("slow")] == []
    assert told.endswith("done\n"), (told.splitlines()[-1:], errors)
    assert told.count("trying") > 60


if __name__ == "__main__":
    attack()
