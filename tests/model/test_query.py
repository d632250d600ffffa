import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import InputError
from portal.model.filter import parse_filter_params
from portal.model.query import Cursor, EntityQuery, Order, Place, TextSearch, parse_cursor

QUERY = EntityQuery(
    parse_filter_params(["kind=component,spec.type=a,spec.type=ä", "metadata.tags"]),
    (Order.of("metadata.Title", "desc"), Order.of("kind")),
    TextSearch("100%"),
)


@pytest.mark.parametrize(
    "cursor",
    [
        Cursor(EntityQuery(), Place((), "component:default/a"), "next", 3),
        Cursor(QUERY, Place(("ü", None), "api:default/b"), "previous", None, ("kind", "metadata.name")),
    ],
)
def test_a_cursor_survives_its_text(cursor: Cursor) -> None:
    assert parse_cursor(cursor.encode()) == cursor


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "xyz",
        "é",
        _encoded("[]"),
        _encoded("null"),
        _encoded("{}"),
        _encoded('{"query":1}'),
        Cursor(QUERY, Place((), "a:b/c"), "next").encode(),
        Cursor(EntityQuery(), Place((), "a:b/\0"), "next").encode(),
    ],
)
def test_any_other_text_is_a_malformed_cursor(text: str) -> None:
    with pytest.raises(InputError, match="Malformed cursor"):
        parse_cursor(text)


@given(text=st.text() | st.text().map(_encoded))
def test_reading_a_cursor_never_fails_otherwise(text: str) -> None:
    with pytest.raises(InputError):
        parse_cursor(text)


def test_more_order_fields_than_a_statement_joins_are_refused() -> None:
    with pytest.raises(InputError, match="at most 8"):
        EntityQuery(order=(Order("a"),) * 9)
