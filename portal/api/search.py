"""The search API, as Backstage's search page speaks it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from werkzeug.datastructures import MultiDict

from portal.api import catalog_queries as queries
from portal.api.answers import answer
from portal.api.remembered import AnswerMemory, remember
from portal.errors import InputError
from portal.services.search import CATALOG, DEFAULT_LIMIT, SearchPage, SearchQuery, SearchService, page_of

#: A list in a query: `types=a&types=b`, `types[]=a` or, as the front end writes it, `types[0]=a`.
_TYPES = re.compile(r"types(\[[0-9]*\])?")
_FILTERS = re.compile(r"filters\[([^\[\]]+)\](\[[0-9]*\])?")
_PARAMETERS = frozenset({"term", "pageCursor", "pageLimit"})


def search_blueprint(
    service: SearchService, *, revision: Callable[[], int], memory: AnswerMemory | None = None
) -> Blueprint:
    """Return the routes below /api/search; answers are remembered in `memory`, if that is given."""
    blueprint = Blueprint("search", __name__, url_prefix="/api/search", description="Search")
    remember(blueprint, ("search",), revision=revision, memory=memory)
    # Words are marked by what nobody can have written: whoever shows an answer replaces the tags.
    mark = uuid.uuid4()
    before, after = f"<{mark}>", f"</{mark}>"

    @blueprint.get("/query")
    @blueprint.response(200)
    def search() -> Response:
        """Return what is found by a term, best first."""
        page = service.query(_query(request.args), before=before, after=after)
        return answer(_shown(page, before=before, after=after))

    return blueprint


def _query(parameters: MultiDict[str, str]) -> SearchQuery:
    types: list[str] = []
    filters: dict[str, list[str]] = {}
    for name, value in parameters.items(multi=True):
        named = _FILTERS.fullmatch(name)
        if "\0" in value:
            raise InputError(f"request/query/{name} must be without NUL")
        if named:
            filters.setdefault(named[1], []).append(value)
        elif _TYPES.fullmatch(name):
            types.append(value)
        elif name not in _PARAMETERS:
            raise InputError(f"Unknown query parameter '{name}'")
    limit = queries.whole(parameters, "pageLimit")
    cursor = parameters.get("pageCursor")
    return SearchQuery(
        parameters.get("term", ""),
        filters,
        types or None,
        page_of(cursor) if cursor else 0,
        DEFAULT_LIMIT if limit is None else limit,
    )


def _shown(page: SearchPage, *, before: str, after: str) -> dict[str, Any]:
    cursors = {"nextPageCursor": page.next_cursor, "previousPageCursor": page.previous_cursor}
    results = [
        {
            "type": CATALOG,
            "document": result.document,
            "rank": result.rank,
            "highlight": {
                "preTag": before,
                "postTag": after,
                "fields": {**result.marked, "location": result.document["location"], "path": ""}
                if result.marked
                else {},
            },
        }
        for result in page.results
    ]
    return {"numberOfResults": page.total, "results": results} | {
        name: cursor for name, cursor in cursors.items() if cursor is not None
    }
