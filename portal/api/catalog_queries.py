"""Reads what requests to the catalog ask for: filters, order, pages, fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from werkzeug.datastructures import MultiDict

from portal.errors import InputError
from portal.model.filter import EVERYTHING, AllOf, EntityFilter, parse_filters, parse_predicate
from portal.services.catalog import DEFAULT_TEXT_FIELDS, Query
from portal.store.query import FullText, Order


def require_known(parameters: MultiDict[str, str], known: Collection[str]) -> None:
    """Raise `InputError` for a query parameter that the route does not have, or one without a value."""
    for name in parameters:
        if name not in known:
            raise InputError(f"Unknown query parameter '{name}'")
    for name, value in parameters.items(multi=True):
        if not value:
            raise InputError(f"Empty value found for query parameter '{name}'")


def whole(parameters: MultiDict[str, str], name: str) -> int | None:
    """Return a whole number that is not negative, or None where the parameter is absent."""
    text = parameters.get(name)
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        raise InputError(f"request/query/{name} must be integer") from None
    if number < 0:
        raise InputError(f"request/query/{name} must be >= 0")
    return number


def body_whole(body: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number of a body that is not negative, or None where it is absent."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"request/body/{name} must be integer")
    if value < 0:
        raise InputError(f"request/body/{name} must be >= 0")
    return value


def filters(parameters: MultiDict[str, str]) -> EntityFilter:
    """Return the filter of the `filter` parameters."""
    return parse_filters(parameters.getlist("filter"))


def fields(parameters: MultiDict[str, str]) -> list[str]:
    """Return the paths of the `fields` parameters."""
    return [part.strip() for text in parameters.getlist("fields") for part in text.split(",") if part.strip()]


def query_of_parameters(parameters: MultiDict[str, str]) -> Query:
    """Return the query of GET /entities/by-query."""
    order = [_order_field(text) for text in parameters.getlist("orderField")]
    term = (parameters.get("fullTextFilterTerm") or "").strip()
    keys = [key for text in parameters.getlist("fullTextFilterFields") for key in text.split(",") if key]
    return Query(filters(parameters), tuple(order), full_text(term, keys))


def query_of_body(body: Mapping[str, Any]) -> Query:
    """Return the query of POST /entities/by-query."""
    where = parse_predicate(body["query"]) if "query" in body else EVERYTHING
    order = body.get("orderBy") or []
    items = order if isinstance(order, list) else [order]
    found: list[Order] = []
    for item in items:
        if not isinstance(item, Mapping) or not isinstance(item.get("field"), str):
            raise InputError("request/body/orderBy must be a list of {field, order}")
        found.append(_order(item["field"], str(item.get("order", "asc"))))
    text = body.get("fullTextFilter") or {}
    if not isinstance(text, Mapping):
        raise InputError("request/body/fullTextFilter must be object")
    return Query(where, tuple(found), full_text(str(text.get("term") or "").strip(), text.get("fields") or []))


def full_text(term: str, keys: Sequence[str]) -> FullText | None:
    """Return the text to look for, in name, title, description and tags where no field is named."""
    if not term:
        return None
    return FullText(term, tuple(key.strip().lower() for key in keys) or DEFAULT_TEXT_FIELDS)


def both(left: EntityFilter, right: EntityFilter) -> EntityFilter:
    """Return the filter that both hold."""
    return AllOf((left, right))


def _order_field(text: str) -> Order:
    field, _, direction = text.partition(",")
    return _order(field.strip(), direction.strip() or "asc")


def _order(field: str, direction: str) -> Order:
    if direction not in {"asc", "desc"}:
        raise InputError("Invalid order field order, must be asc or desc")
    if not field:
        raise InputError("Invalid order field, the field is missing")
    return Order(field.lower(), direction == "desc")


def list_order(text: str) -> Order:
    """Return the order of GET /entities, `asc:FIELD` or `desc:FIELD`."""
    direction, colon, field = text.partition(":")
    if direction not in {"asc", "desc"} or not colon or not field:
        raise InputError(f'Invalid order parameter "{text}", expected "<asc or desc>:<field name>"')
    return Order(field.lower(), direction == "desc")


def projected(bodies: Sequence[str], paths: Sequence[str]) -> list[bytes]:
    """Return finished texts, cut down to some fields where any are named."""
    if not paths:
        return [body.encode() for body in bodies]
    return [orjson.dumps(_project(orjson.loads(body), paths)) for body in bodies]


def _project(document: Mapping[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    """Return the parts of a document at some paths; maps and lists are given whole, what is absent is left out."""
    result: dict[str, Any] = {}
    for path in paths:
        _copy(document, result, path)
    return result


def _copy(source: Any, target: dict[str, Any], path: str) -> None:
    if not isinstance(source, Mapping):
        return
    if path in source:
        target[path] = source[path]
        return
    # A key may itself hold dots, as those of annotations do: try the longest first.
    for end in range(len(path) - 1, 0, -1):
        head = path[:end]
        if path[end] == "." and head in source:
            nested = target.get(head)
            if not isinstance(nested, dict) or nested is source[head]:
                nested = {}
            _copy(source[head], nested, path[end + 1 :])
            if nested:
                target[head] = nested
            return
