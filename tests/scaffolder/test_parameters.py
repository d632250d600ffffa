"""Values against a template's form."""

from __future__ import annotations

import pytest

from portal.errors import InputError
from portal.scaffolder.parameters import owner_parameters, parameter_schema, values_errors


def test_a_fault_has_the_shape_that_clients_read():
    form = [{"properties": {"name": {"type": "string", "minLength": 3}}}]
    assert values_errors(form, {"name": "ab"}) == [
        {
            "path": ["name"],
            "property": "instance.name",
            "message": "does not meet minimum length of 3",
            "schema": {"type": "string", "minLength": 3},
            "instance": "ab",
            "name": "minLength",
            "argument": 3,
            "stack": "instance.name does not meet minimum length of 3",
        }
    ]


@pytest.mark.parametrize(
    ("page", "values", "is_valid"),
    [
        ({"properties": {"a": {"required": True}}}, {}, False),
        ({"properties": {"a": {"required": True}}}, {"a": ""}, True),
        ({"properties": {"a": {"type": "any"}}}, {"a": [1]}, True),
        ({"properties": {"a": {"type": "colour"}}}, {"a": 1}, True),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, True),
        ({"properties": {"a": {"minLength": 2}}}, {"a": "\U0001f600"}, False),
    ],
)
def test_leftovers_of_other_drafts_mean_what_they_mean_upstream(page, values, is_valid):
    assert (not values_errors([page], values)) is is_valid


@pytest.mark.parametrize("page", [{"properties": {"a": {"pattern": "("}}}, {"$ref": "file:///etc/passwd"}])
def test_a_form_that_is_no_schema_is_told_and_no_other_place_is_read(page):
    with pytest.raises(InputError, match="Page 1 of the template's form is no JSON Schema"):
        values_errors([page], {})


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ({"properties": {"owner": {"type": "string"}, "name": {}}}, ["owner"]),
        ({"properties": {"team": {"ui:field": "OwnerPicker"}, "owner": {}}}, ["team"]),
        ({"dependencies": {"a": {"oneOf": [{"properties": {"who": {"ui:field": "OwnerPicker"}}}]}}}, ["who"]),
        ({"properties": {"name": {}}}, []),
    ],
)
def test_the_parameter_of_the_owner_is_found(page, names):
    assert owner_parameters([page]) == names


def test_the_form_is_returned_untouched():
    page = {"title": "P1", "description": "d", "properties": {"a": {"ui:field": "OwnerPicker"}}}
    template = {"metadata": {"name": "t", "description": "x"}, "spec": {"parameters": [page, {"properties": {}}]}}
    assert parameter_schema(template) == {
        "title": "t",
        "description": "x",
        "steps": [
            {"title": "P1", "description": "d", "schema": page},
            {"title": "Please enter the following information", "schema": {"properties": {}}},
        ],
    }
    assert parameter_schema({"metadata": {"name": "t"}, "spec": {}}) == {"title": "t", "steps": []}
