"""Entities reach the steps of a task, those alone that whoever runs it may read."""

from __future__ import annotations

import pytest
from acting import Registering

from portal.actions.catalog_fetch import CatalogFetch
from portal.errors import ActionError, InputError

KNOWN = {"component:default/known": {"kind": "Component"}, "system:plant/line": {"kind": "System"}}


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ({"entityRef": "Component:default/Known"}, {"entity": {"kind": "Component"}}),
        ({"entityRef": "known", "defaultKind": "Component"}, {"entity": {"kind": "Component"}}),
        ({"entityRef": "line", "defaultKind": "System", "defaultNamespace": "plant"}, {"entity": {"kind": "System"}}),
        ({"entityRef": "component:unknown", "optional": True}, {"entity": None}),
        (
            {"entityRefs": ["system:plant/line", "component:unknown", "component:known"], "optional": True},
            {"entities": [{"kind": "System"}, None, {"kind": "Component"}]},
        ),
        ({"entityRefs": []}, {"entities": []}),
        ({"optional": True}, {}),
    ],
)
def test_entities_are_given_as_they_are_asked_for(run, given, output):
    assert run(CatalogFetch(), given, catalog=Registering(entities=KNOWN))[0] == output


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"entityRef": "component:default/unknown"}, ActionError, "Entity component:default/unknown not found"),
        ({"entityRefs": ["component:known", "component:no"]}, ActionError, "Entity component:no not found"),
        ({"entityRef": "known"}, InputError, "had missing or empty kind"),
        ({}, ActionError, "Missing entity reference or references"),
    ],
)
def test_what_is_not_there_is_told(run, given, error, message):
    with pytest.raises(error, match=message):
        run(CatalogFetch(), given, catalog=Registering(entities=KNOWN))


def test_the_catalog_is_asked_once_however_many_entities(run):
    catalog = Registering(entities=KNOWN)
    run(CatalogFetch(), {"entityRef": "component:known", "entityRefs": ["component:known"] * 50}, catalog=catalog)
    assert catalog.asked == 1
