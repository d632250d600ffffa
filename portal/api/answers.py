"""Sends finished entities, whole or cut down to some fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from flask import Response

JSON = "application/json; charset=utf-8"


def answer(value: Any, status: int = 200) -> Response:
    """Return a JSON value as a response."""
    return Response(orjson.dumps(value), status, content_type=JSON)


def answer_text(*parts: str) -> Response:
    """Return finished JSON text as a response."""
    return Response("".join(parts), content_type=JSON)


def answer_stream(portions: Iterable[Sequence[str]]) -> Response:
    """Return finished JSON texts as one array, sent a portion at a time."""
    return Response(_array(portions), content_type=JSON)


def shown(bodies: Iterable[str], paths: Sequence[str]) -> Sequence[str]:
    """Return finished texts as they are, or, where paths are named, cut down to these."""
    if not paths:
        return list(bodies)
    return [orjson.dumps(project(orjson.loads(body), paths)).decode() for body in bodies]


def project(document: Mapping[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    """Return the parts of a document at dotted paths; maps and lists are given whole, what is absent is left out.

    A key may itself hold dots, as those of annotations do; the shortest key that is there is followed. Rule:
    catalog-backend 4.0.0 `parseEntityTransformParams`.
    """
    result: dict[str, Any] = {}
    for path in paths:
        keys, value = _find(document, path)
        if not keys:
            continue
        target = result
        for key in keys[:-1]:
            target = target.setdefault(key, {})
        # What is given whole by a longer path already is there with all its members.
        target[keys[-1]] = dict(value) if isinstance(value, dict) else value
    return result


def _find(document: Mapping[str, Any], path: str) -> tuple[list[str], Any]:
    keys: list[str] = []
    found: Any = document
    pending = ""
    for part in path.split("."):
        pending = f"{pending}.{part}" if pending else part
        if isinstance(found, dict) and pending in found:
            keys.append(pending)
            found, pending = found[pending], ""
    return ([], None) if pending else (keys, found)


def _array(portions: Iterable[Sequence[str]]) -> Iterator[str]:
    separator = "["
    for portion in portions:
        if portion:
            yield separator + ",".join(portion)
            separator = ","
    yield "[]" if separator == "[" else "]"
