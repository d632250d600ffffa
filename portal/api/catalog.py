"""The catalog's HTTP API, as Backstage's clients speak it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import orjson
from flask import Response, request
from flask_smorest import Blueprint

from portal.api import catalog_queries as queries
from portal.api.answers import answer, answer_stream, answer_text, shown
from portal.api.locations import add_location_routes
from portal.api.remembered import AnswerMemory, remember
from portal.api.strict import strict_blueprint, takes
from portal.errors import InputError, NotFoundError
from portal.model.moment import parse_moment
from portal.model.query import EntityQuery
from portal.model.ref import EntityRef
from portal.services.catalog import CatalogService, Page

if TYPE_CHECKING:
    from portal.services.history import HistoryService
    from portal.services.locations import LocationsService

_LARGEST = 2**31 - 2
#: Routes whose answers follow from the entities alone and cost more than to remember them.
_REMEMBERED = ("ancestry", "by_query", "entities", "facets")


def catalog_blueprint(
    catalog: CatalogService,
    locations: LocationsService,
    history: HistoryService,
    *,
    memory: AnswerMemory | None = None,
) -> Blueprint:
    """Return the routes below /api/catalog; answers are remembered in `memory`, if that is given."""
    blueprint = strict_blueprint("catalog", "/api/catalog", "The software catalog")
    remember(blueprint, _REMEMBERED, revision=catalog.revision, memory=memory)
    _add_entity_routes(blueprint, catalog, history)
    _add_query_routes(blueprint, catalog)
    _add_list_route(blueprint, catalog)
    _add_facet_routes(blueprint, catalog)
    add_location_routes(blueprint, locations)
    return blueprint


def _add_entity_routes(blueprint: Blueprint, catalog: CatalogService, history: HistoryService) -> None:
    # Asked more often than all others: it goes without flask-smorest's wrapper (measured: a sixth of its time).
    @blueprint.get("/entities/by-name/<kind>/<namespace>/<name>")
    @takes(blueprint, "at")
    def by_name(kind: str, namespace: str, name: str) -> Response:
        """Return one entity, or what it was at a moment."""
        ref = EntityRef.of(kind, namespace, name)
        if request.environ.get("QUERY_STRING") and "at" in request.args:
            return answer(history.at(ref, parse_moment(request.args["at"])))
        body = catalog.body(ref)
        if body is None:
            raise NotFoundError(f"No entity named '{name}' found, with kind '{kind}' in namespace '{namespace}'")
        return answer_text(body)

    @blueprint.get("/entities/by-name/<kind>/<namespace>/<name>/ancestry")
    @blueprint.response(200)
    def ancestry(kind: str, namespace: str, name: str) -> Response:
        """Return an entity with the Locations that led to it."""
        ref = EntityRef.of(kind, namespace, name)
        items = [
            {"entity": orjson.Fragment(item.body), "parentEntityRefs": item.parent_refs}
            for item in catalog.ancestry(ref)
        ]
        return answer({"rootEntityRef": str(ref), "items": items})

    @blueprint.get("/entities/by-uid/<uid>")
    @blueprint.response(200)
    def by_uid(uid: str) -> Response:
        """Return one entity by uid."""
        body = catalog.by_uids([uid]).get(uid)
        if body is None:
            raise NotFoundError(f"No entity with uid {uid}")
        return answer_text(body)

    @blueprint.post("/entities/by-refs")
    @takes(blueprint, "filter", "fields")
    @blueprint.response(200)
    def by_refs() -> Response:
        """Return entities in the order asked for, null for those that are not there."""
        body = queries.body_of("entityRefs")
        wanted = [_ref_or_none(text) for text in queries.texts_of(body, "entityRefs")]
        paths = queries.fields([*queries.texts_of(body, "fields"), *queries.fields_of_parameters(request.args)])
        entity_filter = queries.both(queries.filter_of_parameters(request.args), queries.filter_of_body(body))
        found = catalog.by_refs(sorted({ref for ref in wanted if ref is not None}), entity_filter)
        texts = dict(zip(found, shown(found.values(), paths), strict=True))
        return answer_text('{"items":[', ",".join(texts.get(ref, "null") if ref else "null" for ref in wanted), "]}")


def _add_query_routes(blueprint: Blueprint, catalog: CatalogService) -> None:
    @blueprint.get("/entities/by-query")
    @takes(blueprint, *queries.BY_QUERY)
    @blueprint.response(200)
    def by_query() -> Response:
        """Return a page of entities."""
        parameters = request.args
        limit = queries.page_size(queries.whole(parameters, "limit"))
        fields = queries.fields_of_parameters(parameters)
        if "cursor" in parameters:
            return _answer_page(catalog.follow(parameters["cursor"], limit=limit, fields=fields))
        page = catalog.query(
            queries.query_of_parameters(parameters),
            limit=limit,
            offset=queries.whole(parameters, "offset") or 0,
            with_total=queries.with_total(parameters.get("totalItems")),
            fields=fields,
        )
        return _answer_page(page)

    @blueprint.post("/entities/by-query")
    @blueprint.response(200)
    def by_predicate() -> Response:
        """Return a page of entities that meet a predicate."""
        body = queries.body_of()
        limit = queries.page_size(queries.body_whole(body, "limit"))
        fields = queries.fields([part for text in queries.texts_of(body, "fields") for part in text.split(",")])
        if "cursor" in body:
            return _answer_page(catalog.follow(queries.text_of(body, "cursor"), limit=limit, fields=fields))
        page = catalog.query(
            queries.query_of_body(body),
            limit=limit,
            offset=queries.body_whole(body, "offset") or 0,
            with_total=queries.with_total(body.get("totalItems")),
            fields=fields,
        )
        return _answer_page(page)


def _add_list_route(blueprint: Blueprint, catalog: CatalogService) -> None:
    @blueprint.get("/entities")
    @takes(blueprint, *queries.LIST)
    @blueprint.response(200)
    def entities() -> Response:
        """Return entities as an array."""
        parameters = request.args
        query = EntityQuery(
            queries.filter_of_parameters(parameters), tuple(map(queries.list_order, parameters.getlist("order")))
        )
        fields = queries.fields_of_parameters(parameters)
        portion = queries.portion(parameters)
        if portion is None:
            portions = catalog.stream(query)
            # The first one is read now, so that what fails still is answered as a failure.
            first = next(portions)
            return answer_stream(shown(bodies, fields) for bodies in chain([first], portions))
        limit, offset = portion
        page = catalog.query(query, limit=limit or _LARGEST, offset=offset, with_total=False)
        response = answer_stream([shown(page.bodies, fields)])
        if limit is not None and page.next_cursor is not None:
            kept = [(name, value) for name, value in parameters.items(multi=True) if name not in {"after", "offset"}]
            link = urlencode([*kept, ("after", queries.after(limit, offset + limit))])
            response.headers["link"] = f'<{request.path}?{link}>; rel="next"'
        return response


def _add_facet_routes(blueprint: Blueprint, catalog: CatalogService) -> None:
    @blueprint.get("/entity-facets")
    @takes(blueprint, "facet", "filter")
    @blueprint.response(200)
    def facets() -> Response:
        """Return how many entities have each value of some fields."""
        keys = request.args.getlist("facet")
        if not keys:
            raise InputError("request/query must have required property 'facet'")
        return _answer_facets(catalog.facets(keys, queries.filter_of_parameters(request.args)))

    @blueprint.post("/entity-facets")
    @blueprint.response(200)
    def facets_by_predicate() -> Response:
        """Return how many of the entities that meet a predicate have each value of some fields."""
        body = queries.body_of("facets")
        keys = [key for key in queries.texts_of(body, "facets") if key]
        if not keys:
            raise InputError("Missing or empty facets parameter")
        return _answer_facets(catalog.facets(keys, queries.filter_of_body(body)))


def _ref_or_none(text: str) -> EntityRef | None:
    """Return the reference that a text stands for; a text that is none names no entity."""
    try:
        return EntityRef.parse(text)
    except InputError:
        return None


def _answer_page(page: Page) -> Response:
    cursors = {"nextCursor": page.next_cursor, "prevCursor": page.prev_cursor}
    page_info = orjson.dumps({name: cursor for name, cursor in cursors.items() if cursor is not None}).decode()
    items = ",".join(shown(page.bodies, page.fields))
    return answer_text('{"items":[', items, f'],"totalItems":{page.total_items},"pageInfo":{page_info}}}')


def _answer_facets(found: Mapping[str, Sequence[tuple[str, int]]]) -> Response:
    counted = {key: [{"value": value, "count": count} for value, count in values] for key, values in found.items()}
    return answer({"facets": counted})
