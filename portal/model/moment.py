"""A moment of the past of the catalog, as those who ask name it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from portal.errors import InputError
from portal.model.sentence import Sentence

_EPOCH = datetime.fromtimestamp(0, UTC)
_LAST_MS = 253_402_300_799_999
_REVISION = re.compile(r"revision:([0-9]{1,18})")
_MILLISECONDS = re.compile(r"[0-9]{1,15}")
#: An offset whose plus sign became a space, as it does in a query that was not quoted.
_UNQUOTED_OFFSET = re.compile(r"(.*[0-9]) ([0-9]{2}:?[0-9]{2})")
_EXPECTED = Sentence(
    'a time with its offset such as "2026-03-01T12:00:00Z", milliseconds since 1970, or a revision such as "revision:7"'
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A revision of the catalog, or a time in milliseconds since 1970; the other one is None."""

    revision: int | None = None
    time_ms: int | None = None

    def __str__(self) -> str:
        if self.time_ms is not None:
            # No calendar goes on for ever.
            return shown_time(self.time_ms) if self.time_ms <= _LAST_MS else str(self.time_ms)
        return Sentence("revision %(number)s", number=self.revision)


def parse_moment(text: str) -> Moment:
    """Return the moment that a text names: ISO 8601 with an offset, milliseconds since 1970, or `revision:N`.

    A time before 1970 is 1970: no catalog is older. Raises `InputError` for any other text, and for a time without an
    offset: whose clock it means nobody can tell.
    """
    revision = _REVISION.fullmatch(text)
    if revision:
        return Moment(revision=int(revision[1]))
    if _MILLISECONDS.fullmatch(text):
        return Moment(time_ms=int(text))
    quoted = _UNQUOTED_OFFSET.fullmatch(text)
    try:
        time = datetime.fromisoformat(f"{quoted[1]}+{quoted[2]}" if quoted else text)
    except ValueError:
        raise InputError(
            Sentence('"%(text)s" is no moment; expected %(expected)s', text=text, expected=_EXPECTED)
        ) from None
    if time.tzinfo is None:
        raise InputError(Sentence('"%(text)s" has no offset; expected %(expected)s', text=text, expected=_EXPECTED))
    return Moment(time_ms=max(0, (time - _EPOCH) // timedelta(milliseconds=1)))


def shown_time(milliseconds: int) -> str:
    """Return a time in ISO 8601, in UTC to the millisecond."""
    shown = (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds")
    return shown.replace("+00:00", "Z")
