"""Turns a GraphQL schema into what a page shows of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphql import parse, print_ast
from graphql.language import (
    DirectiveDefinitionNode,
    DocumentNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    TypeNode,
)

from portal.web.api_view import ApiView, Budget, Entry, Group, Row, Shape, shown

#: What a schema may be made of: beyond that it is shown as text.
_MOST_TOKENS = 100_000
_ROOTS = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}
_LABELS = {
    "object_type": "type",
    "interface_type": "interface",
    "input_object_type": "input",
    "enum_type": "enum",
    "union_type": "union",
    "scalar_type": "scalar",
}
_NAME_SHOWN = 300


def graphql_view(text: str, *, budget: Budget | None = None) -> ApiView:
    """Return what can be asked of a schema, then its types. Raises `GraphQLError`, or `RecursionError` for deep ones.

    The fields of a type that is extended are told with the type. Rule: the GraphQL specification, October 2021.
    """
    document = parse(text, no_location=True, max_tokens=_MOST_TOKENS)
    budget = budget or Budget()
    roots, types = _sorted(document)
    groups = []
    for verb, name in roots.items():
        fields = [field for node in types.get(name, ()) for field in node.fields or ()]
        entries = [_operation(verb, field, types, budget) for field in fields if budget.allows_entry()]
        groups += [Group(name, "operations", entries)] if entries else []
    told = [
        _type(nodes, types, budget)
        for name, nodes in types.items()
        if name not in roots.values() and budget.allows_entry()
    ]
    groups += [Group("", "types", told)] if told else []
    return ApiView(language="GraphQL", groups=groups, more=budget.more)


def _sorted(document: DocumentNode) -> tuple[dict[str, str], dict[str, list[Any]]]:
    """Return the root types by operation, and all definitions of each type, its extensions among them."""
    roots = dict(_ROOTS)
    types: dict[str, list[Any]] = {}
    for node in document.definitions:
        if isinstance(node, (SchemaDefinitionNode, SchemaExtensionNode)):
            roots |= {item.operation.value: item.type.name.value for item in node.operation_types or ()}
        elif not isinstance(node, DirectiveDefinitionNode) and _label(node) in _LABELS.values():
            types.setdefault(node.name.value, []).append(node)  # type: ignore[attr-defined]  # all of these have one
    return roots, types


def _label(node: Any) -> str:
    return _LABELS.get(node.kind.removesuffix("_definition").removesuffix("_extension"), "")


def _operation(verb: str, field: Any, types: dict[str, list[Any]], budget: Budget) -> Entry:
    rows = list(_rows(field.arguments or (), types, budget))
    return Entry(
        label=verb,
        name=shown(field.name.value, _NAME_SHOWN),
        description=_description(field),
        type=_type_text(field.type),
        is_deprecated=_is_deprecated(field),
        shapes=[
            *([Shape("parameters", rows=rows)] if rows else []),
            Shape("response", type=_type_text(field.type), names=_named(field.type, types, budget)),
        ],
    )


def _type(nodes: list[Any], types: dict[str, list[Any]], budget: Budget) -> Entry:
    first = nodes[0]
    members = [item for node in nodes for item in getattr(node, "types", None) or ()]
    values = [item for node in nodes for item in getattr(node, "values", None) or ()]
    fields = [item for node in nodes for item in getattr(node, "fields", None) or ()]
    rows = [
        *_rows(fields, types, budget),
        *(Row(value.name.value, "", description=_description(value)) for value in values if budget.allows_row()),
        *(Row("", _type_text(item), names=_named(item, types, budget)) for item in members if budget.allows_row()),
    ]
    interfaces = [item.name.value for node in nodes for item in getattr(node, "interfaces", None) or ()]
    name = first.name.value
    return Entry(
        label=_label(first),
        name=shown(name, _NAME_SHOWN),
        description=_description(first),
        type=shown(" & ".join(interfaces), _NAME_SHOWN),
        id=budget.anchor(name),
        is_deprecated=_is_deprecated(first),
        shapes=[Shape("fields", rows=rows)] if rows else [],
    )


def _rows(fields: Any, types: dict[str, list[Any]], budget: Budget) -> Iterator[Row]:
    for field in fields:
        if not budget.allows_row():
            return
        default = getattr(field, "default_value", None)
        arguments = ", ".join(
            f"{item.name.value}: {_type_text(item.type)}" for item in getattr(field, "arguments", None) or ()
        )
        yield Row(
            name=shown(f"{field.name.value}({arguments})" if arguments else field.name.value, _NAME_SHOWN),
            type=_type_text(field.type),
            names=_named(field.type, types, budget),
            description=_description(field),
            default=shown(print_ast(default), 80) if default is not None else "",
        )


def _named(node: TypeNode, types: dict[str, list[Any]], budget: Budget) -> str:
    inner: Any = node
    while inner.kind != "named_type":
        inner = inner.type
    return budget.anchor(inner.name.value) if inner.name.value in types else ""


def _type_text(node: TypeNode) -> str:
    return shown(print_ast(node), _NAME_SHOWN)


def _description(node: Any) -> str:
    return shown(node.description.value) if getattr(node, "description", None) else ""


def _is_deprecated(node: Any) -> bool:
    return any(directive.name.value == "deprecated" for directive in node.directives or ())
