"""What several routes are asked with."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from portal.errors import InputError
from portal.model.moment import Moment, parse_moment

MOST_ITEMS = 10_000


class NoArguments(Schema):
    """A route without parameters."""


class PageArguments(Schema):
    """Which part of an answer's items is told."""

    limit = fields.Integer(load_default=500, validate=validate.Range(1, MOST_ITEMS))
    offset = fields.Integer(load_default=0, validate=validate.Range(0))


class MomentArguments(Schema):
    """Of which time is told; `moment_of` takes it out."""

    at = fields.String()


def moment_of(arguments: dict[str, Any]) -> Moment | None:
    """Take `at` out of arguments and return the moment that it names, None without it. Raises `InputError`."""
    text = arguments.pop("at", None)
    return None if text is None else parse_moment(text)


def listed(arguments: dict[str, Any], name: str) -> list[str] | None:
    """Return what repeated, comma-separated texts name; None without any. Raises `InputError` for empty ones."""
    if name not in arguments:
        return None
    found = [part.strip() for text in arguments[name] for part in text.split(",") if part.strip()]
    if not found:
        raise InputError(f"request/query/{name} names nothing")
    return found
