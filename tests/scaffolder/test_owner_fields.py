"""Fields that ask for an owner are found wherever a form shows them, and nothing else is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.model.leaves import leaves
from portal.scaffolder.owner_fields import filter_of, owner_fields, with_owner_fields

PICKER = {"type": "string", "ui:field": "OwnerPicker"}
MARKED = {"changed": True}


@pytest.mark.parametrize(
    "page",
    [
        {"properties": {"owner": PICKER}},
        {"properties": {"team": {"type": "object", "properties": {"lead": PICKER}}}},
        {"properties": {"owners": {"type": "array", "items": PICKER}}},
        {"allOf": [{"if": {"properties": {"a": {"const": 1}}}, "then": {"properties": {"owner": PICKER}}}]},
        {"if": {}, "else": {"properties": {"owner": PICKER}}},
        {"dependencies": {"a": {"oneOf": [{"properties": {"a": {"enum": ["x"]}, "owner": PICKER}}]}, "b": ["a"]}},
        {"definitions": {"who": PICKER}, "properties": {"owner": {"$ref": "#/definitions/who"}}},
        {"properties": {"mine": {"ui:field": "MyGroupsPicker"}}},
        {"properties": {"owner": {"ui:field": "EntityPicker"}}},
        {"properties": {"owner": {"type": "array", "ui:field": "MultiEntityPicker"}}},
    ],
)
def test_a_picker_is_found_wherever_the_form_shows_it(page):
    assert len(list(owner_fields(page, ["owner"]))) == 1
    assert "'changed': True" in repr(with_owner_fields(page, ["owner"], lambda _field: MARKED))


@pytest.mark.parametrize(
    "page",
    [
        {"properties": {"steward": {"ui:field": "EntityPicker"}, "owner": {"type": "string"}}},
        {"if": {"properties": {"owner": PICKER}}, "not": {"properties": {"owner": PICKER}}},
        {"dependencies": {"owner": {"ui:field": "EntityPicker"}}},
        {"properties": {"owner": True}, "default": {"owner": PICKER}},
        [],
        "text",
        None,
        {"properties": ["owner"]},
    ],
)
def test_other_fields_are_left_alone(page):
    assert list(owner_fields(page, ["owner"])) == []
    assert with_owner_fields(page, ["owner"], lambda _field: MARKED) == page


SCHEMAS = st.recursive(
    st.none()
    | st.booleans()
    | st.text(max_size=3)
    | st.fixed_dictionaries({"ui:field": st.sampled_from(["OwnerPicker", "EntityPicker", 5, []])}),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["properties", "owner", "then", "if", "allOf", "items", "dependencies", "title"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(SCHEMAS)
def test_a_form_without_changes_comes_back_as_it_was(page):
    assert with_owner_fields(page, ["owner"], lambda field: field) == page


TEAM = {"kind": "Group", "metadata": {"name": "a", "namespace": "x"}, "spec": {"type": "team", "lead": True}}
ANN = {"kind": "User", "metadata": {"name": "ann"}, "spec": {}}


@pytest.mark.parametrize(
    ("field", "team", "ann"),
    [
        ({}, True, True),
        ({"ui:options": {"allowedKinds": ["Group"]}}, True, False),
        ({"ui:field": "MyGroupsPicker"}, True, False),
        ({"ui:options": {"catalogFilter": {"kind": "User"}}}, False, True),
        ({"ui:options": {"catalogFilter": [{"kind": "User"}, {"spec.type": ["team", "squad"]}]}}, True, True),
        ({"ui:options": {"catalogFilter": {"kind": "Group", "spec.type": {"exists": True}}}}, True, False),
        ({"ui:options": {"catalogFilter": {"spec.lead": True}}}, True, False),
        ({"ui:options": {"catalogFilter": {"kind": "Group", "metadata.namespace": "y"}}}, False, False),
    ],
)
def test_a_picker_shows_what_its_options_ask_for(field, team, ann):
    asked = filter_of(field)
    assert (asked.matches(leaves(TEAM)), asked.matches(leaves(ANN))) == (team, ann)
