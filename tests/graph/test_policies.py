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
        ({"layer": ref("layer:odd")}, "portal/layer-known", "does not exist"),
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
    assert all(rule.explanation.endswith(".") and rule.id.startswith("portal/") for rule in RULES)
