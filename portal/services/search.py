"""Finds entities by what people type."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from portal.errors import InputError
from portal.model.filter import AllOf, AnyOf, EntityFilter, Match
from portal.model.searchable import search_document
from portal.model.sentence import Sentence
from portal.model.words import Phrase, highlighted, phrases
from portal.services.once import Once
from portal.store import search
from portal.store.database import Database

#: What can be searched, by Backstage's names. No technical documentation is kept so far: nothing is found there.
CATALOG, DOCUMENTATION = "software-catalog", "techdocs"
TYPES = (CATALOG, DOCUMENTATION)
DEFAULT_LIMIT, MOST_AT_ONCE = 25, 100
#: Longest term in characters, and the last page. Rule: search-backend 2.1's `maxTermLength`; the page is our own.
LONGEST_TERM, _LAST_PAGE = 100, 1_000_000
#: So many pages are remembered; each holds what is shown of its entities.
_REMEMBERED = 50
_HIGHLIGHTED = ("title", "text")
#: Where a result's fields come from; a filter on any other name is one on that path of the entity.
_PATHS = {
    "kind": "kind",
    "namespace": "metadata.namespace",
    "name": "metadata.name",
    "title": "metadata.title",
    "type": "spec.type",
    "componenttype": "spec.type",
    "lifecycle": "spec.lifecycle",
    "system": "spec.system",
    "layer": "spec.layer",
}


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is asked: a term as typed, values by field (any of them will do), types of documents, which page from 0."""

    term: str = ""
    filters: Mapping[str, Sequence[str]] | None = None
    types: Sequence[str] | None = None
    page: int = 0
    limit: int = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A document with its rank from 1, and the fields in which words are marked, as they read with the marks."""

    document: Mapping[str, str]
    rank: int
    marked: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Part of an answer, best first, with the cursors of the parts beside it; `total` counts the whole answer."""

    results: Sequence[SearchResult]
    total: int
    next_cursor: str | None = None
    previous_cursor: str | None = None


class SearchService:
    """Search, for readers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pages = Once(database, most=_REMEMBERED)

    def query(self, query: SearchQuery, *, before: str = "", after: str = "") -> SearchPage:
        """Return a page of what is found; words that were asked for stand between `before` and `after`.

        Pages asked for last are remembered: to rank what has a frequent word takes as long as there is of it.
        Raises `InputError` for a term, a type, a limit that is not allowed.
        """
        _check(query)
        filters = tuple((name, tuple(values)) for name, values in (query.filters or {}).items())
        types = None if query.types is None else tuple(query.types)
        asked = (query.term, filters, types, query.page, query.limit, before, after)
        return self._pages.of(asked, lambda: self._query(query, before, after))

    def _query(self, query: SearchQuery, before: str, after: str) -> SearchPage:
        wanted = phrases(query.term)
        is_about_nothing = bool(query.term.strip()) and not wanted
        if is_about_nothing or (query.types is not None and CATALOG not in query.types):
            return SearchPage([], 0)
        with self._database.reading() as connection:
            hits = search.find(
                connection,
                wanted,
                _filter(query.filters or {}),
                term=query.term,
                offset=query.page * query.limit,
                limit=query.limit,
            )
        first = query.page * query.limit + 1
        results = [
            SearchResult(document, rank, _marked(document, wanted, before, after))
            for rank, document in enumerate((search_document(orjson.loads(body)) for body in hits.bodies), start=first)
        ]
        is_more = first - 1 + len(results) < hits.total and bool(results)
        return SearchPage(
            results,
            hits.total,
            next_cursor=page_cursor(query.page + 1) if is_more else None,
            previous_cursor=page_cursor(query.page - 1) if query.page else None,
        )


def page_cursor(page: int) -> str:
    """Return the cursor of a page, from 0. Rule: search-backend-node 1.4 `encodePageCursor`."""
    return base64.b64encode(str(page).encode()).decode()


def page_of(cursor: str) -> int:
    """Return the page that a cursor leads to. Raises `InputError` for any other text."""
    try:
        page = int(base64.b64decode(cursor, validate=True).decode("ascii"))
    except (binascii.Error, ValueError):
        page = -1
    if not 0 <= page <= _LAST_PAGE:
        raise InputError(Sentence("Malformed page cursor; expected one that an answer of this search has given"))
    return page


def _check(query: SearchQuery) -> None:
    if len(query.term) > LONGEST_TERM:
        raise InputError(
            Sentence(
                'The term length "%(count)s" is greater than "%(longest_term)s"',
                count=len(query.term),
                longest_term=LONGEST_TERM,
            )
        )
    # None at all: the front end asks so how much there is to find. Rule: search-backend 2.1, which has no least.
    if not 0 <= query.limit <= MOST_AT_ONCE:
        raise InputError(
            Sentence(
                'The page limit "%(limit)s" is not between 0 and %(most_at_once)s',
                limit=query.limit,
                most_at_once=MOST_AT_ONCE,
            )
        )
    for found in query.types or ():
        if found not in TYPES:
            raise InputError(
                Sentence(
                    '"%(found)s" cannot be searched; expected one of %(types)s',
                    found=found[:LONGEST_TERM],
                    types=list(TYPES),
                )
            )


def _filter(filters: Mapping[str, Sequence[str]]) -> EntityFilter | None:
    parts = [_any_of(name.lower(), tuple(value.lower() for value in values)) for name, values in filters.items()]
    return AllOf(tuple(parts)) if parts else None


def _any_of(name: str, values: tuple[str, ...]) -> EntityFilter:
    if name == "owner":
        # As the file has it, or as the whole reference that everything else in the catalog is named by.
        return AnyOf(tuple(Match(path, values) for path in ("spec.owner", "spec.owners", "relations.ownedby")))
    return Match(_PATHS.get(name, name), values)


def _marked(document: Mapping[str, Any], wanted: Sequence[Phrase], before: str, after: str) -> Mapping[str, str]:
    if not wanted:
        return {}
    return {name: highlighted(document[name], wanted, before=before, after=after) for name in _HIGHLIGHTED}
