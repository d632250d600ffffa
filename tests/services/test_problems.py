from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from catalogs import component, documents, entity, group
from hypothesis import given
from hypothesis import strategies as st
from portals import Catalog
from repositories import MakeRepository, Repository
from waiting import eventually

from portal.defaults.kinds import all_kinds
from portal.errors import InputError, NotFoundError
from portal.graph.faults import FACETS, SEVERITIES, Fault, Selection, combined, counted, facets, mark_of
from portal.model.layer import Finding
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.services.accountability import AccountabilityService
from portal.services.duty import Duty
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.past import PastOrganisations
from portal.services.problems import Asked, Faults, ProblemsService
from portal.services.refresher import Refresher
from portal.services.schedule import Schedule
from portal.services.survey import SurveyService

PORTAL = "portal/v1alpha1"
FRAME = documents(
    group("team-a"),
    group("team-b", more="parent: team-a, roles: [builder]"),
    entity("Role", "builder", "layers: [low]", version=PORTAL),
    entity("Layer", "low", "rank: 1, owner: team-b, ownerRoles: [builder]", version=PORTAL),
    entity(
        "Layer", "high", "rank: 2, owner: team-b, ownerRoles: [builder], enforcement: {portal/owner-role: enforce}",
        version=PORTAL,
    ),
)  # fmt: skip
FILES: Mapping[str, str | bytes | None] = {
    "frame.yaml": FRAME,
    "a.yaml": component("a", more="layer: low"),
    "b.yaml": component("b", more="layer: high"),
    "c.yaml": component("c", owner="gone", more="layer: low"),
    "d.yaml": component("d", owner="team-b", more="layer: low, system: missing"),
    "e.yaml": component("e", owner="''"),
}


def surveying(catalog: Catalog) -> SurveyService:
    """Return what takes surveys, as another process would: nothing that it works out is known to others."""
    kinds = KindsService(catalog.database, all_kinds())
    return SurveyService(catalog.database, OwnershipService(catalog.database, kinds), lists=lambda _: {})


@pytest.fixture
def survey(catalog: Catalog) -> Callable[[], bool]:
    return surveying(catalog).take


def service(catalog: Catalog) -> ProblemsService:
    kinds = KindsService(catalog.database, all_kinds())
    ownership = OwnershipService(catalog.database, kinds)
    past = PastOrganisations(kinds, ownership.facts_reader)
    accountability = AccountabilityService(catalog.database, ownership, past)
    return ProblemsService(catalog.database, ownership, accountability, kinds)


@pytest.fixture
def made(repo: MakeRepository) -> Repository:
    return repo(FILES)


@pytest.fixture
def problems(catalog: Catalog, made: Repository) -> ProblemsService:
    catalog.ingest(f"{made.url}#main:*.yaml")
    return service(catalog)


def told(found: Faults) -> list[tuple[str, str]]:
    """Return (rule, name of the entity) of all that is told."""
    pairs = [(problem.code, EntityRef(problem.ref or "").name) for problem in found.problems]
    return [*pairs, *((finding.rule, finding.ref.name) for finding in found.findings)]


def test_problems_and_findings_are_counted_by_rule_layer_owner_and_severity(problems: ProblemsService) -> None:
    found = problems.ask(Asked())

    assert found.total == len(found.problems) + len(found.findings)
    assert {name: sum(counts.values()) for name, counts in found.counts.items()} == dict.fromkeys(FACETS, found.total)
    assert found.counts["rule"]["portal/owner-role"] == 2
    assert found.counts["rule"]["field-invalid"] == 1
    assert found.counts["layer"]["layer:default/high"] == 1
    assert found.counts["owner"]["group:default/gone"] == 1
    # What is not in the catalog has neither owner nor layer.
    assert found.counts["owner"][""] >= 1
    assert found.counts["severity"]["enforce"] == 1
    assert found.is_grave


def test_what_is_asked_for_is_told(problems: ProblemsService) -> None:
    for asked, expected in [
        (Asked(rule=["portal/owner-role"]), [("portal/owner-role", "a"), ("portal/owner-role", "b")]),
        (Asked(layer=["high"]), [("portal/owner-role", "b")]),
        (Asked(layer=["layer:default/HIGH", "low"], rule=["portal/owner-exists"]), [("portal/owner-exists", "c")]),
        (Asked(owner=["gone"]), [("portal/owner-exists", "c")]),
        (Asked(owner=["none"], rule=["field-invalid"]), [("field-invalid", "e")]),
        (Asked(layer=["none"], kind=["Component"]), [("field-invalid", "e")]),
        (Asked(severity=["enforce"]), [("portal/owner-role", "b")]),
        (Asked(kind=["Group"]), []),
        (Asked(ref=["component:C"]), [("portal/owner-exists", "c")]),
        (Asked(ref=["component:a"], severity=["enforce"]), []),
    ]:
        found = problems.ask(asked)

        assert told(found) == expected, asked
        assert found.total == len(expected)


