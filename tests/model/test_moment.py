from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import InputError
from portal.model.moment import Moment, parse_moment, shown_time


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-01T00:00:01Z", Moment(time_ms=1_000)),
        ("1970-01-01T01:00:01.0029+01:00", Moment(time_ms=1_002)),
        ("1970-01-01T01:00:01 01:00", Moment(time_ms=1_000)),
        ("0001-01-01T00:00:00+14:00", Moment(time_ms=0)),
        ("1774000000123", Moment(time_ms=1_774_000_000_123)),
        ("revision:0", Moment(revision=0)),
        ("revision:12", Moment(revision=12)),
    ],
)
def test_a_moment_is_a_time_or_a_revision(text: str, moment: Moment) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text", ["", "now", "2026-03-01", "2026-03-01T12:00:00", "revision:", "revision:-1", "-5", "1" * 20, "revision:٣"]
)
def test_what_nobody_can_place_is_refused(text: str) -> None:
    with pytest.raises(InputError, match='expected a time with its offset such as "2026-03-01T12:00:00Z"'):
        parse_moment(text)


@given(st.text())
def test_no_text_ends_in_another_error(text: str) -> None:
    try:
        parse_moment(text)
    except InputError:
        return


@given(st.integers(0, 253_402_300_799_999))
def test_a_shown_time_is_the_same_moment(milliseconds: int) -> None:
    assert parse_moment(shown_time(milliseconds)) == Moment(time_ms=milliseconds)
