"""Reads the definition of an API as far as a page can show what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from portal.ingest.yaml import YamlLimits, parse
from portal.web.api_view import ApiView

#: Longer definitions are shown as text alone: to take them apart would hold up everybody else.
_LONGEST = 1_000_000
_LIMITS = YamlLimits(size_bytes=4 * _LONGEST, expanded_nodes=200_000, documents=2)
#: So many definitions stay known: they are large, and few are looked at again and again.
_KEPT = 16
_BY_MEMBER = {"openapi": "openapi", "swagger": "openapi", "asyncapi": "asyncapi"}


@lru_cache(maxsize=_KEPT)
def read_definition(definition: str, kind: str) -> ApiView | None:
    """Return what a definition says, None where it can only be shown as text: too long, faulty, another language.

    `kind` is the API's `spec.type`. What it calls itself goes before that: people take openapi for any of them.
    """
    if len(definition) > _LONGEST:
        return None
    if kind.lower() == "graphql":
        return _of_graphql(definition)
    document = _value(definition)
    language = next((name for member, name in _BY_MEMBER.items() if member in document), "")
    try:
        if language == "openapi":
            from portal.web.openapi_view import openapi_view  # noqa: PLC0415  # few pages show a definition

            return openapi_view(document)
        if language == "asyncapi":
            from portal.web.asyncapi_view import asyncapi_view  # noqa: PLC0415  # as above

            return asyncapi_view(document)
    except RecursionError:
        return None
    return None


def _of_graphql(definition: str) -> ApiView | None:
    from graphql import GraphQLError  # noqa: PLC0415  # takes long to import

    from portal.web.graphql_view import graphql_view  # noqa: PLC0415  # as above

    try:
        return graphql_view(definition)
    except (GraphQLError, RecursionError):
        return None


def _value(definition: str) -> Mapping[str, Any]:
    """Return the JSON or YAML of a definition, an empty mapping where it is neither."""
    documents = parse(definition.encode("utf-8", "surrogatepass"), limits=_LIMITS)
    value = documents[0].value if len(documents) == 1 else None
    return value if isinstance(value, dict) else {}