def test_what_means_nothing_is_refused(problems: ProblemsService) -> None:
    for asked, message in [
        (Asked(rule=["portal/none"]), 'no rule "portal/none"; known are .*field-invalid.*portal/owner-role'),
        (Asked(layer=["nowhere"]), 'no layer "layer:default/nowhere"; known are none, layer:default/high'),
        (Asked(severity=["bad"]), 'no severity "bad"; known are error, enforce, warning, warn'),
        (Asked(kind=["Odd"]), 'no kind "odd"; known are .*component'),
        (Asked(ref=["c"]), "kind"),
        (Asked(owner=["/"]), "reference"),
        (Asked(since=2), "no revision 2 yet; the newest is 1"),
    ]:
        with pytest.raises(InputError, match=message):
            problems.ask(asked)


def test_who_is_neither_there_nor_named_has_no_problems_to_tell(problems: ProblemsService) -> None:
    for asked in (Asked(ref=["component:nobody-knows"]), Asked(owner=["nobody-knows"])):
        with pytest.raises(NotFoundError, match=":default/nobody-knows not found"):
            problems.ask(asked)


def test_pages_are_parts_of_the_whole_and_counts_are_of_all(problems: ProblemsService) -> None:
    whole = problems.ask(Asked())

    pages = [problems.ask(Asked(), limit=2, offset=offset) for offset in range(0, whole.total + 1, 2)]

    assert [item for page in pages for item in told(page)] == told(whole)
    assert all((page.total, page.counts) == (whole.total, whole.counts) for page in pages)
    assert told(problems.ask(Asked(), limit=0)) == []


_NAMES = st.sampled_from(["", "x", "y", "z"])
_FAULTS = st.lists(
    st.builds(
        lambda rule, severity, name, layer, owner: Fault(
            Problem("field-invalid"), rule, severity, f"component:default/{name}" if name else "", layer, owner
        ),
        _NAMES,
        st.sampled_from(SEVERITIES),
        _NAMES,
        _NAMES,
        _NAMES,
    )
)
_SOME = st.frozensets(_NAMES, max_size=2)


@given(faults=_FAULTS, rules=_SOME, layers=_SOME, owners=_SOME, severities=st.frozensets(st.sampled_from(SEVERITIES)))
def test_a_selection_is_a_naive_filter_and_counts_are_a_naive_count(
    faults: list[Fault],
    rules: frozenset[str],
    layers: frozenset[str],
    owners: frozenset[str],
    severities: frozenset[str],
) -> None:
    wanted = {"rule": rules, "layer": layers, "owner": owners, "severity": severities}
    naive = [
        fault
        for fault in faults
        if all(not values or getattr(fault, name) in values for name, values in wanted.items())
    ]

    chosen = Selection(rules, layers, owners, severities)

    assert list(chosen.among(faults)) == naive
    assert counted(naive) == {name: dict(Counter(getattr(fault, name) for fault in naive)) for name in FACETS}
    for name in FACETS:
        # A facet counts what the others leave.
        others = [
            fault for fault in faults if all(not v or getattr(fault, n) in v for n, v in wanted.items() if n != name)
        ]
        assert facets(combined(faults), chosen)[name] == dict(Counter(getattr(fault, name) for fault in others))


def test_a_finding_is_the_same_whatever_it_weighs_and_whoever_could_mend_it() -> None:
    one = Finding("r", "warn", EntityRef("component:default/a"), None, "It has no owner.", "Ask x.")

    assert mark_of(replace(one, severity="enforce", fix="Ask y.")) == mark_of(one)
    assert mark_of(replace(one, message="It has one.")) != mark_of(one)
    assert mark_of(replace(one, rule="r2")) != mark_of(one)


