import time
from collections.abc import Iterator
from datetime import date

import pytest
from catalogs import component, documents, entity, group
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import event

from portal.defaults.kinds import all_kinds
from portal.defaults.policies import rule_registry
from portal.graph.policies import Asset, Facts, Violation
from portal.model.layer import Finding
from portal.model.ref import EntityRef
from portal.services.facts import BUILT_IN_RULES
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.rules import RulesService

PORTAL = "portal/v1alpha1"
TODAY = date(2026, 3, 1)
FRAME = documents(
    entity("Layer", "low", "rank: 1, owner: team-a, ownerRoles: [builder], approvers: [guard]", version=PORTAL),
    entity("Layer", "high", "rank: 2, owner: team-a, ownerRoles: [maker], approvers: [maker]", version=PORTAL),
    group("team-a", more="roles: [builder]"),
    group("guards", more="roles: [guard]"),
    group("makers", more="roles: [maker]"),
    entity("User", "gil", "memberOf: [guards]"),
)


def policy(name: str, more: str, *, rule: str = "acme/has-format", severity: str = "warn") -> str:
    return entity("Policy", name, f"owner: team-a, rule: {rule}, severity: {severity}, {more}", version=PORTAL)


def condition(name: str = "format", more: str = "", **fields: str) -> str:
    text = 'expression: "has(entity.spec.format)", explanation: A dataset says its format., fix: Set spec.format.'
    return policy(name, f"kinds: [Dataset], {text}" + (f", {more}" if more else ""), **fields)


def dataset(name: str, more: str = "", *, layer: str = "low") -> str:
    spec = f"type: table, lifecycle: production, owner: team-a, layer: {layer}" + (f", {more}" if more else "")
    return entity("Dataset", name, spec, version=PORTAL)


def exemption(what: str, *, who: str = "guards", expires: str = "2026-06-30") -> str:
    return f"exemptions: [{{entity: '{what}', reason: It moves soon, approver: '{who}', expires: {expires}}}]"


class Days:
    """A calendar that is turned by hand."""

    def __init__(self) -> None:
        self.today = TODAY

    def __call__(self) -> date:
        return self.today


@pytest.fixture
def days() -> Days:
    return Days()


@pytest.fixture
def ownership(catalog: Catalog, days: Days) -> OwnershipService:
    return OwnershipService(catalog.database, KindsService(catalog.database, all_kinds()), today=days)


def ingest(catalog: Catalog, repo: MakeRepository, *texts: str, name: str = "r") -> list[str]:
    report = catalog.ingest(repo({"catalog-info.yaml": documents(FRAME, *texts)}, name=name).url)
    return [f"{problem.code} {problem.field}" for problem in report.problems]


def told(findings: list[Finding], rule: str = "acme/has-format") -> list[tuple[str, str]]:
    return [(finding.ref.name, finding.severity) for finding in findings if finding.rule == rule]


