"""What the definition of an API comes down to on a page, whatever language it is written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

#: So much of a text of a definition is shown.
_TEXT_SHOWN = 2_000
#: So many operations, and types, of one definition are shown; so many rows in all of them.
MOST_ENTRIES = 400
MOST_ROWS = 4_000


@dataclass(frozen=True, slots=True)
class Row:
    """A field, parameter or argument; `depth` counts what it stands within. `names` is the shape its type leads to."""

    name: str
    type: str
    depth: int = 0
    place: str = ""
    names: str = ""
    description: str = ""
    is_required: bool = False
    values: tuple[str, ...] = ()
    default: str = ""
    limits: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """What goes in or comes out: `use` is parameters, body, response, fields, message or headers; `name` says which.

    `type` is of what has no fields of its own, or is told elsewhere.
    """

    use: str
    name: str = ""
    description: str = ""
    type: str = ""
    names: str = ""
    rows: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """An operation, channel or type. `label` is its method, action or sort; `id` is what links on a page lead to."""

    label: str
    name: str
    summary: str = ""
    description: str = ""
    type: str = ""
    id: str = ""
    is_deprecated: bool = False
    shapes: Sequence[Shape] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that belong together; `sort` is operations, channels or types, the last two without a name."""

    name: str
    sort: str
    entries: Sequence[Entry]
    description: str = ""


@dataclass(frozen=True, slots=True)
class ApiView:
    """A definition as a page shows it; `more` entries are not shown. `language` names what it is written in."""

    language: str
    title: str = ""
    version: str = ""
    description: str = ""
    servers: Sequence[str] = ()
    groups: Sequence[Group] = ()
    more: int = 0


@dataclass(slots=True)
class Budget:
    """What is left of how much a page shows of one definition: the largest ones are cut, with the rest counted."""

    entries: int = MOST_ENTRIES
    rows: int = MOST_ROWS
    more: int = 0
    anchors: dict[str, str] = field(default_factory=dict)

    def allows_entry(self) -> bool:
        """Take one entry, or count it as not shown."""
        if self.entries <= 0 or self.rows <= 0:
            self.more += 1
            return False
        self.entries -= 1
        return True

    def allows_row(self) -> bool:
        """Take one row."""
        self.rows -= 1
        return self.rows >= 0

    def anchor(self, name: str) -> str:
        """Return the id of the entry of a named type; names may hold what no id may."""
        return self.anchors.setdefault(name, f"type-{len(self.anchors) + 1}")


def shown(value: object, most: int = _TEXT_SHOWN) -> str:
    """Return a text of a definition, cut where it is too long; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    text = value.strip()
    return text if len(text) <= most else f"{text[:most]}…"
