"""The catalog's HTTP API, as Backstage's clients speak it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Response, request
from flask_smorest import Blueprint

from portal.api import catalog_queries as queries
from portal.errors import InputError, NotFoundError
from portal.model.filter import EVERYTHING, parse_predicate
from portal.model.ref import EntityRef
from portal.services.catalog import CatalogService, Page, Query
from portal.services.locations import LocationsService

_DEFAULT_LIMIT = 20
_QUERY_PARAMETERS = frozenset(
    {
        "filter",
        "fields",
        "orderField",
        "limit",
        "offset",
        "cursor",
        "totalItems",
        "fullTextFilterTerm",
        "fullTextFilterFields",
    }
)


def catalog_blueprint(catalog: CatalogService, locations: LocationsService) -> Blueprint:
    """Return the routes below /api/catalog."""
    blueprint = Blueprint("catalog", __name__, url_prefix="/api/catalog", description="The software catalog")
    _add_entity_routes(blueprint, catalog)
    _add_query_routes(blueprint, catalog)
    _add_list_routes(blueprint, catalog)
    _add_location_routes(blueprint, locations)
    return blueprint


def health_blueprint(catalog: CatalogService) -> Blueprint:
    """Return the health routes."""
    blueprint = Blueprint("health", __name__, url_prefix="/.backstage/health/v1", description="Health")

    @blueprint.get("/liveness")
    def liveness() -> Response:
        """Say that the process answers."""
        return _json({"status": "ok"})

    @blueprint.get("/readiness")
    def readiness() -> Response:
        """Say whether the database answers."""
        return _json({"status": "ok"}) if catalog.is_ready() else _json({"status": "error"}, 503)

    return blueprint


def _add_entity_routes(blueprint: Blueprint, catalog: CatalogService) -> None:
    @blueprint.get("/entities/by-name/<kind>/<namespace>/<name>")
    def by_name(kind: str, namespace: str, name: str) -> Response:
        """Return one entity."""
        queries.require_known(request.args, ())
        ref = EntityRef.of(kind, namespace, name)
        body = catalog.by_refs([ref]).get(ref)
        if body is None:
            raise NotFoundError(f"No entity named '{name}' found, with kind '{kind}' in namespace '{namespace}'")
        return _raw([body.encode()])

    @blueprint.get("/entities/by-name/<kind>/<namespace>/<name>/ancestry")
    def ancestry(kind: str, namespace: str, name: str) -> Response:
        """Return an entity with the Locations that led to it."""
        ref = EntityRef.of(kind, namespace, name)
        items = [{"entity": orjson.loads(body), "parentEntityRefs": parents} for body, parents in catalog.ancestry(ref)]
        return _json({"rootEntityRef": ref, "items": items})

    @blueprint.get("/entities/by-uid/<uid>")
    def by_uid(uid: str) -> Response:
        """Return one entity by uid."""
        return _raw([catalog.by_uid(uid).encode()])

    @blueprint.post("/entities/by-refs")
    def by_refs() -> Response:
        """Return entities in the order asked for, null for those that are not there."""
        queries.require_known(request.args, {"filter"})
        body = _body("entityRefs")
        texts = body["entityRefs"]
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InputError("request/body/entityRefs must be a list of texts")
        where = queries.filters(request.args)
        if "query" in body:
            where = queries.both(where, parse_predicate(body["query"]))
        refs = [EntityRef.parse(text) for text in texts]
        found = catalog.by_refs(refs, where=where)
        paths = body.get("fields") or []
        shown = dict(zip(found, queries.projected(list(found.values()), paths), strict=True))
        return _raw([b'{"items":[', *_joined([shown.get(ref, b"null") for ref in refs]), b"]}"])


def _add_query_routes(blueprint: Blueprint, catalog: CatalogService) -> None:
    @blueprint.get("/entities/by-query")
    def by_query() -> Response:
        """Return a page of entities."""
        parameters = request.args
        queries.require_known(parameters, _QUERY_PARAMETERS)
        limit = queries.whole(parameters, "limit")
        offset = queries.whole(parameters, "offset") or 0
        if parameters.get("totalItems", "include") not in {"include", "exclude"}:
            raise InputError("request/query/totalItems must be include or exclude")
        with_total = parameters.get("totalItems") != "exclude"
        size = _DEFAULT_LIMIT if limit is None else limit
        cursor = parameters.get("cursor")
        if cursor is not None:
            page = catalog.page_at(cursor, limit=size, with_total=with_total)
        else:
            query = queries.query_of_parameters(parameters)
            page = catalog.page(query, limit=size, offset=offset, with_total=with_total)
        return _page(page, queries.fields(parameters))

    @blueprint.post("/entities/by-query")
    def by_predicate() -> Response:
        """Return a page of entities that meet a predicate."""
        body = _body()
        limit = queries.body_whole(body, "limit")
        size = _DEFAULT_LIMIT if limit is None else limit
        with_total = body.get("totalItems") != "exclude"
        if body.get("cursor") is not None:
            page = catalog.page_at(str(body["cursor"]), limit=size, with_total=with_total)
        else:
            offset = queries.body_whole(body, "offset") or 0
            page = catalog.page(queries.query_of_body(body), limit=size, offset=offset, with_total=with_total)
        return _page(page, body.get("fields") or [])


def _add_list_routes(blueprint: Blueprint, catalog: CatalogService) -> None:
    @blueprint.get("/entities")
    def entities() -> Response:
        """Return entities as an array."""
        parameters = request.args
        queries.require_known(parameters, {"filter", "fields", "order", "offset", "limit", "after"})
        limit, offset = queries.whole(parameters, "limit"), queries.whole(parameters, "offset") or 0
        query = Query(queries.filters(parameters), tuple(map(queries.list_order, parameters.getlist("order"))))
        after = parameters.get("after")
        if after is not None:
            page = catalog.page_at(after, limit=_DEFAULT_LIMIT if limit is None else limit, with_total=False)
        else:
            page = catalog.page(query, limit=limit, offset=offset, with_total=False)
        response = _raw([b"[", *_joined(queries.projected(page.bodies, queries.fields(parameters))), b"]"])
        if page.next_cursor is not None:
            kept = [(name, value) for name, value in parameters.items(multi=True) if name not in {"after", "offset"}]
            link = f"{request.path}?{urlencode([*kept, ('after', page.next_cursor)])}"
            response.headers["link"] = f'<{link}>; rel="next"'
        return response

    @blueprint.get("/entity-facets")
    def facets() -> Response:
        """Return how many entities have each value of some fields."""
        queries.require_known(request.args, {"facet", "filter"})
        keys = request.args.getlist("facet")
        if not keys:
            raise InputError("request/query must have required property 'facet'")
        return _facets(catalog.facets(keys, where=queries.filters(request.args)))

    @blueprint.post("/entity-facets")
    def facets_by_predicate() -> Response:
        """Return how many of the entities that meet a predicate have each value of some fields."""
        body = _body("facets")
        where = parse_predicate(body["query"]) if "query" in body else EVERYTHING
        return _facets(catalog.facets([str(key) for key in body["facets"]], where=where))


def _add_location_routes(blueprint: Blueprint, locations: LocationsService) -> None:
    @blueprint.get("/locations")
    def list_locations() -> Response:
        """Return the registered locations."""
        return _json([{"data": _location(location)} for location in locations.list()])

    @blueprint.post("/locations")
    def add_location() -> Response:
        """Register a location, or tell what registering it would bring."""
        queries.require_known(request.args, {"dryRun", "onConflict"})
        body = _body("type", "target")
        location_type, target = body["type"], body["target"]
        if not isinstance(location_type, str) or not isinstance(target, str):
            raise InputError("request/body/type and request/body/target must be texts")
        if request.args.get("dryRun") == "true":
            tried = locations.dry_run(location_type, target)
            answer = {"location": _location(tried.location), "entities": tried.entities, "exists": tried.exists}
            return _json(answer, 201)
        added = locations.register(location_type, target)
        return _json({"location": _location(added.location), "entities": []}, 201)

    @blueprint.get("/locations/<location_id>")
    def get_location(location_id: str) -> Response:
        """Return a registered location."""
        return _json(_location(locations.get(location_id)))

    @blueprint.delete("/locations/<location_id>")
    def delete_location(location_id: str) -> Response:
        """Remove a registered location with all that it alone brought."""
        locations.delete(location_id)
        return Response(status=204)

    @blueprint.get("/locations/by-entity/<kind>/<namespace>/<name>")
    def location_of_entity(kind: str, namespace: str, name: str) -> Response:
        """Return the location that brought an entity."""
        return _json(_location(locations.by_entity(EntityRef.of(kind, namespace, name))))

    @blueprint.post("/refresh")
    def refresh() -> Response:
        """Read the source of an entity again."""
        text = _body("entityRef")["entityRef"]
        if not isinstance(text, str):
            raise InputError("request/body/entityRef must be a text")
        locations.refresh(EntityRef.parse(text))
        return Response(status=200)


def _body(*required: str) -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise InputError("request/body must be object")
    for name in required:
        if name not in body:
            raise InputError(f"request/body must have required property '{name}'")
    return body


def _location(location: Any) -> dict[str, str]:
    return {
        "id": location.id,
        "type": location.type,
        "target": location.target,
        "entityRef": location.entity_ref,
    }


def _page(page: Page, paths: Sequence[str]) -> Response:
    info = {"nextCursor": page.next_cursor, "prevCursor": page.previous_cursor}
    page_info = orjson.dumps({name: cursor for name, cursor in info.items() if cursor is not None})
    items = _joined(queries.projected(page.bodies, paths))
    head = f'],"totalItems":{page.total_items},"pageInfo":'.encode()
    return _raw([b'{"items":[', *items, head, page_info, b"}"])


def _facets(found: Mapping[str, Sequence[tuple[str, int]]]) -> Response:
    shown = {key: [{"value": value, "count": count} for value, count in values] for key, values in found.items()}
    return _json({"facets": shown})


def _joined(texts: Iterable[bytes]) -> list[bytes]:
    return [b",".join(texts)]


def _raw(parts: Sequence[bytes]) -> Response:
    return Response(b"".join(parts), mimetype="application/json")


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, mimetype="application/json")
