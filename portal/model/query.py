"""What a reader asks of the catalog, with the cursor that stands for a place in the answer."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from portal.errors import InputError
from portal.model.filter import EntityFilter, parse_predicate
from portal.model.sentence import Sentence

#: Where a text is looked for when nothing else is said.
TEXT_FIELDS = ("metadata.name", "metadata.title", "metadata.description", "metadata.tags")
_MOST_ORDER_FIELDS = 8
_MOST_TEXT_FIELDS = 50


@dataclass(frozen=True, slots=True)
class Order:
    """One key of an order: a path of leaves, lower case; entities that lack it come last either way."""

    field: str
    descending: bool = False

    @classmethod
    def of(cls, field: str, direction: object = "asc") -> Order:
        """Return the order by a path in any case. Raises `InputError` unless the direction is asc or desc."""
        if direction not in {"asc", "desc"}:
            raise InputError(Sentence("Invalid order field order, must be asc or desc"))
        if not field:
            raise InputError(Sentence("Invalid order field, must not be empty"))
        return cls(field.lower(), direction == "desc")


@dataclass(frozen=True, slots=True)
class TextSearch:
    """A text that a value of one of the `fields` must hold, whatever its case; `%` and `_` mean themselves."""

    term: str
    fields: tuple[str, ...] = TEXT_FIELDS


@dataclass(frozen=True, slots=True)
class EntityQuery:
    """Which entities, in which order; ties end in the order of references."""

    filter: EntityFilter | None = None
    order: tuple[Order, ...] = ()
    text: TextSearch | None = None

    def __post_init__(self) -> None:
        """Raise `InputError` for more than databases take in one statement."""
        if len(self.order) > _MOST_ORDER_FIELDS:
            raise InputError(
                Sentence(
                    "%(count)s order fields; expected at most %(most_order_fields)s",
                    count=len(self.order),
                    most_order_fields=_MOST_ORDER_FIELDS,
                )
            )
        if self.text is not None and len(self.text.fields) > _MOST_TEXT_FIELDS:
            raise InputError(
                Sentence(
                    "%(count)s full text fields; expected at most %(most_text_fields)s",
                    count=len(self.text.fields),
                    most_text_fields=_MOST_TEXT_FIELDS,
                )
            )


@dataclass(frozen=True, slots=True)
class Place:
    """An entity's place in an order: its value of each order key (None where it lacks it), then its reference."""

    values: tuple[str | None, ...]
    ref: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a walk over the answer to a query, from which the walk goes on, or back.

    `fields` are the paths of the entities that the walk shows; none: all. `total_items` was counted when it began,
    unless it was not asked for.
    """

    query: EntityQuery
    place: Place
    direction: Literal["next", "previous"]
    total_items: int | None = None
    fields: tuple[str, ...] = ()

    def encode(self) -> str:
        """Return the cursor as text for a client to hand back."""
        text = self.query.text
        value = {
            "query": None if self.query.filter is None else self.query.filter.to_predicate(),
            "orderFields": [[order.field, "desc" if order.descending else "asc"] for order in self.query.order],
            "fullTextFilter": None if text is None else [text.term, *text.fields],
            "place": [*self.place.values, self.place.ref],
            "isPrevious": self.direction == "previous",
            "totalItems": self.total_items,
            "fields": self.fields,
        }
        return base64.urlsafe_b64encode(orjson.dumps(value)).decode()


def parse_cursor(text: str) -> Cursor:
    """Return the cursor that `Cursor.encode` wrote. Raises `InputError` for any other text."""
    try:
        value = orjson.loads(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
        order = tuple(Order.of(_text(field), direction) for field, direction in value["orderFields"])
        *values, ref = value["place"]
        search = value["fullTextFilter"]
        cursor = Cursor(
            query=EntityQuery(
                filter=None if value["query"] is None else parse_predicate(value["query"]),
                order=order,
                text=None if search is None else TextSearch(_text(search[0]), tuple(map(_text, search[1:]))),
            ),
            place=Place(tuple(None if item is None else _text(item) for item in values), _text(ref)),
            direction="previous" if value["isPrevious"] is True else "next",
            total_items=None if value["totalItems"] is None else int(value["totalItems"]),
            fields=tuple(map(_text, value["fields"])),
        )
    except (binascii.Error, UnicodeError, ValueError, TypeError, KeyError, IndexError) as error:
        raise InputError(
            Sentence("Malformed cursor; expected the text of nextCursor or prevCursor as it was given")
        ) from error
    if len(cursor.place.values) != len(order):
        raise InputError(Sentence("Malformed cursor; its place does not fit its order"))
    return cursor


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError("no text that Portal wrote")
    return value
