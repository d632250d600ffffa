"""JSON is read and written as JavaScript does."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import InputError
from portal.scaffolder.json_text import indent_of, parse_json, to_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.none() | st.integers(0, 12) | st.sampled_from(["", "\t", " " * 20]))
def test_what_is_written_reads_back(value, indent):
    assert parse_json(to_json(value, indent=indent or ""), name="x") == value


@given(st.text())
def test_any_text_is_read_or_refused(text):
    with suppress(InputError):
        parse_json(text, name="x")


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "'a'", "[" * 100_000, "{a: 1}"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(InputError, match="no JSON"):
        parse_json(text, name="x")


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        ({"b": 1.0, "a": "é"}, {}, '{"b":1,"a":"é"}'),
        ({"b": [], "a": {}}, {"indent": 2}, '{\n  "b": [],\n  "a": {}\n}'),
        ({"a": {"b": 1, "c": 2}, "b": 3}, {"members": ["b", "a"]}, '{"b":3,"a":{"b":1}}'),
        ([{"a": 1}], {"indent": "--" * 9}, '[\n----------{\n--------------------"a": 1\n----------}\n]'),
    ],
)
def test_it_looks_as_javascript_writes_it(value, options, text):
    assert to_json(value, **options) == text


@pytest.mark.parametrize(
    ("text", "indent"),
    [('{\n\t"a": 1\n}', "\t"), ('{\n    "a": {\n        "b": 1}}', "    "), ('{"a": 1}', "  "), ("", "  ")],
)
def test_the_indent_of_a_text_is_its_first(text, indent):
    assert indent_of(text) == indent
