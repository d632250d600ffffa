from collections.abc import Callable, Iterator
from itertools import count

import pytest

from portal.graph.declared_rules import PATIENCE_SECONDS, declared_rules
from portal.graph.policies import Asset, DocumentRule, Facts, evaluate
from portal.model.layer import Layer
from portal.model.policy import Policy
from portal.model.ref import EntityRef

LOW = Layer(EntityRef("layer:default/low"), "Low", 1, ())
ASSETS = [Asset(EntityRef(f"dataset:default/d{number}"), None, LOW.ref) for number in range(10)]
POLICY = Policy(
    EntityRef("policy:default/p"),
    "acme/never",
    severity="enforce",
    expression="1 == 2",
    kinds=frozenset({"dataset"}),
    explanation="Nothing keeps it.",
    fix="None.",
)


def facts(*policies: Policy) -> Facts:
    return Facts(
        ASSETS,
        {LOW.ref: LOW},
        severities={("acme/never", None): "enforce"},
        policies={policy.ref: policy for policy in policies},
        documents={asset.ref: {} for asset in ASSETS},
    )


def stepping(seconds: float) -> Callable[[], float]:
    ticks: Iterator[int] = count()
    return lambda: next(ticks) * seconds


def test_a_condition_that_takes_too_long_in_all_is_stopped_and_its_policy_says_so() -> None:
    made = facts(POLICY)
    ((rule, policy),) = declared_rules(made, clock=stepping(PATIENCE_SECONDS / 4))
    assert isinstance(rule, DocumentRule)

    found = evaluate(made, rules=[rule], assets=ASSETS[:3]) + evaluate(made, rules=[rule], assets=ASSETS[3:])

    stopped = [finding for finding in found if finding.ref == policy.ref]
    assert len(stopped) == 1
    assert "stopped after 30 seconds" in stopped[0].message
    assert 0 < len(found) - 1 < len(ASSETS)


def test_time_that_one_portion_leaves_is_the_next_ones() -> None:
    made = facts(POLICY)
    ((rule, _),) = declared_rules(made, clock=stepping(PATIENCE_SECONDS / 100))

    found = [finding for asset in ASSETS for finding in evaluate(made, rules=[rule], assets=[asset])]

    assert [finding.ref for finding in found] == [asset.ref for asset in ASSETS]


@pytest.mark.parametrize("expression", ["1 ==", "layer"])
def test_a_stored_policy_that_does_not_compile_declares_nothing(expression: str) -> None:
    broken = Policy(POLICY.ref, POLICY.rule, expression=expression, explanation="x", fix="x")

    assert declared_rules(facts(broken)) == []
