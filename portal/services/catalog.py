"""Reading the catalog: by reference, by query, in pages, in counts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from portal.errors import InputError, NotFoundError
from portal.model.entity import ORIGIN_ANNOTATION
from portal.model.filter import EVERYTHING, AllOf, AnyOf, EntityFilter, HasPrefix, Match, Not
from portal.model.ref import EntityRef
from portal.services.snapshots import generated_name
from portal.store import catalog, query
from portal.store.database import Database
from portal.store.query import FullText, Order, Row

DEFAULT_TEXT_FIELDS = ("metadata.name", "metadata.title", "metadata.description", "metadata.tags")


@dataclass(frozen=True, slots=True)
class Query:
    """What a list shows: a filter, an order, a text to look for."""

    where: EntityFilter = EVERYTHING
    order: tuple[Order, ...] = ()
    text: FullText | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: finished texts, how many there are in all, and where the list goes on."""

    bodies: list[str]
    total_items: int
    next_cursor: str | None = None
    previous_cursor: str | None = None


class CatalogService:
    """The catalog, as readers see it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_refs(self, refs: Collection[EntityRef], *, where: EntityFilter = EVERYTHING) -> dict[EntityRef, str]:
        """Return the finished texts of those of the entities that are there and pass the filter."""
        with self._database.reading() as connection:
            return catalog.bodies_by_refs(connection, refs, where=where)

    def by_uid(self, uid: str) -> str:
        """Return the finished text of an entity. Raises `NotFoundError`."""
        with self._database.reading() as connection:
            found = catalog.bodies_by_uids(connection, [uid])
        if uid not in found:
            raise NotFoundError(f"No entity with uid {uid}")
        return found[uid]

    def page(self, wanted: Query, *, limit: int | None, offset: int = 0, with_total: bool = True) -> Page:
        """Return the first page of a list, or one at an offset."""
        return self._page(wanted, limit=limit, offset=offset, after=None, backwards=False, with_total=with_total)

    def page_at(self, cursor: str, *, limit: int, with_total: bool = True) -> Page:
        """Return the page that a cursor names. Raises `InputError` for a malformed one."""
        wanted, after, backwards = _read_cursor(cursor)
        return self._page(wanted, limit=limit, offset=0, after=after, backwards=backwards, with_total=with_total)

    def facets(self, keys: Sequence[str], *, where: EntityFilter = EVERYTHING) -> dict[str, list[tuple[str, int]]]:
        """Return the values of each key as they are written, with the number of entities that have them."""
        lowered = {key: key.lower() for key in keys}
        with self._database.reading() as connection:
            condition = None if where == EVERYTHING else query.condition(where)
            found = query.facets(connection, sorted(set(lowered.values())), where=condition)
        return {key: found[lower] for key, lower in lowered.items()}

    def ancestry(self, ref: EntityRef) -> list[tuple[str, list[EntityRef]]]:
        """Return an entity, then each Location on the way up to its source, each with its parents.

        Raises `NotFoundError`.
        """
        body = self.by_refs([ref]).get(ref)
        if body is None:
            raise NotFoundError(f"No such entity {ref}")
        origin = orjson.loads(body)["metadata"]["annotations"][ORIGIN_ANNOTATION]
        root = EntityRef.of("location", "default", generated_name(origin))
        if root == ref:
            return [(body, [])]
        chain = [(body, [root])]
        root_body = self.by_refs([root]).get(root)
        return [*chain, (root_body, [])] if root_body else [(body, [])]

    def is_ready(self) -> bool:
        """Return whether the database answers."""
        with self._database.reading() as connection:
            return query.count(connection, query.condition(EVERYTHING)) >= 0

    def _page(
        self,
        wanted: Query,
        *,
        limit: int | None,
        offset: int,
        after: Sequence[str | None] | None,
        backwards: bool,
        with_total: bool,
    ) -> Page:
        condition = query.condition(wanted.where)
        if wanted.text is not None:
            condition = condition & query.text_condition(wanted.text)
        with self._database.reading() as connection:
            total = query.count(connection, condition) if with_total else 0
            rows: list[Row] = []
            if limit != 0:
                rows = query.page(
                    connection,
                    condition,
                    order=wanted.order,
                    limit=None if limit is None else limit + 1,
                    offset=offset,
                    after=after,
                    backwards=backwards,
                )
        has_more = limit is not None and len(rows) > limit
        rows = rows[:limit]
        if backwards:
            rows.reverse()
        goes_on = bool(rows) and (has_more or backwards)
        goes_back = bool(rows) and (has_more if backwards else (after is not None or offset > 0))
        return Page(
            [row.body for row in rows],
            total,
            _cursor(wanted, rows[-1].position, backwards=False) if goes_on else None,
            _cursor(wanted, rows[0].position, backwards=True) if goes_back else None,
        )


def _cursor(wanted: Query, position: tuple[str | None, ...], *, backwards: bool) -> str:
    value = {
        "filter": _tree_json(wanted.where),
        "order": [list(item) for item in wanted.order],
        "text": [wanted.text.term, list(wanted.text.keys)] if wanted.text else None,
        "position": position,
        "backwards": backwards,
    }
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[Query, list[str | None], bool]:
    try:
        value = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        order = tuple(Order(str(key), bool(descending)) for key, descending in value["order"])
        text = FullText(str(value["text"][0]), tuple(map(str, value["text"][1]))) if value["text"] else None
        position = [None if item is None else str(item) for item in value["position"]]
        if len(position) != len(order) + 1:
            raise ValueError("the position does not fit the order")  # noqa: TRY301  # one answer for all that is wrong
        return Query(_tree(value["filter"]), order, text), position, bool(value["backwards"])
    except (binascii.Error, KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"Malformed cursor: {error}") from error


def _tree_json(tree: EntityFilter) -> list[Any]:
    match tree:
        case Match(key, values):
            return ["match", key, None if values is None else sorted(values)]
        case HasPrefix(key, prefix):
            return ["prefix", key, prefix]
        case AllOf(parts):
            return ["all", *map(_tree_json, parts)]
        case AnyOf(parts):
            return ["any", *map(_tree_json, parts)]
        case Not(part):
            return ["not", _tree_json(part)]


def _tree(value: Any) -> EntityFilter:
    name, *rest = value
    if name == "match":
        return Match(str(rest[0]), None if rest[1] is None else frozenset(map(str, rest[1])))
    if name == "prefix":
        return HasPrefix(str(rest[0]), str(rest[1]))
    if name == "not":
        return Not(_tree(rest[0]))
    if name in {"all", "any"}:
        parts = tuple(map(_tree, rest))
        return AllOf(parts) if name == "all" else AnyOf(parts)
    raise ValueError(f"unknown filter {name!r}")
