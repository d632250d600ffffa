"""Times that people give as a span from now, or as a day."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from portal.errors import InputError
from portal.model.moment import parse_moment

_SPAN = re.compile(r"([0-9]{1,6})([hdw])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_EXPECTED = 'a span such as "12h", "30d" or "8w", a day such as "2027-01-31" (in UTC), or a time with its offset'


def span_ms(text: str) -> int | None:
    """Return a span of hours, days or weeks in milliseconds, None for a text that is none."""
    found = _SPAN.fullmatch(text)
    if found is None:
        return None
    return timedelta(hours=int(found[1]) * _HOURS[found[2]]) // timedelta(milliseconds=1)


def parse_expiry(text: str, *, now_ms: int) -> int:
    """Return the time to come that a text names, in milliseconds since 1970. Raises `InputError`."""
    span = span_ms(text)
    found = _time_ms(text) if span is None else now_ms + span
    if found <= now_ms:
        raise InputError(f'"{text}" is over already; expected a time to come')
    return found


def parse_since(text: str, *, now_ms: int) -> int:
    """Return the time that a text names, a span counted back from now, in milliseconds since 1970.

    Raises `InputError`.
    """
    span = span_ms(text)
    return _time_ms(text) if span is None else max(0, now_ms - span)


def _time_ms(text: str) -> int:
    if _DAY.fullmatch(text):
        try:
            day = datetime.fromisoformat(text).replace(tzinfo=UTC)
        except ValueError:
            raise InputError(f'"{text}" is no day; expected {_EXPECTED}') from None
        return max(0, int(day.timestamp()) * 1000)
    try:
        found = parse_moment(text).time_ms
    except InputError:
        found = None
    if found is None:
        raise InputError(f'"{text[:80]}" is no time; expected {_EXPECTED}')
    return found
