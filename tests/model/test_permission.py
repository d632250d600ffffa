"""Permissions, conditions, and the filters that conditions become."""

from __future__ import annotations

import pytest

from portal.errors import InputError
from portal.model.leaves import leaves
from portal.model.permission import (
    CATALOG_ENTITY,
    CATALOG_PERMISSIONS,
    Condition,
    Conditional,
    EveryOf,
    NoneOf,
    SomeOf,
    parse_criteria,
    parse_permission,
)
from portal.model.permission_rules import CATALOG_RULES, entity_filter

ENTITY = {
    "kind": "Component",
    "metadata": {
        "name": "Thing",
        "labels": {"Tier": "Gold"},
        "annotations": {"example.com/Team": "A b"},
        "tags": ["java"],
    },
    "spec": {"type": "Service", "owner": "team", "nested": {"deep": 1}, "listed": ["One"]},
    "relations": [
        {"type": "ownedBy", "targetRef": "group:default/team"},
        {"type": "dependsOn", "targetRef": "group:default/other"},
    ],
}
RULES = [
    ("IS_ENTITY_OWNER", {"claims": ["user:default/ann", "group:default/team"]}, True),
    ("IS_ENTITY_OWNER", {"claims": ["group:default/other"]}, False),
    ("IS_ENTITY_OWNER", {"claims": []}, False),
    ("IS_ENTITY_KIND", {"kinds": ["api", "COMPONENT"]}, True),
    ("IS_ENTITY_KIND", {"kinds": ["api"]}, False),
    ("IS_ENTITY_KIND", {"kinds": []}, False),
    ("HAS_LABEL", {"label": "tier"}, True),
    ("HAS_LABEL", {"label": "Tier", "value": "gold"}, True),
    ("HAS_LABEL", {"label": "Tier", "value": "silver"}, False),
    ("HAS_LABEL", {"label": "other"}, False),
    ("HAS_METADATA", {"key": "name", "value": "thing"}, True),
    ("HAS_METADATA", {"key": "tags.java"}, True),
    ("HAS_METADATA", {"key": "absent"}, False),
    ("HAS_SPEC", {"key": "nested.deep", "value": "1"}, True),
    ("HAS_SPEC", {"key": "listed", "value": "one"}, True),
    ("HAS_SPEC", {"key": "nested"}, False),
    ("HAS_SPEC", {"key": "type", "value": "website"}, False),
    ("HAS_ANNOTATION", {"annotation": "example.com/team"}, True),
    ("HAS_ANNOTATION", {"annotation": "example.com/Team", "value": "a B"}, True),
    ("HAS_ANNOTATION", {"annotation": "example.com", "value": "a B"}, False),
    ("HAS_SPEC", {"key": "type", "more": 1}, True),
]


def condition(rule, params):
    return Condition(rule, CATALOG_ENTITY, params)


@pytest.mark.parametrize(("rule", "params", "holds"), RULES)
def test_a_rule_is_a_filter(rule, params, holds):
    found = leaves(ENTITY)
    assert entity_filter(condition(rule, params)).matches(found) is holds
    assert entity_filter(NoneOf(condition(rule, params))).matches(found) is not holds


def test_rules_are_combined():
    yes, no = condition("IS_ENTITY_KIND", {"kinds": ["component"]}), condition("IS_ENTITY_KIND", {"kinds": ["api"]})
    found = leaves(ENTITY)
    assert entity_filter(EveryOf((yes, SomeOf((no, NoneOf(no)))))).matches(found)
    assert not entity_filter(EveryOf((yes, no))).matches(found)
    assert not entity_filter(SomeOf((no, no))).matches(found)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (condition("IS_OLD", {}), "'IS_OLD' does not exist"),
        (Condition("HAS_SPEC", "task", {"key": "a"}), "resource type 'task'"),
        (condition("HAS_SPEC", {}), '"key" is missing'),
        (condition("HAS_SPEC", {"key": "a", "value": None}), '"value" must be a text'),
        (condition("IS_ENTITY_KIND", {"kinds": "a"}), '"kinds" must be a list'),
        (condition("IS_ENTITY_OWNER", {"claims": [1]}), '"claims" must be a list'),
    ],
)
def test_conditions_that_do_not_fit_are_refused(found, told):
    with pytest.raises(InputError, match=told):
        entity_filter(found)


def test_criteria_come_back_from_json():
    criteria = EveryOf(
        (
            SomeOf((condition("HAS_SPEC", {"key": "a", "value": "b"}), condition("HAS_LABEL", {"label": "c"}))),
            NoneOf(condition("IS_ENTITY_OWNER", {"claims": ["d"]})),
        )
    )
    assert parse_criteria(criteria.to_json()) == criteria
    assert Conditional(criteria).to_json() == {
        "result": "CONDITIONAL",
        "pluginId": "catalog",
        "resourceType": "catalog-entity",
        "conditions": criteria.to_json(),
    }


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "conditions: found nothing"),
        ({"anyOf": []}, "conditions/anyOf"),
        ({"allOf": {}}, "conditions/allOf"),
        ({"not": {"allOf": [{"rule": "A", "resourceType": "b"}, {"rule": 1}]}}, "conditions/not/allOf/1/rule"),
        ({"rule": "A"}, "conditions/resourceType"),
        ({"rule": "A", "resourceType": "b", "params": []}, "conditions/params"),
    ],
)
def test_criteria_that_are_none_are_told_with_their_place(value, told):
    with pytest.raises(InputError, match=told):
        parse_criteria(value)


def test_criteria_have_a_deepest_level():
    nested = {"rule": "A", "resourceType": "b"}
    for _ in range(1_000):
        nested = {"not": nested}
    with pytest.raises(InputError, match="deeper"):
        parse_criteria(nested)


@pytest.mark.parametrize("permission", CATALOG_PERMISSIONS, ids=lambda permission: permission.name)
def test_permissions_come_back_from_json(permission):
    assert parse_permission(permission.to_json()) == permission


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"type": "odd"}, "permission/type"),
        ({"type": ["basic"]}, "permission/type"),
        ({"name": 1}, "permission/name"),
        ({"attributes": None}, "permission/attributes"),
        ({"attributes": {"action": "use"}}, "permission/attributes/action"),
        ({"resourceType": 5}, "permission/resourceType"),
    ],
)
def test_permissions_that_are_none_are_told_with_their_place(change, told):
    good = {"type": "resource", "name": "a.b", "attributes": {}, "resourceType": "c"}
    assert parse_permission(good).resource_type == "c"
    with pytest.raises(InputError, match=told):
        parse_permission(good | change)


def test_rules_are_told_with_the_schema_of_their_parameters():
    assert CATALOG_RULES["HAS_LABEL"].to_json() == {
        "name": "HAS_LABEL",
        "description": "Allow entities with the specified label",
        "resourceType": "catalog-entity",
        "paramsSchema": {
            "type": "object",
            "properties": {
                "label": {"type": "string", "description": "Name of the label to match on"},
                "value": {"type": "string", "description": "Value of the label to match on"},
            },
            "required": ["label"],
            "additionalProperties": False,
            "$schema": "http://json-schema.org/draft-07/schema#",
        },
    }
