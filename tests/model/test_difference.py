from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portal.model.difference import MISSING, differences

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(before=st.dictionaries(st.sampled_from("abc"), _VALUES), after=st.dictionaries(st.sampled_from("abc"), _VALUES))
def test_the_differences_turn_one_value_into_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    made = copy.deepcopy(before)
    for found in differences(before, after):
        place = made
        for name in found.path[:-1]:
            place = place[name]
        if found.after is MISSING:
            del place[found.path[-1]]
        else:
            place[found.path[-1]] = found.after

    assert made == after
    assert list(differences(after, copy.deepcopy(after))) == []
