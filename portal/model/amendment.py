"""Amendments: what is to become of single places of a document that somebody has written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from portal.model.ref import EntityRef


@dataclass(frozen=True, slots=True)
class Amendment:
    """A change of one place of a document, given by its path from the document's root.

    The text `old` at the path becomes `new`. Without `old`, `new` is appended to the list at the path; without `new`,
    the item of a list at the path is taken out. Paths are those of the document before any amendment.
    """

    path: tuple[str | int, ...]
    old: str | None = None
    new: str | None = None

    @property
    def field(self) -> str:
        """The dotted name of the place."""
        return ".".join(map(str, self.path))


@dataclass(frozen=True, slots=True)
class Addition:
    """A document that is added to the file of the entity `beside`, right behind that entity's document."""

    beside: EntityRef
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FileAmendments:
    """All that is to become of one file: places of its entities, documents added, entities dropped."""

    places: Mapping[EntityRef, Sequence[Amendment]]
    added: Sequence[Addition] = ()
    dropped: Sequence[EntityRef] = ()


def amended(document: Any, amendments: Iterable[Amendment]) -> Any:
    """Return a document with its amendments made. Raises `LookupError` or `TypeError` where a place is not there."""
    found = deepcopy(document)
    for amendment in sorted(amendments, key=_in_turn):
        *way, last = amendment.path
        value = found
        for part in way:
            value = value[part]
        if amendment.old is None:
            value[last].append(amendment.new)
        elif amendment.new is None:
            del value[last]
        else:
            value[last] = amendment.new
    return found


def _in_turn(amendment: Amendment) -> tuple[int, int]:
    """Order amendments so that the paths of those to come stay true: items go from the last on, then others come."""
    if amendment.new is None:
        return 1, -int(amendment.path[-1])
    return (2 if amendment.old is None else 0), 0
