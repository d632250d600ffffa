"""Answers questions about the entities of the catalog."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from portal.errors import NotFoundError
from portal.model.filter import EntityFilter
from portal.model.integration import NO_INTEGRATIONS, Integrations
from portal.model.query import Cursor, EntityQuery, Place, parse_cursor
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.model.visibility import ALL, Visibility
from portal.services.ancestry import Ancestor, ancestry
from portal.services.once import Once
from portal.store import catalog, sources
from portal.store.catalog import Found
from portal.store.database import Connection, Database
from portal.store.query import Slice
from portal.store.sight import visibility_of

DEFAULT_LIMIT = 20
_STREAMED_AT_ONCE = 1_000
_REMEMBERED_TOTALS = 1_000
#: So few are looked up one after the other: a transaction takes longer.
_FEW = 2
#: For so many sets of entities.
_REMEMBERED_DESCRIPTIONS = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Part of an answer: finished JSON texts in order, and the cursors of the parts beside it.

    `total_items` counts the whole answer; 0 where it was not asked for. `fields` are the paths that the walk shows;
    none: all.
    """

    bodies: Sequence[str]
    total_items: int
    next_cursor: str | None = None
    prev_cursor: str | None = None
    fields: tuple[str, ...] = ()


class CatalogService:
    """The catalog for readers. What it answers is finished JSON text, to be sent as it is."""

    def __init__(self, database: Database, *, integrations: Integrations = NO_INTEGRATIONS) -> None:
        self._database = database
        self._integrations = integrations
        self._totals: dict[tuple[int, str, EntityQuery], int] = {}
        self._descriptions = Once(database, most=_REMEMBERED_DESCRIPTIONS)

    def revision(self) -> int:
        """Return the newest revision of the catalog: what is answered stays the same as long as this does."""
        return self._database.lookup.revision()

    def body(self, ref: EntityRef) -> str | None:
        """Return the finished text of one entity, or None; of more than one see `by_refs`."""
        found = self._database.lookup.body(ref)
        if found is None:
            return None
        body, revision = found
        return body if self._database.visibility(revision).is_all else self._read([ref], None).get(ref)

    def body_for(self, sees: Callable[[int], Visibility], ref: EntityRef) -> str | None:
        """Return the finished text of one entity to somebody who sees everything as of its revision, else None."""
        found = self._database.lookup.body(ref)
        return found[0] if found is not None and sees(found[1]) is ALL else None

    def by_refs(self, refs: Sequence[EntityRef], entity_filter: EntityFilter | None = None) -> Mapping[EntityRef, str]:
        """Return the finished texts of those of the entities that are there, and match the filter.

        More than two without a filter are of one revision.
        """
        if entity_filter is None and len(refs) <= _FEW:
            told = ((ref, self.body(ref)) for ref in refs)
            return {ref: body for ref, body in told if body is not None}
        return self._read(refs, entity_filter)

    def _read(self, refs: Sequence[EntityRef], entity_filter: EntityFilter | None) -> Mapping[EntityRef, str]:
        with self._database.reading() as connection:
            return catalog.bodies_by_ref(connection, refs, entity_filter)

    def descriptions(self, refs: Sequence[EntityRef], *, longest: int) -> Mapping[EntityRef, str]:
        """Return what entities say of themselves, cut to `longest` characters; empty for nothing.

        It is remembered for the sets that were asked for last: the texts of entities that many need are large.
        """
        return self._descriptions.of((tuple(refs), longest), lambda: self._read_descriptions(refs, longest))

    def by_uids(self, uids: Sequence[str]) -> Mapping[str, str]:
        """Return the finished texts of those of the entities that are there, by uid."""
        with self._database.reading() as connection:
            return catalog.bodies_by_uid(connection, uids)

    def query(
        self,
        query: EntityQuery,
        *,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
        with_total: bool = True,
        fields: Sequence[str] = (),
    ) -> Page:
        """Return the first part of an answer, from `offset` entities in; its cursors tell `fields` again."""
        with self._database.reading() as connection:
            total = self._total(connection, query)
            found = catalog.page(connection, query, Slice(limit + 1, offset), total=total) if limit and total else []
        start = Cursor(query, Place((), ""), "next", total if with_total else None, tuple(fields))
        return _page(found, start, limit=limit, is_first=True)

    def follow(self, cursor: str, *, limit: int = DEFAULT_LIMIT, fields: Sequence[str] = ()) -> Page:
        """Return the part of an answer that a page's cursor leads to. Raises `InputError` for any other text."""
        at = parse_cursor(cursor)
        at = replace(at, fields=tuple(fields) or at.fields)
        part = Slice(limit + 1, place=at.place, is_backwards=at.direction == "previous")
        with self._database.reading() as connection:
            total = self._total(connection, at.query) if at.total_items is None else at.total_items
            found = catalog.page(connection, at.query, part, total=total) if limit else []
        return _page(found, at, limit=limit, is_first=False)

    def stream(self, query: EntityQuery) -> Iterator[Sequence[str]]:
        """Yield a whole answer in portions, each read when it is asked for: the catalog may change in between."""
        page = self.query(query, limit=_STREAMED_AT_ONCE)
        yield page.bodies
        while page.next_cursor is not None:
            page = self.follow(page.next_cursor, limit=_STREAMED_AT_ONCE)
            yield page.bodies

    def facets(
        self, keys: Collection[str], entity_filter: EntityFilter | None = None
    ) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Return how often each value of each key occurs among matching entities, as (value, count) by value."""
        with self._database.reading() as connection:
            found = catalog.facets(connection, {key.lower() for key in keys}, entity_filter)
        return {key: found[key.lower()] for key in keys}

    def ancestry(self, ref: EntityRef) -> Sequence[Ancestor]:
        """Return an entity, then the Locations that brought it, up to the root. Raises `NotFoundError`."""
        with self._database.reading() as connection:
            entity = catalog.origins(connection, [ref]).get(ref)
            if entity is None:
                raise NotFoundError(Sentence("No such entity %(ref)s", ref=ref))
            locations = catalog.location_entities(connection, [entity.source_id])
            return ancestry(entity, locations, integrations=self._integrations)

    def _read_descriptions(self, refs: Sequence[EntityRef], longest: int) -> dict[EntityRef, str]:
        told = {ref: orjson.loads(body)["metadata"].get("description") for ref, body in self.by_refs(refs).items()}
        return {ref: text[:longest] if isinstance(text, str) else "" for ref, text in told.items()}

    def _total(self, connection: Connection, query: EntityQuery) -> int:
        """Return how many entities match; counted once for each state of the catalog."""
        key = (sources.current_revision(connection), visibility_of(connection).key, replace(query, order=()))
        total = self._totals.get(key)
        if total is None:
            total = catalog.count(connection, query)
            if len(self._totals) >= _REMEMBERED_TOTALS:
                self._totals.clear()
            self._totals[key] = total
        return total


def _page(found: list[Found], at: Cursor, *, limit: int, is_first: bool) -> Page:
    """Return the page of what was found from a cursor; one entity more than `limit` tells that the walk goes on."""
    is_backwards = at.direction == "previous"
    is_more = len(found) > limit
    shown = (found[-limit:] if is_backwards else found[:limit]) if limit else []
    has_next = bool(shown) and (is_backwards or is_more)
    has_previous = bool(shown) and (is_more if is_backwards else not is_first)
    return Page(
        bodies=[item.body for item in shown],
        total_items=at.total_items or 0,
        next_cursor=replace(at, place=shown[-1].place, direction="next").encode() if has_next else None,
        prev_cursor=replace(at, place=shown[0].place, direction="previous").encode() if has_previous else None,
        fields=at.fields,
    )
