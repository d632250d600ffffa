"""Reads JSON that clients send, none of it nested beyond what the rest of Portal can walk through."""

from __future__ import annotations

from typing import Any

import orjson
from marshmallow import RAISE, missing
from webargs.flaskparser import FlaskParser
from werkzeug.wrappers import Request

from portal.errors import InputError

#: orjson writes 254 levels, and what walks through a predicate takes several frames for each.
MOST_LEVELS = 200


class JsonParser(FlaskParser):
    """Refuses query parameters that a route does not know, as Backstage does."""

    DEFAULT_UNKNOWN_BY_LOCATION = FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION | {"query": RAISE}

    def _raw_load_json(self, req: Request) -> Any:
        return parsed(req.get_data()) if req.is_json else missing


def parsed(text: bytes, *, name: str = "request/body") -> Any:
    """Return the value of a JSON text. Raises `InputError` for what is none, or nested too deeply."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{name} is not JSON: {error}") from error
    # A text without so many brackets need not be walked through.
    if text.count(b"[") + text.count(b"{") > MOST_LEVELS and _is_deeper(found, MOST_LEVELS):
        raise InputError(f"{name} is nested too deeply; expected at most {MOST_LEVELS} levels")
    return found


def _is_deeper(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels + 1):
        layer = [
            part
            for item in layer
            if isinstance(item, (dict, list))
            for part in (item.values() if isinstance(item, dict) else item)
        ]
        if not layer:
            return False
    return True
