"""Turns an AsyncAPI document into what a page shows of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from portal.web.api_schema import Schemas, items, mapping
from portal.web.api_view import ApiView, Budget, Entry, Group, Shape, shown
from portal.web.openapi_view import type_entry

_TYPE_PLACE = "#/components/schemas/"
_NAME_SHOWN = 300
#: Messages of one channel that are shown.
_MOST_MESSAGES = 20


def asyncapi_view(document: Mapping[str, Any], *, budget: Budget | None = None) -> ApiView:
    """Return who sends and receives what on which channel, then the types. Nothing is raised whatever it says.

    Rule: the AsyncAPI Specification 2.6 (operations stand in their channels) and 3.0 (they name them).
    """
    budget = budget or Budget()
    schemas = Schemas(document, budget, places=(_TYPE_PLACE,))
    entries = [*_of_channels(document, schemas, budget), *_of_operations(document, schemas, budget)]
    types = [
        type_entry(str(name), schema, schemas, anchor=budget.anchor(f"{_TYPE_PLACE}{name}"))
        for name, schema in mapping(mapping(document.get("components")).get("schemas")).items()
        if budget.allows_entry()
    ]
    info = mapping(document.get("info"))
    return ApiView(
        language=f"AsyncAPI {shown(str(document.get('asyncapi') or ''), 20)}".strip(),
        title=shown(info.get("title"), _NAME_SHOWN),
        version=shown(str(info.get("version") or ""), _NAME_SHOWN),
        description=shown(info.get("description"), 10_000),
        servers=list(_servers(document)),
        groups=[
            *([Group("", "channels", entries)] if entries else []),
            *([Group("", "types", types)] if types else []),
        ],
        more=budget.more,
    )


def _servers(document: Mapping[str, Any]) -> Iterator[str]:
    for server in map(mapping, list(mapping(document.get("servers")).values())[:10]):
        address = shown(server.get("url") or server.get("host"), _NAME_SHOWN)
        protocol = shown(server.get("protocol"), _NAME_SHOWN)
        if address:
            yield address if "://" in address or not protocol else f"{protocol}://{address}"


def _of_channels(document: Mapping[str, Any], schemas: Schemas, budget: Budget) -> Iterator[Entry]:
    used = {mapping(mapping(found).get("channel")).get("$ref") for found in _operations(document).values()}
    for name, said in mapping(document.get("channels")).items():
        channel = schemas.resolve(said)
        verbs = [verb for verb in ("publish", "subscribe") if isinstance(channel.get(verb), dict)]
        if f"#/channels/{str(name).replace('~', '~0').replace('/', '~1')}" in used:
            continue
        # A channel that nobody uses here is told by its messages alone.
        for verb in verbs or [""]:
            if not budget.allows_entry():
                continue
            operation = mapping(channel.get(verb)) if verb else {}
            messages = [operation.get("message")] if verb else list(mapping(channel.get("messages")).values())
            shapes = [*_parameters(channel, schemas, budget), *_messages(messages, schemas)]
            yield _entry(verb, str(name), channel, operation, shapes=shapes)


def _of_operations(document: Mapping[str, Any], schemas: Schemas, budget: Budget) -> Iterator[Entry]:
    for name, said in _operations(document).items():
        operation = schemas.resolve(said)
        if not budget.allows_entry():
            continue
        channel = schemas.resolve(operation.get("channel"))
        messages = items(operation.get("messages")) or list(mapping(channel.get("messages")).values())
        verb = operation.get("action")
        shapes = [*_parameters(channel, schemas, budget), *_messages(messages, schemas)]
        yield _entry(verb if isinstance(verb, str) else "", str(name), channel, operation, shapes=shapes)


def _operations(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(document.get("operations"))


def _entry(
    verb: str,
    name: str,
    channel: Mapping[str, Any],
    operation: Mapping[str, Any],
    *,
    shapes: list[Shape],
) -> Entry:
    address = channel.get("address")
    return Entry(
        label=shown(verb, 20).upper(),
        name=shown(address if isinstance(address, str) else name, _NAME_SHOWN),
        summary=shown(operation.get("summary") or operation.get("title") or operation.get("operationId"), _NAME_SHOWN),
        description=shown(operation.get("description") or channel.get("description")),
        is_deprecated=operation.get("deprecated") is True,
        shapes=shapes,
    )


def _parameters(channel: Mapping[str, Any], schemas: Schemas, budget: Budget) -> Iterator[Shape]:
    rows = []
    for name, said in mapping(channel.get("parameters")).items():
        parameter = schemas.resolve(said)
        if budget.allows_row():
            schema = parameter.get("schema") or {"type": "string", "enum": items(parameter.get("enum"))}
            rows.append(schemas.row(str(name), schema, description=parameter.get("description"), is_required=True))
    if rows:
        yield Shape("parameters", rows=rows)


def _messages(messages: list[Any], schemas: Schemas) -> Iterator[Shape]:
    told = [message for found in messages for message in items(mapping(found).get("oneOf")) or [found]]
    for said in told[:_MOST_MESSAGES]:
        message = schemas.resolve(said)
        title = message.get("title") or message.get("name") or _last_part(said)
        media = shown(message.get("contentType"), _NAME_SHOWN)
        payload = message.get("payload")
        # Version 3 may say in which language the schema is.
        payload = mapping(payload).get("schema", payload) if "schemaFormat" in mapping(payload) else payload
        yield schemas.shape(
            "message",
            payload,
            name=" ".join(part for part in (shown(title, _NAME_SHOWN), media) if part),
            description=shown(message.get("summary") or message.get("description")),
        )
        if message.get("headers"):
            yield schemas.shape("headers", message["headers"])


def _last_part(said: Any) -> str:
    target = mapping(said).get("$ref")
    return target.rpartition("/")[2] if isinstance(target, str) else ""
