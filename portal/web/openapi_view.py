"""Turns an OpenAPI document into what a page shows of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from portal.web.api_schema import Schemas, items, mapping
from portal.web.api_view import ApiView, Budget, Entry, Group, Shape, shown

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_TYPE_PLACES = ("#/components/schemas/", "#/definitions/")
_NAME_SHOWN = 300
_MOST_SERVERS = 10


def openapi_view(document: Mapping[str, Any], *, budget: Budget | None = None) -> ApiView:
    """Return the operations of a document by tag, then its types. It may be OpenAPI 3, or 2 (Swagger), or half of one.

    Nothing is raised whatever the document says. Rule: the OpenAPI Specification 3.1 and 2.0.
    """
    budget = budget or Budget()
    schemas = Schemas(document, budget, places=_TYPE_PLACES)
    by_tag: dict[str, list[Entry]] = {}
    for path, item in mapping(document.get("paths")).items():
        for entry, tag in _operations(str(path), schemas.resolve(item), schemas, budget):
            by_tag.setdefault(tag, []).append(entry)
    said = {
        str(tag.get("name")): shown(tag.get("description"))
        for tag in map(mapping, items(document.get("tags")))
        if tag.get("name")
    }
    # In the order in which the document tells its tags, then as they come.
    names = [name for name in said if name in by_tag] + [name for name in by_tag if name not in said]
    groups = [Group(name, "operations", by_tag[name], said.get(name, "")) for name in names]
    types = list(_types(document, schemas, budget))
    info = mapping(document.get("info"))
    return ApiView(
        language=f"OpenAPI {_version(document)}".strip(),
        title=shown(info.get("title"), _NAME_SHOWN),
        version=shown(str(info.get("version") or ""), _NAME_SHOWN),
        description=shown(info.get("description"), 10_000),
        servers=_servers(document),
        groups=[*groups, *([Group("", "types", types)] if types else [])],
        more=budget.more,
    )


def _version(document: Mapping[str, Any]) -> str:
    return shown(str(document.get("openapi") or document.get("swagger") or ""), 20)


def _servers(document: Mapping[str, Any]) -> list[str]:
    found = [shown(mapping(server).get("url"), _NAME_SHOWN) for server in items(document.get("servers"))]
    if not found and (document.get("host") or document.get("basePath")):
        scheme = next((item for item in items(document.get("schemes")) if isinstance(item, str)), "https")
        host = shown(document.get("host"), _NAME_SHOWN)
        found = [f"{scheme}://{host}" * bool(host) + shown(document.get("basePath"), _NAME_SHOWN)]
    return [url for url in found if url][:_MOST_SERVERS]


def _operations(path: str, item: Mapping[str, Any], schemas: Schemas, budget: Budget) -> Iterator[tuple[Entry, str]]:
    for method in _METHODS:
        operation = item.get(method)
        if not isinstance(operation, dict) or not budget.allows_entry():
            continue
        tag = next((tag for tag in items(operation.get("tags")) if isinstance(tag, str)), "")
        parameters = _parameters(item, operation, schemas)
        yield (
            Entry(
                label=method.upper(),
                name=shown(path, _NAME_SHOWN),
                summary=shown(operation.get("summary"), _NAME_SHOWN),
                description=shown(operation.get("description")),
                is_deprecated=operation.get("deprecated") is True,
                shapes=[
                    *_of_parameters(parameters, schemas, budget),
                    *_bodies(parameters, operation, schemas),
                    *_responses(operation, schemas),
                ],
            ),
            tag,
        )


def _parameters(item: Mapping[str, Any], operation: Mapping[str, Any], schemas: Schemas) -> list[Mapping[str, Any]]:
    """Return the parameters of an operation; one that it says itself stands before that of its path."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for said in [*items(item.get("parameters")), *items(operation.get("parameters"))]:
        parameter = schemas.resolve(said)
        found[str(parameter.get("name")), str(parameter.get("in"))] = parameter
    return list(found.values())


def _of_parameters(parameters: list[Mapping[str, Any]], schemas: Schemas, budget: Budget) -> Iterator[Shape]:
    rows = []
    for parameter in parameters:
        if parameter.get("in") == "body" or not budget.allows_row():
            continue
        content = next((mapping(media) for media in mapping(parameter.get("content")).values()), {})
        # Version 2 has the type on the parameter itself.
        schema = parameter.get("schema") or content.get("schema") or parameter
        rows.append(
            schemas.row(
                str(parameter.get("name") or ""),
                schema,
                place=str(parameter.get("in") or ""),
                description=parameter.get("description"),
                is_required=parameter.get("required") is True,
            )
        )
    if rows:
        yield Shape("parameters", rows=rows)


def _bodies(parameters: list[Mapping[str, Any]], operation: Mapping[str, Any], schemas: Schemas) -> Iterator[Shape]:
    for parameter in parameters:
        if parameter.get("in") == "body":
            description = shown(parameter.get("description"))
            yield schemas.shape("body", parameter.get("schema"), description=description)
    body = schemas.resolve(operation.get("requestBody"))
    for media, content in mapping(body.get("content")).items():
        description = shown(body.get("description"))
        yield schemas.shape("body", mapping(content).get("schema"), name=str(media), description=description)


def _responses(operation: Mapping[str, Any], schemas: Schemas) -> Iterator[Shape]:
    for status, said in mapping(operation.get("responses")).items():
        response = schemas.resolve(said)
        description = shown(response.get("description"))
        contents = mapping(response.get("content"))
        if "schema" in response:
            contents = {"": {"schema": response["schema"]}}
        if not contents:
            yield Shape("response", shown(str(status), _NAME_SHOWN), description)
        for media, content in contents.items():
            name = f"{status} {media}".strip()
            yield schemas.shape("response", mapping(content).get("schema"), name=name, description=description)


def _types(document: Mapping[str, Any], schemas: Schemas, budget: Budget) -> Iterator[Entry]:
    for place, found in (
        (_TYPE_PLACES[0], mapping(document.get("components")).get("schemas")),
        (_TYPE_PLACES[1], document.get("definitions")),
    ):
        for name, schema in mapping(found).items():
            if budget.allows_entry():
                yield type_entry(str(name), schema, schemas, anchor=budget.anchor(f"{place}{name}"))


def type_entry(name: str, schema: Any, schemas: Schemas, *, anchor: str) -> Entry:
    """Return a named schema as an entry of its own."""
    found = mapping(schema)
    row = schemas.row(name, schema)
    return Entry(
        label="",
        name=shown(name, _NAME_SHOWN),
        summary=shown(found.get("title"), _NAME_SHOWN),
        description=shown(found.get("description")),
        type=row.type,
        id=anchor,
        is_deprecated=found.get("deprecated") is True,
        shapes=[Shape("fields", rows=rows)] if (rows := _own_rows(row, schemas, schema)) else (),
    )


def _own_rows(row: Any, schemas: Schemas, schema: Any) -> list[Any]:
    """Return the fields of a type; for one that has none, but values or limits, those as a row without a name."""
    rows = schemas.rows_within(schema)
    return rows or ([row] if row.values or row.limits else [])
