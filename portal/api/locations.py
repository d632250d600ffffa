"""The catalog's HTTP API for locations: what is registered, what could be."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from flask import Response, request
from flask_smorest import Blueprint

from portal.api import catalog_queries as queries
from portal.api.answers import answer
from portal.api.audit import told, tried
from portal.api.json_bodies import parsed
from portal.api.strict import takes
from portal.errors import InputError
from portal.model.filter import AllOf, AnyOf, EntityFilter, Not, parse_predicate
from portal.model.location import parse_location
from portal.model.login import without_credentials
from portal.model.ref import EntityRef

if TYPE_CHECKING:
    from portal.services.locations import Location, LocationsService

_YES = frozenset({"1", "true", "t", "yes", "y", "on"})
_FIELDS = frozenset({"id", "type", "target", "entityref"})
_PAGE_SIZE = 1_000


def add_location_routes(blueprint: Blueprint, locations: LocationsService) -> None:
    """Add the routes of locations to those of the catalog."""
    _add_registered(blueprint, locations)
    _add_single(blueprint, locations)
    _add_looks(blueprint, locations)


def _add_registered(blueprint: Blueprint, locations: LocationsService) -> None:
    @blueprint.get("/locations")
    @blueprint.response(200)
    def list_locations() -> Response:
        """Return the registered locations."""
        return answer([{"data": _location(location)} for location in locations.list()])

    @blueprint.post("/locations")
    @takes(blueprint, "dryRun", "onConflict")
    @blueprint.response(201)
    def add_location() -> Response:
        """Register a location, or tell what registering it would bring."""
        on_conflict = request.args.get("onConflict", "reject")
        if on_conflict not in {"reject", "refresh"}:
            raise InputError("request/query/onConflict must be equal to one of the allowed values: refresh, reject")
        location_type, target = _location_of(queries.body_of("type", "target"))
        if request.args.get("dryRun", "").lower() in _YES:
            tried()
            found = locations.dry_run(location_type, target)
            # Nothing has an id yet: upstream names the location itself instead.
            location = _location(found.location) | {"id": f"{location_type}:{target}"}
            return answer({"location": location, "entities": found.entities, "exists": found.exists}, 201)
        # A trusted registration is one that may be there already, and is read again then.
        added = locations.register(location_type, target, trusted=on_conflict == "refresh")
        return answer({"location": _location(added.location), "entities": []}, 201)

    @blueprint.post("/locations/by-query")
    @blueprint.response(200)
    def query_locations() -> Response:
        """Return a page of the registered locations that meet a predicate."""
        limit, after_id, predicate = _location_query(queries.body_of())
        wanted = None if predicate is None else _location_filter(predicate)
        found, total = locations.query(wanted, limit=limit + 1, after_id=after_id)
        page_info = {}
        if len(found) > limit:
            found = found[:limit]
            cursor: dict[str, Any] = {"limit": limit, "afterId": found[-1].id}
            cursor |= {} if predicate is None else {"query": predicate}
            page_info["nextCursor"] = base64.b64encode(orjson.dumps(cursor)).decode()
        return answer({"items": [_location(item) for item in found], "totalItems": total, "pageInfo": page_info})


def _add_single(blueprint: Blueprint, locations: LocationsService) -> None:
    @blueprint.get("/locations/<location_id>")
    @blueprint.response(200)
    def get_location(location_id: str) -> Response:
        """Return a registered location."""
        return answer(_location(locations.get(location_id)))

    @blueprint.put("/locations/<location_id>")
    @blueprint.response(200)
    def update_location(location_id: str) -> Response:
        """Give a registered location another target."""
        location_type, target = _location_of(queries.body_of("type", "target"))
        return answer(_location(locations.update(location_id, location_type, target)))

    @blueprint.delete("/locations/<location_id>")
    @blueprint.response(204)
    def delete_location(location_id: str) -> Response:
        """Remove a registered location with all that it alone brought."""
        location = locations.delete(location_id)
        told(on=f"{location.type}:{without_credentials(location.target)}")
        return Response(status=204)

    @blueprint.get("/locations/by-entity/<kind>/<namespace>/<name>")
    @blueprint.response(200)
    def location_of_entity(kind: str, namespace: str, name: str) -> Response:
        """Return the registered location that brought an entity."""
        return answer(_location(locations.by_entity(EntityRef.of(kind, namespace, name))))

    @blueprint.delete("/entities/by-uid/<uid>")
    @blueprint.response(204)
    def delete_entity(uid: str) -> Response:
        """Take an entity out of the catalog until its file is read anew."""
        told(on=locations.remove_entity(uid))
        return Response(status=204)


def _add_looks(blueprint: Blueprint, locations: LocationsService) -> None:
    @blueprint.post("/refresh")
    @blueprint.response(200)
    def refresh() -> Response:
        """Read the source of an entity again."""
        locations.refresh(EntityRef.parse(queries.text_of(queries.body_of("entityRef"), "entityRef")))
        return Response(status=200)

    @blueprint.post("/analyze-location")
    @blueprint.response(200)
    def analyze_location() -> Response:
        """Tell what a repository declares, or what it could begin with."""
        body = queries.body_of("location")
        given = body["location"]
        if not isinstance(given, dict):
            raise InputError("request/body/location must be object")
        for name in {"type", "target"} - given.keys():
            raise InputError(f"request/body/location must have required property '{name}'")
        location_type, target = _location_of(given, path="request/body/location")
        filename = queries.text_of(body, "catalogFilename") if "catalogFilename" in body else ""
        found = locations.analyze(location_type, target, filename=filename)
        existing = [
            {
                "location": {"type": location_type, "target": item.target},
                "isRegistered": item.is_registered,
                "entity": orjson.Fragment(item.body),
            }
            for item in found.existing
        ]
        suggested = [] if found.suggested is None else [{"entity": found.suggested, "fields": []}]
        return answer({"existingEntityFiles": existing, "generateEntities": suggested})

    @blueprint.post("/validate-entity")
    @blueprint.response(200)
    def validate_entity() -> Response:
        """Say whether an entity could come into the catalog from a location."""
        body = queries.body_of("entity", "location")
        location = queries.text_of(body, "location")
        fault = _envelope_fault(body["entity"]) or _location_fault(location)
        if fault:
            return answer({"errors": [{"name": "TypeError", "message": fault}]}, 400)
        messages = locations.validation_messages(body["entity"], location=parse_location(location))
        if messages:
            return answer({"errors": [{"name": "InputError", "message": message} for message in messages]}, 400)
        return Response(status=200)


def _location_of(body: Mapping[str, Any], *, path: str = "request/body") -> tuple[str, str]:
    """Return (type, target) of a location in a body."""
    for name in sorted(body.keys() - {"type", "target", "presence"}):
        raise InputError(f"{path} must not have additional property '{name}'")
    return queries.text_of(body, "type"), queries.text_of(body, "target")


def _location_query(body: Mapping[str, Any]) -> tuple[int, str, Any]:
    """Return (limit, id to begin after, predicate or None). Rule: catalog-backend 4.0.0 `parseLocationQuery`."""
    if "cursor" in body:
        text = queries.text_of(body, "cursor")
        if not text:
            raise InputError("Cursor cannot be empty")
        try:
            cursor = parsed(base64.b64decode(text.encode(), validate=True))
        except (binascii.Error, UnicodeError, InputError):
            raise InputError("Malformed cursor, unknown encoding") from None
        if not isinstance(cursor, dict) or not isinstance(cursor.get("afterId", ""), str):
            raise InputError("Malformed cursor: expected limit, afterId and query")
        return _limit(cursor.get("limit")), cursor.get("afterId", ""), cursor.get("query")
    if "query" in body and not isinstance(body["query"], dict):
        raise InputError("Query must be an object")
    return _limit(body.get("limit", _PAGE_SIZE)), "", body.get("query")


def _limit(limit: object) -> int:
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InputError("Limit must be a positive integer >= 1")
    return min(limit, 2**31)


def _location_filter(predicate: object) -> EntityFilter:
    """Return what a predicate on locations asks for. Raises `InputError` for a field that locations do not have.

    Unlike for entities, nothing at all means no location, and no field is a list that could contain anything.
    Rule: catalog-backend 4.0.0 `applyLocationFilterToQuery`.
    """
    parse_predicate(predicate)
    found = parse_predicate(_as_locations_read(predicate))
    pending = [found]
    while pending:
        part = pending.pop()
        if isinstance(part, (AllOf, AnyOf)):
            pending += part.parts
        elif isinstance(part, Not):
            pending.append(part.part)
        elif (key := getattr(part, "key", "")) not in _FIELDS:
            raise InputError(
                f"Invalid filter predicate, expected key to be 'id', 'type', 'target', or 'entityRef', got '{key}'"
            )
    return found


def _as_locations_read(predicate: Any) -> Any:
    if isinstance(predicate, list):
        return [_as_locations_read(item) for item in predicate]
    if not isinstance(predicate, dict):
        return predicate
    if predicate.get("$all") == []:
        return {"$any": []}
    return {"$in": []} if "$contains" in predicate else {k: _as_locations_read(v) for k, v in predicate.items()}


def _envelope_fault(entity: object) -> str:
    """Return what is wrong with the outermost form of an entity.

    Rule: catalog-model 1.10.1 `validateEntityEnvelope`, which tells the first fault alone.
    """
    fault = _form_fault("", entity, required=("apiVersion", "kind", "metadata"), texts=("apiVersion", "kind"))
    if fault or not isinstance(entity, dict):
        return fault
    return _form_fault("/metadata", entity["metadata"], required=("name",), texts=("name", "namespace"))


def _form_fault(path: str, value: object, *, required: Sequence[str], texts: Sequence[str]) -> str:
    here = path or "<root>"
    if not isinstance(value, dict):
        return f"{here} must be object - type: object"
    for name in required:
        if name not in value:
            return f"{here} must have required property '{name}' - missingProperty: {name}"
    for name in texts:
        text = value.get(name, "-")
        if not isinstance(text, str):
            return f"{path}/{name} must be string - type: string"
        if not text:
            return f"{path}/{name} must NOT have fewer than 1 characters - limit: 1"
    return ""


def _location_fault(text: str) -> str:
    """Return what is wrong with a location in writing. Rule: catalog-model 1.10.1 `parseLocationRef`."""
    location_type, colon, target = text.partition(":")
    if not colon:
        return f"Unable to parse location ref '{text}', expected '<type>:<target>', e.g. 'url:https://host/path'"
    if location_type in {"http", "https"}:
        return f"Invalid location ref '{text}', please prefix it with 'url:', e.g. 'url:{text}'"
    if not location_type or not target:
        return f"Unable to parse location ref '{text}', expected '<type>:<target>', e.g. 'url:https://host/path'"
    if location_type != "url":
        return f"Invalid location ref {text}, only 'url:<target>' is supported, e.g. url:https://host/path"
    return ""


def _location(location: Location) -> dict[str, str]:
    return {
        "id": location.id,
        "type": location.type,
        "target": location.target,
        "entityRef": str(location.entity_ref),
    }