def test_what_came_up_since_a_revision_is_told(
    catalog: Catalog, made: Repository, problems: ProblemsService, survey: Callable[[], bool]
) -> None:
    assert survey()
    assert not survey()
    # One finding is mended, one comes; one problem is mended, one comes, one moves.
    made.commit(
        {
            "a.yaml": component("a", owner="team-b", more="layer: low"),
            "e.yaml": component("e", owner="team-b", more="layer: low"),
            "f.yaml": component("f", more="layer: low"),
            "g.yaml": component("g", owner="''"),
        }
    )
    catalog.service.refresh()
    survey()
    made.commit({"g.yaml": "# moved\n" + component("g", owner="''"), "h.yaml": component("h", more="layer: low")})
    catalog.service.refresh()
    survey()

    assert told(problems.ask(Asked(since=1))) == [
        ("field-invalid", "g"),
        ("portal/owner-role", "f"),
        ("portal/owner-role", "h"),
    ]
    assert problems.ask(Asked(since=1)).is_exact
    assert told(problems.ask(Asked(since=2))) == [("portal/owner-role", "h")]
    assert told(problems.ask(Asked(since=2, severity=["error"]))) == []
    assert problems.ask(Asked(since=3)).total == 0
    whole = problems.ask(Asked())
    assert told(problems.ask(Asked(since=0))) == told(whole)
    # The g that has moved stands where it stands now.
    assert {
        problem.span.line for problem in whole.problems if problem.ref == "component:default/g" and problem.span
    } == {5}


def test_a_finding_that_no_look_has_met_is_told_as_perhaps_older(
    catalog: Catalog, made: Repository, problems: ProblemsService, survey: Callable[[], bool]
) -> None:
    survey()
    for name in ("f", "g"):
        made.commit({f"{name}.yaml": component(name, more="layer: low")})
        catalog.service.refresh()

    # Without a look after revisions 2 and 3, that of f might be as new as that of g.
    unmarked = problems.ask(Asked(since=2, rule=["portal/owner-role"]))
    assert (told(unmarked), unmarked.is_exact) == ([("portal/owner-role", "f"), ("portal/owner-role", "g")], False)
    survey()
    marked = problems.ask(Asked(since=2, rule=["portal/owner-role"]))
    assert (told(marked), marked.is_exact) == (told(unmarked), False)
    sure = problems.ask(Asked(since=1, rule=["portal/owner-role"]))
    assert (told(sure), sure.is_exact) == (told(unmarked), True)


def test_what_goes_and_comes_back_is_new_again(
    catalog: Catalog, made: Repository, problems: ProblemsService, survey: Callable[[], bool]
) -> None:
    survey()
    for owner in ("team-b", "team-a"):
        made.commit({"a.yaml": component("a", owner=owner, more="layer: low")})
        catalog.service.refresh()
        survey()

    assert told(problems.ask(Asked(since=2))) == [("portal/owner-role", "a")]


def test_a_refresher_looks_after_each_refresh(
    catalog: Catalog, made: Repository, problems: ProblemsService, survey: Callable[[], bool]
) -> None:
    looked: list[bool] = []
    duty, schedule = Duty(catalog.database), Schedule(catalog.database, seconds=0.01)
    refresher = Refresher(catalog.service, schedule.regular, duty, after=lambda: looked.append(survey()))
    refresher.start()
    try:
        eventually(lambda: len(looked) >= 2, "two surveys")
    finally:
        refresher.stop()
        duty.stop()

    assert looked[:2] == [True, False]


def test_an_entity_a_layer_and_a_portfolio_are_counted(problems: ProblemsService) -> None:
    for ref, rules in [
        ("component:default/a", {"portal/owner-role": 1}),
        ("component:default/d", {}),
        ("layer:default/low", {"portal/owner-exists": 1, "portal/owner-role": 1}),
        ("group:default/team-a", {"portal/owner-role": 2}),
        ("group:default/team-b", {}),
    ]:
        found = problems.about(EntityRef(ref))

        assert {rule: count for rule, count in found.counts["rule"].items() if rule.startswith("portal/")} == rules


def test_what_is_not_there_has_no_problems(problems: ProblemsService) -> None:
    with pytest.raises(NotFoundError):
        problems.about(EntityRef("component:default/nobody"))


def test_measures_agree_with_the_list(problems: ProblemsService) -> None:
    found, whole = problems.measures(), problems.ask(Asked())

    assert sum(found.problems.values()) == sum(found.by_owner.values()) == whole.total
    assert found.problems["portal/owner-role", "layer:default/high", "enforce"] == 1
    assert found.by_owner["group:default/gone", "warn"] == 1
    assert found.entities["component", "layer:default/low"] == 3
    # Of a, c, d only c has an owner that is not there.
    assert found.coverage == {"layer:default/low": pytest.approx(2 / 3), "layer:default/high": 1}
    assert found is problems.measures()
