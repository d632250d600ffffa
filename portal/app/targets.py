"""Reads the locations that people name in settings or commands."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from portal.model.integration import host_of


def hosts_of(catalog: Sequence[str]) -> frozenset[str]:
    """Return the hosts of the operator's own locations: what stands there may name more of the same host."""
    found = set()
    for text in catalog:
        with suppress(ValueError):
            found.add(host_of(text.partition("#")[0]))
    return frozenset(found - {""})


def target_of(text: str) -> tuple[str, str]:
    """Return (type, target) of a location as people write it: a git url, a bare repository's path, or a folder."""
    head, hash_mark, fragment = text.partition("#")
    path = Path(head).expanduser()
    if "://" in head or not path.exists():
        return "url", text
    absolute = path.resolve()
    if (absolute / "HEAD").is_file() or (fragment and not fragment.startswith(":")):
        return "url", f"{absolute.as_uri()}{hash_mark}{fragment}"
    return "file", f"{absolute}{hash_mark}{fragment}"
