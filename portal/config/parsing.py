"""Parsers of single settings: each returns the value, or raises `ValueError` that says what is expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from portal.errors import InputError
from portal.model.ref import PEOPLE, EntityRef

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})
_RATE = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour)", re.ASCII)


def text(value: Any) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("a text that is not empty")
    return value


def any_text(value: Any) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise ValueError("a text")  # noqa: TRY004  # one kind of fault for the caller to report
    return value


def whole(minimum: int, maximum: int | None = None) -> Callable[[Any], int]:
    """Return what parses a whole number between two limits."""

    def parse(value: Any) -> int:
        limits = f"{minimum} or more" if maximum is None else f"between {minimum} and {maximum}"
        try:
            number = int(value)
        except (TypeError, ValueError):
            raise ValueError(f"a whole number, {limits}") from None
        if isinstance(value, (bool, float)) or number < minimum or (maximum is not None and number > maximum):
            raise ValueError(f"a whole number, {limits}")
        return number

    return parse


def choice(*options: str) -> Callable[[Any], str]:
    """Return what parses one of some texts."""

    def parse(value: Any) -> str:
        if value not in options:
            raise ValueError(f"one of {', '.join(options)}")
        return str(value)

    return parse


def flag(value: Any) -> bool:
    """Return yes or no."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _YES | _NO:
        return value.lower() in _YES
    raise ValueError("true or false")


def flag_or_none(value: Any) -> bool | None:
    """Return yes, no, or None where nothing is said."""
    return None if value is None or value == "" else flag(value)


def texts(value: Any) -> tuple[str, ...]:
    """Return a list of texts, which may stand in lines."""
    items = [part.strip() for part in value.splitlines()] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError("a list of texts (in the environment: one a line)")
    return tuple(item for item in items if item)


def user_ref(value: Any) -> EntityRef:
    """Return the reference of a user."""
    try:
        ref = EntityRef.parse(text(value), default_kind="user")
    except InputError:
        ref = None
    if ref is None or ref.kind != "user":
        raise ValueError('a user reference such as "user:default/guest"')
    return ref


def rate(value: Any) -> str:
    """Return how many requests are allowed in which time, as it is written."""
    if value not in ("", "off") and not (isinstance(value, str) and _RATE.fullmatch(value)):
        raise ValueError('a rate such as "3000/minute", or "off"')
    return str(value)


def people(value: Any) -> tuple[EntityRef, ...]:
    """Return references of users and groups."""
    found = []
    for text in texts(value):
        try:
            ref = EntityRef.parse(text, default_kind="group")
        except InputError:
            ref = None
        if ref is None or ref.kind not in PEOPLE:
            raise ValueError('references of users and groups, such as "group:default/platform"')
        found.append(ref)
    return tuple(found)


def path(value: Any) -> Path:
    """Return a path."""
    return Path(value) if isinstance(value, Path) else Path(text(value)).expanduser()


def masked(text: str) -> str:
    """Return a text without the password of a url in it."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    if not parts.scheme or "@" not in parts.netloc:
        return text
    credentials, _, host = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    shown = f"{user}:***@{host}" if colon else f"***@{host}"
    return urlunsplit(parts._replace(netloc=shown))
