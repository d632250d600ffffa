"""Yields the texts that stand in a value of JSON or YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from portal.model.envelope import Path


def texts_in(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the texts in a value that stands at a path, however deep, each with its own path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from texts_in(member, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from texts_in(item, (*path, number))
