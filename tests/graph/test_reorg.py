"""Plans of reorganisations: what they change, which faults they have, what they do to the organisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import pytest

from portal.graph.policies import Asset, Facts
from portal.graph.reorg import Changes, changes_of
from portal.graph.reorg_effects import Effects, documents_after, effects_of
from portal.model.amendment import Amendment
from portal.model.layer import Layer
from portal.model.ref import EntityRef
from portal.model.reorg_plan import PlanError, parse_plan, plan_schema


def document(ref: str, **spec: Any) -> dict[str, Any]:
    found = EntityRef.parse(ref)
    return {"kind": found.kind, "metadata": {"name": found.name, "namespace": found.namespace}, "spec": spec}


ORGANISATION = {
    EntityRef(ref): document(ref, **spec)
    for ref, spec in {
        "group:default/top": {"type": "team", "children": ["old", "other"]},
        "group:default/old": {"type": "team", "parent": "top", "children": [], "members": ["ann", "bob", "eve"]},
        "group:default/other": {"type": "team", "parent": "top", "children": [], "members": ["kim"]},
        "group:default/sub": {"type": "team", "parent": "group:old", "children": []},
        "user:default/ann": {"memberOf": ["old"]},
        "user:default/bob": {"memberOf": ["old", "other"]},
        "user:default/eve": {"memberOf": []},
        "user:default/kim": {"memberOf": ["other"]},
        "role:default/builder": {},
        "component:default/a": {
            "owner": "old",
            "stewards": [{"ref": "old", "duty": "x"}, {"ref": "other", "duty": "x"}],
        },
        "dataset:lake/b": {"owner": "group:default/old", "contributors": ["ann", "group:default/old"]},
        "project:default/p": {"owner": "Group:old", "needs": ["builder"]},
    }.items()
}
ABOVE = {
    EntityRef("group:default/old"): [EntityRef("group:default/top")],
    EntityRef("group:default/other"): [EntityRef("group:default/top")],
    EntityRef("group:default/sub"): [EntityRef("group:default/old")],
}


def worked_out(plan: Mapping[str, Any], documents: Mapping[EntityRef, Any] = ORGANISATION) -> Changes:
    whole = {"reorganisation": "test", "reason": "because", **plan}
    assert jsonschema_rs.validator_for(plan_schema()).is_valid(whole)
    return changes_of(parse_plan(whole), documents, above=ABOVE)


SPLIT = {
    "groups": {
        "create": [{"ref": "new", "parent": "top", "roles": ["builder"], "title": "New"}],
        "close": [{"ref": "old", "heir": "new"}],
    },
    "assets": [{"from": "old", "to": "other", "where": "kind=component", "as": ["owner", "stewards"]}],
    "users": [{"ref": "bob", "from": "old", "to": "other"}],
}


def test_a_plan_comes_to_changes_written_as_the_texts_they_stand_in_for() -> None:
    found = worked_out(SPLIT)

    assert found.places == {
        "component:default/a": [
            Amendment(("spec", "owner"), "old", "other"),
            # The other answers for the duty already.
            Amendment(("spec", "stewards", 0), "old"),
        ],
        "dataset:lake/b": [
            Amendment(("spec", "owner"), "group:default/old", "group:default/new"),
            Amendment(("spec", "contributors", 1), "group:default/old", "group:default/new"),
        ],
        "project:default/p": [Amendment(("spec", "owner"), "Group:old", "Group:new")],
        "group:default/sub": [Amendment(("spec", "parent"), "group:old", "group:new")],
        "group:default/top": [
            Amendment(("spec", "children", 0), "old"),
            Amendment(("spec", "children"), None, "new"),
        ],
        "group:default/other": [Amendment(("spec", "members"), None, "bob")],
        "user:default/ann": [Amendment(("spec", "memberOf", 0), "old", "new")],
        "user:default/bob": [Amendment(("spec", "memberOf", 0), "old")],
        "user:default/eve": [Amendment(("spec", "memberOf"), None, "new")],
    }
    assert found.dropped == ["group:default/old"]
    assert [(item.beside, item.document["metadata"]["name"]) for item in found.added] == [("group:default/old", "new")]
    assert found.added[0].document["spec"] == {"type": "team", "parent": "top", "children": [], "roles": ["builder"]}
    assert {(ref, to) for ref, _, to in found.taken} == {
        ("component:default/a", "group:default/other"),
        ("dataset:lake/b", "group:default/new"),
        ("project:default/p", "group:default/new"),
    }
    assert {(who.name, to.name) for who, _, to in found.inherited} == {("ann", "new"), ("eve", "new"), ("sub", "new")}


def test_nothing_names_a_closed_group_afterwards() -> None:
    after = documents_after(worked_out(SPLIT), ORGANISATION)

    assert EntityRef("group:default/old") not in after
    assert "old" not in str(after)


def test_a_group_that_is_kept_has_neither_members_nor_children() -> None:
    plan = {"groups": {"close": [{"ref": "old", "heir": "other", "keep": True}]}}
    after = documents_after(worked_out(plan), ORGANISATION)

    spec = after[EntityRef("group:default/old")]["spec"]
    assert (spec["members"], spec["children"], spec["parent"]) == ([], [], "top")
    assert after[EntityRef("group:default/other")]["spec"]["members"] == ["kim", "ann", "bob", "eve"]
    assert after[EntityRef("group:default/top")]["spec"]["children"] == ["old", "other"]


def test_a_group_comes_below_another() -> None:
    plan = {"groups": {"move": [{"ref": "sub", "parent": "other"}, {"ref": "old", "parent": "other"}]}}

    assert worked_out(plan).places == {
        "group:default/sub": [Amendment(("spec", "parent"), "group:old", "group:other")],
        "group:default/old": [Amendment(("spec", "parent"), "top", "other")],
        "group:default/top": [Amendment(("spec", "children", 0), "old")],
    }


@pytest.mark.parametrize(
    ("plan", "place", "message"),
    [
        ({"groups": {"close": [{"ref": "old"}]}}, "groups.close.0.ref", "nobody takes group:default/sub (spec.parent)"),
        ({"groups": {"close": [{"ref": "olt"}]}}, "groups.close.0.ref", "did you mean group:default/old?"),
        ({"groups": {"close": [{"ref": "old", "heir": "old"}]}}, "groups.close.0.heir", "ends by this plan"),
        ({"groups": {"close": [{"ref": "other", "heir": "top"}] * 2}}, "groups.close.1.ref", "closed twice"),
        ({"groups": {"create": [{"ref": "old", "beside": "top"}]}}, "groups.create.0.ref", "is there already"),
        ({"groups": {"create": [{"ref": "n", "beside": "top"}] * 2}}, "groups.create.1.ref", "created twice"),
        ({"groups": {"create": [{"ref": "n"}]}}, "groups.create.0", "expected beside"),
        ({"groups": {"create": [{"ref": "user:n", "beside": "top"}]}}, "groups.create.0.ref", "a group's reference"),
        ({"groups": {"create": [{"ref": "n", "beside": "top", "roles": ["x"]}]}}, "groups.create.0.roles.0", "not in"),
        ({"groups": {"move": [{"ref": "top", "parent": "sub"}]}}, "groups.move.0.parent", "above itself"),
        ({"groups": {"close": [{"ref": "old", "heir": "sub"}]}}, "groups.close.0.heir", "above itself"),
        (
            {"assets": [{"from": "old", "to": "other", "where": "kind=component,metadata.name=zzz"}]},
            "assets.0.where",
            "it means nothing",
        ),
        ({"assets": [{"from": "old", "to": "other", "where": "=x"}]}, "assets.0.where", "not a valid statement"),
        (
            {
                "assets": [
                    {"from": "old", "to": "other", "where": "kind=component"},
                    {"from": "old", "to": "top", "refs": ["component:a"]},
                ]
            },
            "assets.1",
            "it takes component:default/a (spec.owner), which assets.0 takes already",
        ),
        ({"assets": [{"from": "other", "to": "top", "refs": ["project:p"]}]}, "assets.0.refs.0", "does not name"),
        ({"assets": [{"from": "old", "to": "old", "refs": ["project:p"]}]}, "assets.0.to", "has them already"),
        ({"assets": [{"from": "old", "to": "other", "refs": ["p"]}]}, "assets.0.refs.0", "missing or empty kind"),
        ({"users": [{"ref": "kim", "from": "old", "to": "other"}]}, "users.0.ref", "is no member of"),
        ({"users": [{"ref": "ann", "from": "old", "to": "other"}] * 2}, "users.1.ref", "twice"),
        ({"users": [{"ref": "ann", "from": "old", "to": "user:kim"}]}, "users.0.to", "expected a group"),
    ],
)
def test_a_faulty_plan_is_told_where_it_is_wrong(plan: Mapping[str, Any], place: str, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        worked_out(plan)

    told = [fault.message for fault in caught.value.faults if ".".join(map(str, fault.path)) == place]
    assert any(message in text for text in told), caught.value.faults


@pytest.mark.parametrize(
    ("plan", "place"),
    [
        ([], ""),
        ({"reason": "x"}, "reorganisation"),
        ({"reorganisation": "Not A Name", "reason": "x"}, "reorganisation"),
        ({"reorganisation": "a", "reason": "x", "odd": 1}, "odd"),
        (
            {"reorganisation": "a", "reason": "x", "groups": {"close": [{"ref": "a", "keep": "yes"}]}},
            "groups.close.0.keep",
        ),
        ({"reorganisation": "a", "reason": "x", "assets": [{"from": "a", "to": "b"}]}, "assets.0"),
        ({"reorganisation": "a", "reason": "x", "assets": [{"from": "a", "to": "b", "refs": []}]}, "assets.0.refs"),
        (
            {"reorganisation": "a", "reason": "x", "assets": [{"from": "a", "to": "b", "where": "x", "as": ["boss"]}]},
            "assets.0.as.0",
        ),
    ],
)
def test_a_plan_of_another_form_is_refused_as_its_schema_does(plan: Any, place: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(plan)

    assert [".".join(map(str, fault.path)) for fault in caught.value.faults] == [place]
    assert not jsonschema_rs.validator_for(plan_schema()).is_valid(plan)


def test_what_names_a_closed_group_elsewhere_is_told() -> None:
    extra = {EntityRef("api:default/x"): document("api:default/x", owner="other", dependsOn=["group:default/old"])}

    with pytest.raises(PlanError) as caught:
        worked_out({"groups": {"close": [{"ref": "old", "heir": "other"}]}}, {**ORGANISATION, **extra})

    assert "api:default/x names group:default/old at spec.dependsOn.0" in str(caught.value)


def effects(plan: Mapping[str, Any], documents: Mapping[EntityRef, Any] = ORGANISATION) -> Effects:
    low, builder = EntityRef("layer:default/low"), EntityRef("role:default/builder")
    old = EntityRef("group:default/old")
    facts = Facts(
        [
            Asset(EntityRef("component:default/a"), old, low),
            Asset(EntityRef("dataset:lake/b"), old, low),
            Asset(EntityRef("project:default/p"), old, low),
        ],
        {low: Layer(low, "low", 1, (builder,))},
        frozenset(ref for ref in documents if ref.kind in {"group", "user"}),
        {EntityRef("user:default/ann"): [builder], old: [builder]},
        {EntityRef("user:default/ann"): [old]},
    )
    found = parse_plan({"reorganisation": "test", "reason": "because", **plan})
    teams = {ref for _, ref in found.refs() if ref.kind in {"group", "user"}}
    return effects_of(worked_out(plan, documents), documents, facts, teams)


def test_rules_are_told_that_break_and_that_are_mended() -> None:
    found = effects({"assets": [{"from": "old", "to": "other", "refs": ["component:a", "project:p"]}]})

    assert [(finding.rule, finding.ref) for finding in found.broken] == [
        ("portal/owner-role", "component:default/a"),
        ("portal/owner-role", "project:default/p"),
    ]
    assert found.mended == []
    assert {(item.ref, item.lack, item.about, item.is_new) for item in found.unbalanced} == {
        ("group:default/other", "owner-role", "layer:default/low", True),
        ("group:default/other", "needs", "project:default/p", True),
    }
    assert "component:default/a" not in {finding.ref for finding in effects(SPLIT | {"assets": []}).broken}


def test_a_team_without_members_is_told() -> None:
    users = [{"ref": name, "from": "old", "to": "other"} for name in ("ann", "bob", "eve")]
    found = effects({"groups": {"move": [{"ref": "sub", "parent": "other"}]}, "users": users})

    assert [item.message for item in found.unbalanced if item.lack == "members" and item.is_new] == [
        "group:default/old has no members."
    ]
