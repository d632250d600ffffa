"""Questions about parts of templates, and about actions with their input."""

from __future__ import annotations

import pytest

from portal.model.permission import Condition
from portal.model.permission_names import SCAFFOLDER_ACTION, SCAFFOLDER_TEMPLATE
from portal.model.resource_rules import resource_test

OPS = "role:default/ops"


@pytest.mark.parametrize(
    ("marked", "shown"),
    [
        ({}, True),
        ({"backstage:permissions": {}}, True),
        ({"backstage:permissions": {"tags": []}}, True),
        ({"backstage:permissions": {"tags": ["beta"]}}, True),
        ({"backstage:permissions": {"tags": [OPS]}}, True),
        ({"backstage:permissions": {"tags": ["role:default/other"]}}, False),
        ({"backstage:permissions": {"tags": OPS}}, False),
        ({"backstage:permissions": {"tags": None}}, False),
        ({"backstage:permissions": {"tags": [OPS, 5]}}, False),
        ({"backstage:permissions": [OPS]}, False),
        ({"backstage:permissions": None}, False),
    ],
)
def test_a_part_whose_tags_cannot_be_understood_is_for_nobody(marked, shown):
    meant = Condition("IS_MEANT_FOR", SCAFFOLDER_TEMPLATE, {"claims": [OPS]})
    assert resource_test(meant, SCAFFOLDER_TEMPLATE)({"title": "page", **marked}) is shown


@pytest.mark.parametrize(
    ("rule", "value", "wanted", "holds"),
    [
        ("HAS_PROPERTY", True, None, True),
        ("HAS_PROPERTY", True, True, True),
        ("HAS_PROPERTY", True, 1, False),
        ("HAS_PROPERTY", 1, True, False),
        ("HAS_BOOLEAN_PROPERTY", True, None, True),
        ("HAS_BOOLEAN_PROPERTY", False, True, False),
        ("HAS_BOOLEAN_PROPERTY", 1, None, False),
        ("HAS_NUMBER_PROPERTY", 1, None, True),
        ("HAS_NUMBER_PROPERTY", 1.0, 1, True),
        ("HAS_NUMBER_PROPERTY", True, None, False),
        ("HAS_NUMBER_PROPERTY", "1", None, False),
        ("HAS_STRING_PROPERTY", "x", "x", True),
        ("HAS_STRING_PROPERTY", "x", "y", False),
        ("HAS_STRING_PROPERTY", 5, None, False),
    ],
)
def test_properties_of_inputs_are_of_a_type(rule, value, wanted, holds):
    params = {"key": "a.b"} | ({} if wanted is None else {"value": wanted})
    test = resource_test(Condition(rule, SCAFFOLDER_ACTION, params), SCAFFOLDER_ACTION)
    assert test({"action": "x", "input": {"a": {"b": value}}}) is holds
    assert test({"action": "x", "input": {"a": 5}}) is False
