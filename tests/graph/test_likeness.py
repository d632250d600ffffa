from __future__ import annotations

import pytest

from portal.graph.likeness import Described, alike, candidates
from portal.model.ref import EntityRef


def asset(name: str, home: str, *, kind: str = "component", title: str = "", sort: str = "library") -> Described:
    return Described(EntityRef(f"{kind}:default/{name}"), title or name, sort, frozenset({home}))


@pytest.mark.parametrize(
    ("one", "other", "is_pair"),
    [
        (asset("churn-features", "p"), asset("churn-feature", "q"), True),
        (asset("churn-features", "p"), asset("featuresChurn", "q"), True),
        (asset("churn-features", "p"), asset("churn-feature", "p"), False),
        (asset("churn-features", "p"), asset("churn-feature", "q", sort="service"), False),
        (asset("churn-features", "p"), asset("churn-feature", "q", kind="resource"), False),
        (asset("churn-1", "p"), asset("churn-2", "q"), False),
        (asset("churn", "p"), asset("churn-2", "q"), True),
        (asset("a", "p", title="Customer churn"), asset("b", "q", title="Customer churn"), True),
        (asset("churn-features", "p"), asset("fraud-features", "q"), False),
    ],
)
def test_names_alike_in_different_homes_are_a_candidate(one: Described, other: Described, is_pair: bool) -> None:
    found = candidates([one, other])

    assert found == ([(min(one.ref, other.ref), max(one.ref, other.ref))] if is_pair else [])
    assert candidates([other, one]) == found


def test_a_pair_says_in_what_it_is_alike() -> None:
    first, second = EntityRef("component:default/churn-features"), EntityRef("component:default/churn-feature")
    body = {"metadata": {"tags": ["churn"], "description": "Features of customers who leave"}}
    other = {"metadata": {"tags": ["churn", "x", "y", "z"], "description": "Paints walls"}}

    (pair,) = alike([(first, second)], {first: body, second: body})

    assert pair.reason == "same kind and type, names 96 % alike, same tags, same description"
    assert pair.alike == 98
    # Alike by name alone, and unlike in all else.
    assert list(alike([(first, second)], {first: body, second: other})) == []
