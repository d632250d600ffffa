"""Reads what requests to the catalog ask for: filters, order, pages, fields."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from flask import request
from werkzeug.datastructures import MultiDict

from portal.api.json_bodies import parsed
from portal.errors import InputError
from portal.model.filter import AllOf, EntityFilter, parse_filter_params, parse_predicate
from portal.model.query import TEXT_FIELDS, EntityQuery, Order, TextSearch
from portal.services.catalog import DEFAULT_LIMIT

#: The parameters of each GET route that takes any.
BY_QUERY = frozenset(
    {
        "cursor",
        "fields",
        "filter",
        "fullTextFilterFields",
        "fullTextFilterTerm",
        "limit",
        "offset",
        "orderField",
        "totalItems",
    }
)
LIST = frozenset({"after", "fields", "filter", "limit", "offset", "order"})
#: The largest whole number that every JSON reader holds exactly; databases hold sums of such.
_LARGEST = 2**53 - 1
_TOTALS = {"include": True, "exclude": False}


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
    return _not_negative(number, f"request/query/{name}")


def body_of(*required: str) -> dict[str, Any]:
    """Return the JSON object that the request carries. Raises `InputError` where a required member is missing."""
    text = request.get_data()
    if text and not request.is_json:
        raise InputError("Illegal Content-Type; expected application/json")
    body = parsed(text) if text else {}
    if not isinstance(body, dict):
        raise InputError("request/body must be object")
    for name in required:
        if name not in body:
            raise InputError(f"request/body must have required property '{name}'")
    return body


def text_of(body: Mapping[str, Any], name: str) -> str:
    """Return a text of a body. Raises `InputError` for another type, or one with a NUL, which no database holds."""
    value = body[name]
    if not isinstance(value, str) or "\0" in value:
        raise InputError(f"request/body/{name} must be string without NUL")
    return value


def texts_of(body: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of texts of a body, empty where it is absent. Raises `InputError` for another type."""
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"request/body/{name} must be array of string")
    return value


def filter_of_parameters(parameters: MultiDict[str, str]) -> EntityFilter | None:
    """Return what the `filter` parameters ask for."""
    return parse_filter_params(parameters.getlist("filter"))


def filter_of_body(body: Mapping[str, Any]) -> EntityFilter | None:
    """Return what the predicate `query` of a body asks for."""
    return parse_predicate(body["query"]) if "query" in body else None


def both(*filters: EntityFilter | None) -> EntityFilter | None:
    """Return the filter that all of the given ones make together."""
    parts = tuple(part for part in filters if part is not None)
    return AllOf(parts) if parts else None


def fields_of_parameters(parameters: MultiDict[str, str]) -> list[str]:
    """Return the paths of the `fields` parameters."""
    return fields([part for text in parameters.getlist("fields") for part in text.split(",")])


def fields(paths: Sequence[str]) -> list[str]:
    """Return paths to show, without blanks. Raises `InputError` for one that points into a list."""
    found = list(dict.fromkeys(path.strip() for path in paths if path.strip()))
    for path in found:
        if "[" in path:
            raise InputError(f'Invalid field "{path}", array type fields are not supported')
    return found


def query_of_parameters(parameters: MultiDict[str, str]) -> EntityQuery:
    """Return the query of GET /entities/by-query."""
    order = [text.split(",") for text in parameters.getlist("orderField")]
    keys = [key for text in parameters.getlist("fullTextFilterFields") for key in text.split(",")]
    return EntityQuery(
        filter_of_parameters(parameters),
        tuple(Order.of(part[0].strip(), part[1].strip() if len(part) > 1 else "asc") for part in order),
        _text_search(parameters.get("fullTextFilterTerm", ""), keys),
    )


def query_of_body(body: Mapping[str, Any]) -> EntityQuery:
    """Return the query of POST /entities/by-query."""
    order = body.get("orderBy", [])
    if not isinstance(order, list) or not all(
        isinstance(item, dict) and isinstance(item.get("field"), str) and "order" in item for item in order
    ):
        raise InputError("request/body/orderBy must be array of {field, order}")
    text = body.get("fullTextFilter", {})
    if not isinstance(text, dict):
        raise InputError("request/body/fullTextFilter must be object")
    term = text_of(text, "term") if "term" in text else ""
    return EntityQuery(
        filter_of_body(body),
        tuple(Order.of(item["field"], str(item["order"])) for item in order),
        _text_search(term, texts_of(text, "fields")),
    )


def list_order(text: str) -> Order:
    """Return the order of GET /entities, `asc:FIELD` or `desc:FIELD`."""
    direction, _, field = text.partition(":")
    if direction not in {"asc", "desc"} or not field:
        raise InputError(f'Invalid order parameter "{text}", expected "<asc or desc>:<field name>"')
    return Order.of(field, direction)


def page_size(limit: int | None) -> int:
    """Return how many entities a page has."""
    return DEFAULT_LIMIT if limit is None else limit


def body_whole(body: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number of a body that is not negative, or None where it is absent."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"request/body/{name} must be integer")
    return _not_negative(value, f"request/body/{name}")


def with_total(mode: object) -> bool:
    """Return whether `totalItems` (include, exclude, or absent) wants a count."""
    if mode is None:
        return True
    if not isinstance(mode, str) or mode not in _TOTALS:
        raise InputError(f'Invalid totalItems value "{mode}", expected one of: {", ".join(_TOTALS)}')
    return _TOTALS[mode]


def portion(parameters: MultiDict[str, str]) -> tuple[int | None, int] | None:
    """Return (limit, offset) of GET /entities, where `after` wins; None when all entities are wanted."""
    limit, offset, after = whole(parameters, "limit"), whole(parameters, "offset"), parameters.get("after")
    if limit == 0:
        raise InputError("Invalid limit, must be greater than zero")
    if after is not None:
        return _parse_after(after)
    return None if limit is None and offset is None else (limit, offset or 0)


def after(limit: int, offset: int) -> str:
    """Return the `after` parameter of the portion of GET /entities that begins at `offset`."""
    return base64.urlsafe_b64encode(orjson.dumps({"limit": limit, "offset": offset})).decode()


def _parse_after(text: str) -> tuple[int, int]:
    try:
        value = orjson.loads(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
        limit, offset = value["limit"], value["offset"]
    except (binascii.Error, UnicodeError, ValueError, TypeError, KeyError) as error:
        raise InputError("Malformed after cursor, could not be parsed") from error
    if type(limit) is not int or type(offset) is not int or limit < 1 or offset < 0:
        raise InputError("Malformed after cursor, limit or offset was not a number")
    return limit, offset


def _text_search(term: str, keys: Sequence[str]) -> TextSearch | None:
    """Return the text to look for, in name, title, description and tags where no field is named."""
    if not term.strip():
        return None
    named = tuple(key.strip().lower() for key in keys if key.strip())
    return TextSearch(term.strip().lower(), named or TEXT_FIELDS)


def _not_negative(number: int, name: str) -> int:
    if number < 0:
        raise InputError(f"{name} must be >= 0")
    if number > _LARGEST:
        raise InputError(f"{name} must be <= {_LARGEST}")
    return number
