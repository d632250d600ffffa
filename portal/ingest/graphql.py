"""Makes one GraphQL schema of files that name each other by `# import` lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_IMPORT = re.compile(
    r"""^[ \t]*#[ \t]*import[ \t]+(?:(?P<names>[^"'\n]+?)[ \t]+from[ \t]+)?["'](?P<file>[^"'\n]+)["']""", re.MULTILINE
)


class Import(NamedTuple):
    """One `# import` line: the names it takes (`*` for all, `Type.field` for a part), and the file they are in."""

    names: tuple[str, ...]
    file: str


def imports(text: str) -> list[Import]:
    """Return the `# import` lines of a schema. Rule: the syntax of `@graphql-tools/import` 7."""
    return [
        Import(tuple(name.strip() for name in (found["names"] or "*").split(",") if name.strip()), found["file"])
        for found in _IMPORT.finditer(text)
    ]


def merge(root: str, *, text: Callable[[str], str], locate: Callable[[str, str], str]) -> str:
    """Return the schema at a location with all that it imports, the text as it is where it imports nothing.

    `text` gives the schema at a location, `locate` the location that an import names, seen from another. With a type
    come the types it is made of; types of one name become one with the fields of all. Raises `ValueError`.
    """
    if not imports(text(root)):
        return text(root)
    from portal.ingest.graphql_merge import Merge  # noqa: PLC0415  # its parser takes long to import, and few need it

    return Merge(text, locate).made(root)
