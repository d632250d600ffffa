from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.model.leaves import LONGEST, NOTHING, Leaf, LeafMemory, indexed_leaves, leaves, scalar_text


def _leaves(spec: Any, **members: Any) -> set[tuple[str, str, str]]:
    found = leaves({"metadata": {"name": "a", "namespace": "n"}, "spec": spec, **members})
    return {tuple(leaf) for leaf in found if not leaf.key.startswith("metadata.")}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"Type": "Service"}, {("spec.type", "service", "Service")}),
        ({"a": {"b": 1, "c": {}}}, {("spec.a.b", "1", "1")}),
        ({"a": [1, True]}, {("spec.a", "1", "1"), ("spec.a", "true", "true")}),
        ({"a": ["X"]}, {("spec.a", "x", "X"), ("spec.a.x", "true", "true")}),
        ({"a": [{"b": "x"}, {"b": "y"}]}, {("spec.a.b", "x", "x"), ("spec.a.b", "y", "y")}),
        ({"a": ["Java", "JAVA"]}, {("spec.a", "java", "Java"), ("spec.a.java", "true", "true")}),
        ({"a": None}, {("spec.a", NOTHING, "")}),
        ({"a": ""}, {("spec.a", "", "")}),
        ({"a": "x" * (LONGEST + 1)}, {("spec.a", NOTHING, "")}),
        ({"a" * LONGEST: "x"}, set()),
        ({}, set()),
    ],
)
def test_a_spec_is_flattened(spec: Any, expected: set[tuple[str, str, str]]) -> None:
    assert _leaves(spec) == expected


def test_a_relation_is_a_leaf_of_its_type() -> None:
    found = _leaves({}, relations=[{"type": "ownedBy", "targetRef": "group:default/red"}])

    assert found == {("relations.ownedby", "group:default/red", "group:default/red")}


def test_status_and_etag_are_no_leaves_and_the_namespace_always_is() -> None:
    found = leaves({"kind": "A", "metadata": {"name": "a", "uid": "u", "etag": "e"}, "status": {"items": [1]}})

    assert sorted(found) == [
        Leaf("kind", "a", "A"),
        Leaf("metadata.name", "a", "a"),
        Leaf("metadata.namespace", "default", "default"),
        Leaf("metadata.uid", "u", "u"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (0.75, "0.75"),
        (1200, "1200"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (0.000001, "0.000001"),
        (1.5e-5, "0.000015"),
        (1e-7, "1e-7"),
        (True, "true"),
        (None, ""),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_a_scalar_is_written_as_javascript_writes_it(value: Any, text: str) -> None:
    assert scalar_text(value) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(spec=JSON)
def test_any_document_has_leaves_that_the_index_can_hold(spec: Any) -> None:
    document = {"kind": "A", "metadata": {"name": "a"}, "spec": spec}
    memory = LeafMemory()
    found = leaves(document)

    for _ in range(2):
        assert [memory.leaves[place] for place in indexed_leaves(document, memory=memory)] == found
    assert len({(leaf.key, leaf.value) for leaf in found}) == len(found)
    for leaf in found:
        assert leaf.key == leaf.key.lower()
        assert leaf.value == NOTHING or leaf.value == leaf.display.lower()
        assert max(len(leaf.key), len(leaf.value)) <= LONGEST
