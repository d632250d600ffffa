from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import InputError
from portal.model.filter import AllOf, AnyOf, HasPrefix, Match, Not, parse_filter_params, parse_predicate
from portal.model.leaves import leaves

BILLING = leaves(
    {
        "kind": "Component",
        "metadata": {"name": "Billing", "tags": ["java", "pci"], "labels": {"example.com/tier": "gold"}},
        "spec": {"type": "service", "rows": 1200, "pii": True, "nothing": None, "empty": ""},
        "relations": [{"type": "ownedBy", "targetRef": "group:default/red"}],
    }
)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["kind=component"], True),
        (["KIND=Component"], True),
        ([" kind = component , spec.type = service "], True),
        (["kind=component,spec.type=library"], False),
        (["kind=api", "kind=component"], True),
        (["kind=api,kind=component"], True),
        (["metadata.tags=java,metadata.tags=go"], True),
        (["metadata.tags.pci"], True),
        (["metadata.tags.pci=true"], True),
        (["metadata.labels.example.com/tier=gold"], True),
        (["spec.rows=1200,spec.pii=true"], True),
        (["spec"], False),
        (["spec.nothing"], True),
        (["spec.nothing="], False),
        (["spec.nothing=null"], False),
        (["spec.empty="], True),
        (["spec.type="], False),
        (["relations.ownedBy=group:default/red"], True),
        (["kind,kind=api"], False),
        (["metadata.name=a=b"], False),
    ],
)
def test_filter_parameters_mean_what_they_mean_upstream(texts: list[str], expected: bool) -> None:
    found = parse_filter_params(texts)

    assert found is not None
    assert found.matches(BILLING) == expected


@pytest.mark.parametrize("texts", [[], [","], [" , ", ""]])
def test_filter_parameters_without_a_condition_ask_for_nothing(texts: list[str]) -> None:
    assert parse_filter_params(texts) is None


@pytest.mark.parametrize("text", ["=x", " = ", "kind=a,=b", "$not=a"])
def test_a_condition_without_a_key_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_filter_params([text])


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        ({}, True),
        ({"kind": "COMPONENT", "spec.rows": 1200, "spec.pii": True}, True),
        ({"$all": []}, True),
        ({"$any": []}, False),
        ({"$any": [{"kind": "api"}, {"kind": "component"}]}, True),
        ({"$not": {"kind": "api"}}, True),
        ({"spec.type": {"$exists": True}}, True),
        ({"spec.type": {"$exists": False}}, False),
        ({"spec.type": {"$in": ["library", "Service"]}}, True),
        ({"spec.type": {"$in": []}}, False),
        ({"metadata.name": {"$hasPrefix": "BILL"}}, True),
        ({"spec.nothing": {"$hasPrefix": ""}}, False),
        ({"metadata.tags": {"$contains": "java"}}, True),
        ({"relations": {"$contains": {"type": "ownedBy"}}}, True),
        ({"relations": {"$contains": {"type": "ownedby", "targetRef": "group:default/RED"}}}, True),
        ({"relations": {"$contains": {"type": "ownedBy", "targetRef": {"$in": ["a", "b"]}}}}, False),
    ],
)
def test_predicates_mean_what_they_mean_upstream(predicate: Any, expected: bool) -> None:
    assert parse_predicate(predicate).matches(BILLING) == expected


@pytest.mark.parametrize(
    "predicate",
    [
        None,
        "x",
        [],
        {"kind": None},
        {"kind": ["a"]},
        {"kind": {}},
        {"kind": {"$regex": "x"}},
        {"kind": {"$in": "x"}},
        {"kind": {"$in": [{}]}},
        {"kind": {"$exists": "yes"}},
        {"kind": {"$hasPrefix": 1}},
        {"kind": {"$exists": True, "$in": ["a"]}},
        {"kind": {"$contains": {"a": "b"}}},
        {"relations": {"$contains": {}}},
        {"relations": {"$contains": {"type": "a", "other": "b"}}},
        {"relations": {"$contains": {"type": "a", "Type": "b"}}},
        {"relations": {"$contains": {"type": "a", "targetRef": {"$in": []}}}},
        {"relations": {"$contains": {"type": "a", "targetRef": 1}}},
        {"$all": {}},
        {"$none": []},
        {"kind": "component", "$not": {"spec.type": "service"}},
        {"$not": {"$not": {"$not": "x"}}},
    ],
)
def test_any_other_predicate_is_refused(predicate: Any) -> None:
    with pytest.raises(InputError):
        parse_predicate(predicate)


def test_a_predicate_of_any_depth_is_refused_with_a_reason() -> None:
    deep: Any = {"kind": "a"}
    for _ in range(500):
        deep = {"$not": deep}

    with pytest.raises(InputError, match="deeper than 20"):
        parse_predicate(deep)


@pytest.mark.parametrize("predicate", [{"$any": [{"kind": "a"}] * 1000}, {"kind": {"$in": list(range(20_000))}}])
def test_a_predicate_larger_than_databases_take_is_refused(predicate: Any) -> None:
    with pytest.raises(InputError, match="at most"):
        parse_predicate(predicate)


KEYS = st.sampled_from(["kind", "spec.type", "metadata.tags", "spec.nothing"])
FILTERS = st.recursive(
    st.builds(Match.of, KEYS, st.none() | st.lists(st.text(max_size=3), max_size=3))
    | st.builds(HasPrefix, KEYS, st.text(max_size=3).map(str.lower)),
    lambda inner: (
        st.builds(lambda parts: AllOf(tuple(parts)), st.lists(inner, max_size=3))
        | st.builds(lambda parts: AnyOf(tuple(parts)), st.lists(inner, max_size=3))
        | st.builds(Not, inner)
    ),
    max_leaves=8,
)


@given(wanted=FILTERS)
def test_a_filter_survives_being_written_as_a_predicate(wanted: Any) -> None:
    assert parse_predicate(wanted.to_predicate()) == wanted


PREDICATE_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$all", "$any", "$not", "$in", "$exists", "$contains", "$hasPrefix", "kind", "relations"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=20,
)


@given(value=PREDICATE_LIKE)
def test_reading_a_predicate_never_fails_otherwise(value: Any) -> None:
    with suppress(InputError):
        assert isinstance(parse_predicate(value).matches(BILLING), bool)


@given(texts=st.lists(st.text(max_size=20)))
def test_reading_filter_parameters_never_fails_otherwise(texts: list[str]) -> None:
    with suppress(InputError):
        found = parse_filter_params(texts)
        assert found is None or isinstance(found.matches(BILLING), bool)
