"""The page that finds entities by words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote
from uuid import uuid4

from flask import Blueprint, render_template, request, url_for

from portal.model.ref import EntityRef
from portal.services.columns import Columns
from portal.services.search import LONGEST_TERM, SearchQuery, SearchResult, SearchService
from portal.services.table import TableQuery, TableService

_AT_ONCE = 20
_LAST_PAGE = 10_000
#: So much of a text is shown, so much of it before the first word that was asked for.
_SHOWN, _SHOWN_BEFORE = 260, 60
#: Stand around words that were asked for: nobody can have written them.
_BEFORE, _AFTER = f"<{uuid4()}>", f"</{uuid4()}>"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text; `is_marked` where it is what was asked for."""

    text: str
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """An entity that was found."""

    ref: EntityRef
    url: str
    title: list[Part]
    text: list[Part]
    kind: str
    type: str
    owner: str


def add_search(blueprint: Blueprint, search: SearchService, table: TableService) -> None:
    """Add the page."""

    @blueprint.get("/search", endpoint="search")
    def search_page() -> str:
        # Neither database holds a NUL.
        term = request.args.get("q", "").replace("\0", "").strip()[:LONGEST_TERM]
        kind = request.args.get("kind", "").strip().lower()
        page = min(max(request.args.get("page", 1, type=int), 1), _LAST_PAGE)
        hits, total, kinds = [], 0, []
        if term:
            asked = SearchQuery(term, {"kind": [kind]} if kind else None, page=page - 1, limit=_AT_ONCE)
            found = search.query(asked, before=_BEFORE, after=_AFTER)
            view = table.view(TableQuery(text=term))
            hits, total = [_hit(result, view.columns) for result in found.results], found.total
            counts = sorted(view.counts("kind").items(), key=lambda item: (-item[1], item[0]))
            kinds = [(name, view.columns.name("kind", name), count) for name, count in counts]
        return render_template(
            "search.html",
            term=term,
            kind=kind,
            kinds=kinds,
            hits=hits,
            total=total,
            first=(page - 1) * _AT_ONCE + 1,
            previous=_url(term, kind, page - 1) if page > 1 else None,
            following=_url(term, kind, page + 1) if page * _AT_ONCE < total else None,
            search_url=_url,
        )


def _url(term: str, kind: str = "", page: int = 1) -> str:
    return url_for("web.search", q=term, kind=kind or None, page=page if page > 1 else None)


def _hit(result: SearchResult, columns: Columns) -> Hit:
    document = result.document
    namespace, kind, name = map(unquote, document["location"].removeprefix("/catalog/").split("/"))
    ref = EntityRef.of(kind, namespace, name)
    entry = columns.entry(ref)
    owner = entry.row.owner if entry is not None else None
    return Hit(
        ref,
        document["location"],
        list(_parts(result.marked.get("title", document["title"]))),
        _excerpt(list(_parts(result.marked.get("text", document["text"])))),
        columns.name("kind", kind),
        entry.type if entry is not None else "",
        columns.name("owner", owner) if owner is not None else "",
    )


def _parts(text: str) -> Iterator[Part]:
    plain, *rest = text.split(_BEFORE)
    yield Part(plain)
    for piece in rest:
        marked, _, plain = piece.partition(_AFTER)
        yield Part(marked, is_marked=True)
        yield Part(plain)


def _excerpt(parts: list[Part]) -> list[Part]:
    """Return what of a text stands around the first word that was asked for."""
    before = parts[0].text
    if len(parts) > 1 and len(before) > _SHOWN_BEFORE:
        _, _, near = before[-_SHOWN_BEFORE:].partition(" ")
        parts = [Part(f"…{near}"), *parts[1:]]
    found: list[Part] = []
    left = _SHOWN
    for part in parts:
        if len(part.text) > left:
            return [*found, Part(f"{part.text[:left]}…", part.is_marked)]
        found.append(part)
        left -= len(part.text)
    return found