def test_a_condition_in_a_policy_is_a_rule_like_any_other(
    catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    assert (
        ingest(
            catalog, repo, condition(severity="enforce"), dataset("good", "format: csv"), dataset("bad"), component("x")
        )
        == []
    )

    (finding,) = [found for found in ownership.findings() if found.rule == "acme/has-format"]

    assert (finding.ref, finding.severity) == ("dataset:default/bad", "enforce")
    assert finding.message == "It breaks a rule: A dataset says its format."
    assert finding.fix == "Set spec.format."


def test_a_condition_holds_where_a_severity_is_told_alone(
    catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    ingest(
        catalog,
        repo,
        condition(more="layers: [low]"),
        dataset("low"),
        dataset("high", layer="high"),
        dataset("none", layer="gone"),
    )
    assert told(ownership.findings()) == [("low", "warn")]

    ingest(catalog, repo, policy("more", "layers: [high]", severity="enforce").replace("\n---", ""), name="more")
    assert told(ownership.findings()) == [("high", "enforce"), ("low", "warn")]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("entity.spec.format == 'csv'", 'could not be checked: Key not found in map : "format"'),
        ("entity.spec.owner", "could not be checked: it is of the type string"),
        ("layer == 'high'", "It breaks a rule"),
        ("owner.roles.exists(r, r == 'role:default/maker')", "It breaks a rule"),
        ("needs.all(n, n.layer != 'high')", "It breaks a rule"),
        ("stewards.exists(s, s.duty == 'x' && s.ref != '')", "It breaks a rule"),
    ],
)
def test_what_a_condition_sees(
    expression: str, words: str, catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    ingest(
        catalog,
        repo,
        condition().replace("has(entity.spec.format)", expression),
        dataset("a", "dependsOn: ['component:up'], stewards: [{ref: team-a, duty: y}]"),
        component("up", owner="makers", more="layer: high"),
    )

    (finding,) = [found for found in ownership.findings() if found.rule == "acme/has-format"]

    assert words in finding.message


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("has(entity.spec.format)", "has(entity.spec"), "field-invalid spec.expression"),
        (("has(entity.spec.format)", "nothing == 1"), "field-invalid spec.expression"),
        (("has(entity.spec.format)", "layer"), "field-invalid spec.expression"),
        (("has(entity.spec.format)", "a" * 2001), "field-invalid spec.expression"),
        (("acme/has-format", "portal/has-format"), "field-invalid spec.rule"),
        (("acme/has-format", "has-format"), "field-invalid spec.rule"),
        (("fix: Set spec.format.", "reason: x"), "field-missing spec.fix"),
        (("kinds: [Dataset]", "kinds: ['a b']"), "field-invalid spec.kinds.0"),
        (("guards", "component:x"), "field-invalid spec.exemptions.0.approver"),
        (("dataset:a", "a"), "field-invalid spec.exemptions.0.entity"),
        (("2026-06-30", "2026-02-30"), "field-invalid spec.exemptions.0.expires"),
        (("reason: It moves soon, ", ""), "field-missing spec.exemptions.0.reason"),
    ],
)
def test_a_policy_that_cannot_work_is_a_problem_at_its_line_beside_the_last_good_one(
    change: tuple[str, str], problem: str, catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    good = condition(more=exemption("dataset:a"))
    made = repo({"catalog-info.yaml": documents(FRAME, dataset("b"), good)})
    assert catalog.ingest(made.url).problems == []
    assert change[0] in good

    made.commit({"catalog-info.yaml": documents(FRAME, dataset("b"), good.replace(*change))})
    (found,) = catalog.service.refresh().problems

    assert f"{found.code} {found.field}" == problem
    assert found.span is not None
    assert found.span.line > len(FRAME.splitlines())
    assert found.expected
    assert told(ownership.findings()) == [("b", "warn")]


def test_an_exemption_excuses_until_its_day_has_ended(
    catalog: Catalog, repo: MakeRepository, ownership: OwnershipService, days: Days
) -> None:
    ingest(
        catalog,
        repo,
        condition(severity="enforce", more=exemption("dataset:a", who="user:gil")),
        dataset("a"),
        dataset("b"),
    )
    days.today = date(2026, 6, 30)
    excused, counted = [found for found in ownership.findings() if found.rule == "acme/has-format"]
    assert (excused.severity, counted.severity) == ("exempt", "enforce")
    assert excused.to_json()["exemption"] == {
        "reason": "It moves soon",
        "approver": "user:default/gil",
        "expires": "2026-06-30",
        "policy": "policy:default/format",
    }

    days.today = date(2026, 7, 1)
    again = ownership.findings([EntityRef("dataset:default/a")])

    assert told(again) == [("a", "enforce")]
    assert "Its exemption by user:default/gil ended on 2026-06-30." in again[0].message
    assert told(ownership.findings()) == [("a", "enforce"), ("b", "enforce")]


def test_exemptions_of_a_shipped_rule_leave_its_severity_alone(
    catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    only = policy("leave", exemption("component:x"), rule="portal/owner-role").replace("severity: warn, ", "")
    ingest(
        catalog,
        repo,
        only,
        component("x", owner="makers", more="layer: low"),
        component("y", owner="makers", more="layer: low"),
    )

    assert told(ownership.findings(), "portal/owner-role") == [("x", "exempt"), ("y", "warn")]


@pytest.mark.parametrize(
    ("text", "rule", "words"),
    [
        (
            condition(more=exemption("dataset:a", who="makers")),
            "portal/exemption-approver",
            "no role that may grant it (guard)",
        ),
        (condition(more=exemption("dataset:a", who="gone")), "portal/exemption-approver", "is not in the catalog"),
        (condition(more=exemption("dataset:gone")), "portal/exemption-entity", "dataset:default/gone"),
        (policy("p", exemption("dataset:a"), rule="acme/gone"), "portal/policy-rule", "There is no rule acme/gone"),
        (documents(condition(), condition("second")), "portal/policy-rule", "policy:default/format declares already"),
    ],
)
def test_what_does_not_count_is_told_on_its_policy(
    text: str, rule: str, words: str, catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    ingest(catalog, repo, text, dataset("a"))

    findings = ownership.findings()

    (finding,) = [found for found in findings if found.ref.kind == "policy"]
    assert (finding.rule, finding.severity) == (rule, "warn")
    assert words in finding.message
    assert "exempt" not in {severity for _, severity in told(findings)}
    if rule == "portal/exemption-approver":
        assert "Who could approve: group:default/guards." in finding.fix


def test_findings_on_one_entity_are_those_of_the_whole_catalog(
    catalog: Catalog, repo: MakeRepository, days: Days
) -> None:
    role = "!owner.roles.exists(r, r == 'role:default/odd')"
    ingest(
        catalog,
        repo,
        condition(more=exemption("dataset:a", who="user:gil")),
        condition("other", rule="acme/odd").replace("has(entity.spec.format)", role),
        policy("owner", exemption("dataset:c", who="makers"), rule="portal/owner-role"),
        policy("gone", exemption("dataset:gone"), rule="acme/nothing"),
        group("odd", more="roles: [odd, builder]"),
        dataset("a"),
        dataset("b").replace("team-a", "odd"),
        dataset("c").replace("team-a", "makers"),
    )
    kinds = KindsService(catalog.database, all_kinds())

    whole = OwnershipService(catalog.database, kinds, today=days).findings()
    refs = [EntityRef(ref) for ref in catalog.refs()]
    alone = [found for ref in refs for found in OwnershipService(catalog.database, kinds, today=days).findings([ref])]

    assert alone == whole
    assert {found.rule for found in whole} == {
        "acme/has-format",
        "acme/odd",
        "portal/owner-role",
        "portal/exemption-approver",
        "portal/exemption-entity",
        "portal/policy-rule",
    }
    assert told(whole) == [("a", "exempt"), ("b", "warn"), ("c", "warn")]


def test_documents_are_read_for_the_conditions_there_are_in_one_go(
    catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    def statements() -> int:
        seen: list[str] = []

        def note(connection, cursor, statement, parameters, context, executemany) -> None:
            seen.append(statement)

        event.listen(catalog.database.engine, "before_cursor_execute", note)
        ownership.findings()
        event.remove(catalog.database.engine, "before_cursor_execute", note)
        return len(seen)

    ingest(catalog, repo, dataset("a"))
    none = statements()
    counts = []
    for size in (3, 40):
        many = [dataset(f"d{size}-{number}") for number in range(size)]
        catalog.ingest(repo({"catalog-info.yaml": documents(condition(f"p{size}"), *many)}, name=f"s{size}").url)
        counts.append(statements())

    assert counts == [none + 1, none + 1]


class Loud:
    """A rule that raises on some assets."""

    id = "acme/loud"
    explanation = "It asks."
    fix = "Mend it."

    def check(self, facts: Facts, assets: list[Asset]) -> Iterator[Violation]:
        for asset in assets:
            if asset.ref.name == "odd":
                raise ValueError("not today")
            if asset.ref.kind == "dataset":
                yield Violation(asset, "It is there.", self.fix)


class Silent(Loud):
    """A rule that answers something else."""

    id = "acme/silent"

    def check(self, facts: Facts, assets: list[Asset]) -> Iterator[Violation]:
        yield "nonsense"  # type: ignore[misc]


def test_a_rule_that_raises_is_told_on_what_it_raises_on_and_stops_nothing(
    catalog: Catalog, repo: MakeRepository
) -> None:
    ingest(
        catalog, repo, dataset("a"), dataset("odd"), policy("loud", "reason: x", rule="acme/loud", severity="enforce")
    )
    kinds = KindsService(catalog.database, all_kinds())

    found = OwnershipService(catalog.database, kinds, rules=(*BUILT_IN_RULES, Loud(), Silent())).findings()

    assert told(found, "acme/loud") == [("a", "enforce"), ("odd", "warn")]
    assert [item.message for item in found if item.ref.name == "odd" and item.rule == "acme/loud"] == [
        "The rule could not be checked: ValueError: not today."
    ]
    assert ("a", "warn") in told(found, "acme/silent")


def test_hostile_conditions_end_soon(catalog: Catalog, repo: MakeRepository, ownership: OwnershipService) -> None:
    many = "[" + ",".join("1" for _ in range(99)) + "]"
    loops = f"{many}.all(a, {many}.all(b, {many}.all(c, {many}.all(d, true))))"
    ingest(
        catalog,
        repo,
        condition().replace("has(entity.spec.format)", loops),
        condition("regex", rule="acme/regex").replace("has(entity.spec.format)", "!entity.kind.matches('(a+)+$')"),
        dataset("a"),
    )

    began = time.monotonic()
    found = ownership.findings()

    assert time.monotonic() - began < 5
    assert [item.message for item in found if item.rule == "acme/has-format"] == [
        "The rule could not be checked: Iteration budget exceeded."
    ]


def test_every_rule_is_listed_with_where_it_comes_from(
    catalog: Catalog, repo: MakeRepository, ownership: OwnershipService
) -> None:
    ingest(catalog, repo, condition(more="layers: [low], " + exemption("dataset:a")), dataset("a"))

    book = RulesService(catalog.database, ownership, rule_registry()).book().to_json()

    by_id = {rule["id"]: rule for rule in book["rules"]}
    assert by_id["portal/owner-role"]["source"] == {"type": "distribution", "name": "portal"}
    declared = by_id["acme/has-format"]
    assert declared["source"] == {"type": "policy", "name": "policy:default/format"}
    assert declared["severities"] == [
        {"layer": "layer:default/low", "severity": "warn"},
        {"layer": "layer:default/high", "severity": "off"},
    ]
    assert [(item["entity"], item["standing"]) for item in declared["exemptions"]] == [("dataset:default/a", "valid")]
    assert book["unavailable"] == []
