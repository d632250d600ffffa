"""Reads at once the plain documents that all YAML parsers read alike."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
from yaml12 import parse_yaml

#: Says that a document is not of the plain sort, which is different from a document that is null.
NOT_PLAIN: Final = object()
#: What a plain document may nest: its indentation ends at column 60, and no level is narrower than a column.
DEEPEST: Final = 64

_DOCUMENT = re.compile(
    r"""
    (?: --- [ ]*+ \n )?+ (?: [ ]*+ (?: [#] [^\n]*+ )?+ \n )*+ (?=[A-Za-z_])
    (?:
        [ ]{0,60}+
        (?:
            (?: -[ ]++ )?+ KEY: (?:[ ]++ VALUE )?+ [ ]*+
          | - [ ]++ VALUE [ ]*+
          | (?: [#] [^\n]*+ )?+
        )
        \n
    )*+
    """.replace(
        "VALUE",
        r"""
        (?:
            (?: QUOTED | \[[ ]*+\] | \{[ ]*+\}
              | \[ [ ]*+ ITEM (?: ,[ ]*+ ITEM )*+ [ ]*+ \]
              | \{ [ ]*+ KEY:[ ]++ ITEM (?: ,[ ]*+ KEY:[ ]++ ITEM )*+ [ ]*+ \}
            ) (?: [ ]++ [#] [^\n]*+ )?+ (?=[ ]*+\n)
          | (?: [^\s\-?:,\[\]{}#&*!|>'"%@`] | -(?=[^\s-]) ) [^\n]*+
        )
        """,
    )
    .replace(
        "ITEM",
        r"""(?: QUOTED | [A-Za-z0-9_./] (?: [A-Za-z0-9_./+=@-] | :(?=[A-Za-z0-9_/]) | [ ](?=[A-Za-z0-9_]) )*+ )""",
    )
    .replace("KEY", "[A-Za-z_][A-Za-z0-9_./-]*+")
    .replace("QUOTED", r"""(?: "[^"\\\n]*+" | '[^'\n]*+' )"""),
    re.VERBOSE,
)
#: A number in JSON text that is not a whole one of 64 bits.
_FRACTION = re.compile(rb"[:,\[]-?[0-9]++[.eE]")
_ENDLESS = re.compile(r"\.(?:inf|nan)", re.IGNORECASE)


def plain_value(text: str) -> Any:
    """Return what one document holds, or `NOT_PLAIN` where `portal.ingest.yaml_values` must read it.

    A plain document has one key, item or comment a line, with values that end in their line, few flow collections,
    no anchors, tags, escapes, tabs. There every parser agrees, but for keys that come twice, non-text keys and numbers
    as JavaScript writes them: a document with any of these is not plain either. A fault is none of this function's
    business: its document is not plain. Reading so takes a fifth of the time.
    """
    if not text.endswith("\n"):
        text += "\n"
    if not text.replace("\n", "").isprintable() or not _DOCUMENT.fullmatch(text):
        return NOT_PLAIN
    try:
        value = parse_yaml(text)
        written = orjson.dumps(value)
    except (ValueError, TypeError):
        return NOT_PLAIN
    # Fractions are written otherwise by JavaScript; .inf and .nan have become null.
    if _FRACTION.search(written) or (b"null" in written and _ENDLESS.search(text)):
        return NOT_PLAIN
    # A colon before a blank ends each key of a plain document, a quote before a colon each key of JSON text.
    if text.count(": ") + text.count(":\n") != written.count(b'":') - written.count(b'\\":'):
        return NOT_PLAIN
    return value
