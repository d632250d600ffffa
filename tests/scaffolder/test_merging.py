"""Values are merged as lodash does; the expectations were produced by lodash 4.17 itself."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.scaffolder.merging import merge

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "change", "joins", "expected"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3, "d": 4}}, False, {"a": {"b": 1, "c": 3, "d": 4}}),
        ({"a": [1, 2, 3]}, {"a": [4]}, False, {"a": [4, 2, 3]}),
        (
            {"a": [{"b": 1}, {"c": 2}]},
            {"a": [{"d": 3}, {"e": 4}, 5]},
            False,
            {"a": [{"b": 1, "d": 3}, {"c": 2, "e": 4}, 5]},
        ),
        ({"a": [1, 2]}, {"a": [2, 3, 3]}, True, {"a": [1, 2, 3]}),
        ({"a": [1]}, {"a": 2}, True, {"a": [1, 2]}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}]}, True, {"a": [{"b": 1}, {"b": 1}]}),
        ({"a": [1]}, {"a": [True]}, True, {"a": [1, True]}),
        ({"a": 1}, {"a": None, "b": {}}, False, {"a": None, "b": {}}),
        ({"a": {"b": 1}}, {"a": [1]}, False, {"a": [1]}),
        ({"a": "text"}, {"a": {"b": 1}}, False, {"a": {"b": 1}}),
    ],
)
def test_values_are_merged_as_lodash_does(value, change, joins, expected):
    before = copy.deepcopy([value, change])
    assert merge(value, change, joins_lists=joins) == expected
    assert [value, change] == before


@given(VALUES, VALUES)
def test_merging_what_is_merged_changes_nothing(value, change):
    once = merge(value, change)
    assert merge(once, change) == once
    assert merge({}, value if isinstance(value, dict) else {}) == (value if isinstance(value, dict) else {})
