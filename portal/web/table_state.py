"""What the catalog's table shows, as its address tells it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import orjson
from werkzeug.datastructures import MultiDict

from portal.errors import InputError
from portal.model.ref import EntityRef
from portal.services.columns import FACETS, LEADING, NONE, Place
from portal.services.search import LONGEST_TERM
from portal.services.table import SORTS, TableQuery
from portal.web.links import query_url

#: What the table can show beside the title, in its order.
COLUMNS = ("description", "kind", "type", "layer", "owner", "system", "lifecycle", "tags")
_OWNER_KIND = {"layer": "layer", "owner": "group", "system": "system"}
#: A title may be longer than an address.
_LONGEST_VALUE = 100


@dataclass(frozen=True, slots=True)
class TableState:
    """Filters, order, columns and place of the table; `wide` is the facet of which all values are shown."""

    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    text: str = ""
    sort: str = "title"
    descending: bool = False
    columns: tuple[str, ...] = COLUMNS
    wide: str = ""
    place: Place | None = None
    direction: Literal["after", "before"] = "after"

    @classmethod
    def of(cls, asked: MultiDict[str, str]) -> Self:
        """Return what a query string asks for; what makes no sense in it counts as not said."""
        sort = asked.get("sort", "title")
        named = [name for text in asked.getlist("columns") for name in text.split(",")]
        direction: Literal["after", "before"] = "before" if asked.get("before") else "after"
        return cls(
            {facet: found for facet in FACETS if (found := _values(facet, asked.getlist(facet)))},
            asked.get("q", "").strip()[:LONGEST_TERM],
            sort.removeprefix("-") if sort.removeprefix("-") in SORTS else "title",
            sort.startswith("-"),
            tuple(name for name in COLUMNS if name in named) if named else COLUMNS,
            asked.get("wide", "") if asked.get("wide") in FACETS else "",
            _place(asked.get(direction, "")),
            direction,
        )

    @property
    def query(self) -> TableQuery:
        """What is asked of the table."""
        chosen = {facet: frozenset(values) for facet, values in self.chosen.items()}
        return TableQuery(chosen, self.text, self.sort, self.descending)

    @property
    def order(self) -> str:
        """The order as the address has it."""
        return f"-{self.sort}" if self.descending else self.sort

    def url(self, endpoint: str = "web.catalog") -> str:
        """Return the address of this state; what goes without saying is left out."""
        values: dict[str, Any] = {facet: sorted(found) for facet, found in self.chosen.items()}
        if self.text:
            values["q"] = self.text
        if self.order != "title":
            values["sort"] = self.order
        if self.columns != COLUMNS:
            values["columns"] = ",".join(self.columns) or ","
        if self.wide:
            values["wide"] = self.wide
        if self.place is not None:
            told = orjson.dumps([self.place.value[:_LONGEST_VALUE], self.place.ref])
            values[self.direction] = base64.urlsafe_b64encode(told).decode().rstrip("=")
        return query_url(endpoint, values)

    def from_start(self, **changes: Any) -> TableState:
        """Return this state with changes, at its first page."""
        return replace(self, place=None, direction="after", **changes)

    def without(self, facet: str, value: str) -> TableState:
        """Return this state with one filter less, at its first page."""
        kept = {
            name: tuple(item for item in found if (name, item) != (facet, value)) for name, found in self.chosen.items()
        }
        return self.from_start(chosen={name: found for name, found in kept.items() if found})

    def with_wide(self, facet: str) -> TableState:
        """Return this state with all values of a facet, of none for an empty one."""
        return replace(self, wide=facet)

    def sorted_by(self, sort: str) -> TableState:
        """Return this state in another order, from its first page: of the order it has the other way round."""
        return self.from_start(sort=sort, descending=sort == self.sort and not self.descending)

    def at(self, place: Place, direction: Literal["after", "before"]) -> TableState:
        """Return this state at the page that begins after a place, or ends before it."""
        return replace(self, place=place, direction=direction)


def _values(facet: str, texts: Iterable[str]) -> tuple[str, ...]:
    found = []
    for text in filter(None, (text.strip().lower() for text in texts)):
        value = text
        if facet in LEADING and text != NONE:
            try:
                value = EntityRef.parse(text, default_kind=_OWNER_KIND[facet])
            except InputError:
                value = text
        found.append(str(value))
    return tuple(dict.fromkeys(found))


def _place(text: str) -> Place | None:
    if not text:
        return None
    try:
        value, ref = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, UnicodeError, ValueError, TypeError):
        return None
    return Place(value, ref) if isinstance(value, str) and isinstance(ref, str) else None
