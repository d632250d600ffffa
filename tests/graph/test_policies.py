from dataclasses import replace

import pytest

from portal.graph.policies import RULES, Asset, Facts, evaluate
from portal.model.layer import Duty, Layer
from portal.model.ref import EntityRef


def ref(text: str) -> EntityRef:
    return EntityRef.parse(text)


LOW = Layer(ref("layer:low"), "Low", 1, (ref("role:builder"),))
HIGH = Layer(ref("layer:high"), "High", 2, (ref("role:maker"),), (Duty("checks", ref("role:builder")),))
BUILDERS, MAKERS, PARENT, NOBODY = (ref(f"group:{name}") for name in ("builders", "makers", "parent", "nobody"))
GOOD = Asset(ref("component:x"), MAKERS, HIGH.ref, stewards=((BUILDERS, "checks"),), needs=(ref("component:low"),))


LAYER_ROLES = [ref("role:maker")]


def facts(asset: Asset, **more: object) -> Facts:
    found = Facts(
        [asset],
        {LOW.ref: LOW, HIGH.ref: HIGH},
        frozenset({BUILDERS, MAKERS, PARENT, NOBODY}),
        {BUILDERS: [ref("role:builder")], MAKERS: [ref("role:maker")]},
        {},
        {ref("component:low"): LOW.ref, ref("component:high"): HIGH.ref, asset.ref: asset.layer},
    )
    return replace(found, **more)


def test_an_asset_that_keeps_the_rules_has_no_finding() -> None:
    assert evaluate(facts(GOOD)) == []


@pytest.mark.parametrize(
    ("change", "rule", "words"),
    [
        ({"owner": None}, "portal/owner-exists", "no owner"),
        ({"owner": ref("group:gone")}, "portal/owner-exists", "not in the catalog"),
        ({"owner": NOBODY}, "portal/owner-role", "no role that may own"),
        ({"layer": None}, "portal/layer-known", "no layer"),
        ({"layer": ref("layer:odd")}, "portal/layer-known", "not in the catalog"),
        (
            {"layer": LOW.ref, "owner": BUILDERS, "needs": (ref("component:high"),)},
            "portal/layer-direction",
            "depends on",
        ),
        ({"stewards": ()}, "portal/steward-duty", "Nobody with the role"),
        ({"stewards": ((MAKERS, "checks"),)}, "portal/steward-duty", "Nobody with the role"),
    ],
)
def test_a_broken_rule_is_found_with_the_way_to_mend_it(change: dict[str, object], rule: str, words: str) -> None:
    (finding,) = evaluate(facts(replace(GOOD, **change)))

    assert finding.rule == rule
    assert words in finding.message
    assert finding.fix


def test_a_role_is_held_through_a_parent_group() -> None:
    asset = replace(GOOD, owner=NOBODY)

    assert evaluate(facts(asset, parents={NOBODY: [PARENT], PARENT: [MAKERS], MAKERS: [NOBODY]})) == []


def test_who_could_own_is_named() -> None:
    (finding,) = evaluate(facts(replace(GOOD, owner=NOBODY)))

    assert finding.related == (MAKERS,)
    assert MAKERS in finding.fix


@pytest.mark.parametrize(("severity", "expected"), [("off", []), ("warn", ["warn"]), ("enforce", ["enforce"])])
def test_a_policy_says_how_much_a_rule_matters(severity: str, expected: list[str]) -> None:
    made = facts(replace(GOOD, owner=NOBODY), severities={("portal/owner-role", HIGH.ref): severity})

    assert [finding.severity for finding in evaluate(made)] == expected


def test_a_catalog_without_layers_has_no_findings() -> None:
    assert evaluate(facts(replace(GOOD, owner=None), layers={})) == []


def test_every_rule_explains_itself_in_a_sentence() -> None:
    assert all(
        rule.explanation.endswith(".") and rule.fix.endswith(".") and rule.id.startswith("portal/") for rule in RULES
    )


def test_what_is_not_layered_is_asked_for_a_living_owner_alone() -> None:
    beside = replace(GOOD, layered=False, layer=LOW.ref, stewards=(), needs=(ref("component:high"),))

    assert evaluate(facts(beside)) == []
    assert evaluate(facts(replace(beside, owner=None, layer=None))) == []
    assert [item.rule for item in evaluate(facts(replace(beside, owner=ref("group:gone"))))] == ["portal/owner-exists"]


@pytest.mark.parametrize(
    ("severities", "enforcement", "expected"),
    [
        ({}, {}, "warn"),
        ({}, {"portal/owner-role": "enforce"}, "enforce"),
        ({("portal/owner-role", None): "off"}, {"portal/owner-role": "enforce"}, "off"),
        ({("portal/owner-role", None): "off", ("portal/owner-role", HIGH.ref): "enforce"}, {}, "enforce"),
        ({("portal/owner-role", LOW.ref): "off"}, {}, "warn"),
    ],
)
def test_a_policy_for_the_layer_counts_before_one_for_all_before_the_layers_own_word(
    severities: dict[object, str], enforcement: dict[str, str], expected: str
) -> None:
    layers = {LOW.ref: LOW, HIGH.ref: replace(HIGH, enforcement=enforcement)}

    assert facts(GOOD, severities=severities, layers=layers).severity("portal/owner-role", HIGH.ref) == expected


def test_a_steward_who_is_not_in_the_catalog_answers_for_nothing() -> None:
    gone = ref("group:gone")
    made = facts(replace(GOOD, stewards=((gone, "checks"),)), roles={gone: [ref("role:builder")], MAKERS: LAYER_ROLES})

    assert [item.rule for item in evaluate(made)] == ["portal/steward-duty"]


def test_the_way_to_mend_a_missing_duty_can_be_pasted() -> None:
    (finding,) = evaluate(facts(replace(GOOD, stewards=())))

    assert f"{{ref: {BUILDERS}, duty: checks}}" in finding.fix
    assert finding.related == (BUILDERS,)


def test_of_many_who_could_own_a_few_are_named_and_all_are_told() -> None:
    able = [ref(f"group:able-{number}") for number in range(9)]
    (finding,) = evaluate(
        facts(replace(GOOD, owner=NOBODY, stewards=((BUILDERS, "checks"),)), roles=dict.fromkeys(able, LAYER_ROLES)
              | {BUILDERS: [ref("role:builder")]})
    )  # fmt: skip

    assert finding.related == tuple(able)
    assert "group:default/able-4, 4 more" in finding.fix


def test_each_need_that_points_upwards_is_a_finding_of_its_own() -> None:
    low = replace(GOOD, layer=LOW.ref, owner=BUILDERS, needs=(ref("component:high"), ref("component:low"), GOOD.ref))
    found = evaluate(facts(replace(low, ref=ref("component:y")), layer_by_ref={
        ref("component:high"): HIGH.ref, ref("component:low"): LOW.ref, GOOD.ref: HIGH.ref}))  # fmt: skip

    assert [item.related for item in found] == [(ref("component:high"),), (GOOD.ref,)]
    assert all(item.fix.endswith("low may depend on: low.") for item in found)
