from __future__ import annotations

import pytest
from catalogs import component, documents, entity, group
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import event

from portal.defaults.kinds import all_kinds
from portal.errors import InputError
from portal.model.moment import Moment
from portal.services.kinds import KindsService
from portal.services.layers import LayerReport, LayersAnswer, LayersService, Page
from portal.services.ownership import OwnershipService
from portal.services.past import PastOrganisations
from portal.services.survey import SurveyService
from portal.store.database import Database

PORTAL = "portal/v1alpha1"


def dataset(name: str, owner: str, more: str = "") -> str:
    spec = f"type: table, lifecycle: production, owner: {owner}{', ' if more else ''}{more}"
    return entity("Dataset", name, spec, version=PORTAL)


def project(name: str, system: str) -> str:
    spec = f"owner: data, lifecycle: production, goal: g, dependsOn: ['system:{system}']"
    return entity("Project", name, spec, version=PORTAL)


CATALOG = documents(
    group("builders", more="roles: [builder]"),
    group("data", more="roles: [scientist]"),
    entity("Role", "builder", version=PORTAL),
    entity("Role", "scientist", version=PORTAL),
    entity("Layer", "shared", "rank: 1, owner: builders, ownerRoles: [builder]", version=PORTAL),
    entity("Layer", "project", "rank: 2, owner: data, ownerRoles: [scientist]", version=PORTAL),
    dataset("raw", "builders"),
    dataset("clean", "builders", "derivedFrom: [raw]"),
    dataset("idle", "gone"),
    dataset("wrong", "data"),
    project("one", "first"),
    project("two", "second"),
    entity("System", "first", "owner: data, layer: project"),
    entity("System", "second", "owner: data, layer: project"),
    component("churn-service", owner="data", more="system: first, dependsOn: ['dataset:clean', 'component:loop']"),
    component("loop", owner="data", more="system: first, dependsOn: ['component:churn-service', 'dataset:missing']"),
    component("churn-services", owner="data", more="system: second, dependsOn: ['dataset:raw']"),
    component("stray", owner="data"),
)


def service(database: Database, **more: int) -> LayersService:
    kinds = KindsService(database, all_kinds())
    ownership = OwnershipService(database, kinds)
    return LayersService(database, kinds, ownership, PastOrganisations(kinds, ownership.facts_reader), **more)


def by_name(answer: LayersAnswer) -> dict[str, LayerReport]:
    return {report.layer.name if report.layer else "": report for report in answer.reports}


def test_each_layer_tells_what_is_in_it_who_owns_it_and_what_breaks_its_rules(
    catalog: Catalog, repo: MakeRepository
) -> None:
    catalog.ingest(repo({"catalog-info.yaml": CATALOG}).url)

    found = by_name(service(catalog.database).layers())

    assert list(found) == ["project", "shared", ""]
    shared = found["shared"]
    assert (shared.total, shared.owned, shared.percent) == (4, 3, 75.0)
    assert dict(shared.kinds) == {"dataset": 4}
    assert [(owner.ref.name, owner.count, owner.exists) for owner in shared.owners.items] == [
        ("builders", 2, True),
        ("data", 1, True),
        ("gone", 1, False),
    ]
    assert [(item.rule, item.severity, item.count) for item in shared.broken] == [
        ("portal/owner-exists", "warn", 1),
        ("portal/owner-role", "warn", 1),
    ]
    assert dict(found["project"].kinds) == {"component": 3, "project": 2, "system": 2}
    assert dict(found[""].kinds) == {"component": 1}


def test_reuse_counts_projects_through_others_and_names_what_nobody_needs(
    catalog: Catalog, repo: MakeRepository
) -> None:
    catalog.ingest(repo({"catalog-info.yaml": CATALOG}).url)

    answer = service(catalog.database).layers()
    found = by_name(answer)

    assert [
        (item.node.ref.name, item.use.projects, [ref.name for ref in item.use.named], item.use.dependents)
        for item in (found["shared"].reused or Page(0, [])).items
    ] == [("raw", 2, ["one", "two"], 2), ("clean", 1, ["one"], 1)]
    assert [node.ref.name for node in found["shared"].unused.items] == ["idle", "wrong"]
    # The highest layer stands on others; nobody is to build on it.
    assert found["project"].reused is None
    assert answer.to_json()["layers"][1]["reuse"]["used"] == 2


def test_near_duplicates_of_two_projects_say_why_and_which_to_share(catalog: Catalog, repo: MakeRepository) -> None:
    catalog.ingest(repo({"catalog-info.yaml": CATALOG}).url)

    answer = service(catalog.database).layers()

    (pair,) = answer.to_json()["duplicates"]["items"]
    assert [(item["ref"], item["homes"]) for item in pair["items"]] == [
        ("component:default/churn-service", ["project:default/one"]),
        ("component:default/churn-services", ["project:default/two"]),
    ]
    assert pair["reason"] == "same kind and type, names 96 % alike"
    assert pair["share"] == "component:default/churn-service"
    assert pair["advice"] == (
        "component:default/churn-service is needed by more (1 against 0): offer component:default/churn-service in "
        "the layer shared, and let those who use component:default/churn-services use it."
    )


def test_lists_come_in_pages_and_one_layer_alone(catalog: Catalog, repo: MakeRepository) -> None:
    catalog.ingest(repo({"catalog-info.yaml": CATALOG}).url)
    answers = service(catalog.database)

    (told,) = answers.layers(layer="shared", limit=1, offset=1).to_json()["layers"]

    assert (told["owners"]["total"], [item["ref"] for item in told["owners"]["items"]]) == (3, ["group:default/data"])
    assert (told["unused"]["total"], [item["ref"] for item in told["unused"]["items"]]) == (
        2,
        ["dataset:default/wrong"],
    )
    with pytest.raises(InputError, match="known are: project, shared"):
        answers.layers(layer="none")


def test_an_answer_follows_the_catalog_and_costs_the_same_however_much_there_is(
    catalog: Catalog, repo: MakeRepository
) -> None:
    assert service(catalog.database).layers().reports == []
    made = repo({"catalog-info.yaml": CATALOG, "more.yaml": dataset("m0", "data")})
    catalog.ingest(f"{made.url}#main:*.yaml")
    counts, totals = [], []
    answers = service(catalog.database)
    for many in (1, 40):
        made.commit({"more.yaml": documents(*(dataset(f"m{number}", "data") for number in range(many)))})
        catalog.service.refresh()
        seen: list[str] = []

        def note(connection, cursor, statement, parameters, context, executemany, seen=seen) -> None:
            seen.append(statement)

        event.listen(catalog.database.engine, "before_cursor_execute", note)
        totals.append(by_name(answers.layers())["shared"].total)
        event.remove(catalog.database.engine, "before_cursor_execute", note)
        counts.append(len(seen))

    assert totals == [5, 44]
    assert counts[0] == counts[1]


def test_layers_of_a_past_are_told_as_they_were_told_then(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": CATALOG})
    catalog.ingest(made.url)
    then = service(catalog.database).layers().to_json()
    made.commit({"catalog-info.yaml": documents(group("builders"), project("one", "first"))})
    catalog.service.refresh()
    answers = service(catalog.database)

    found = answers.layers(at=Moment(revision=1)).to_json()

    assert (found.pop("at")["revision"], found.pop("notKnown")[0]) == (1, "problems")
    assert found == then
    assert answers.layers().to_json() != then


def test_what_is_exempt_is_no_violation(catalog: Catalog, repo: MakeRepository) -> None:
    leave = "{entity: 'dataset:idle', reason: old, approver: 'group:data', expires: 2999-12-31}"
    policy = f"owner: data, rule: portal/owner-exists, exemptions: [{leave}]"
    layer = "rank: 1, owner: builders, ownerRoles: [builder], approvers: [scientist]"
    changed = CATALOG.replace("rank: 1, owner: builders, ownerRoles: [builder]", layer)
    catalog.ingest(
        repo({"catalog-info.yaml": documents(changed, entity("Policy", "leave", policy, version=PORTAL))}).url
    )

    shared = by_name(service(catalog.database).layers())["shared"]

    assert [item.rule for item in shared.broken] == ["portal/owner-role"]


def test_a_glance_at_a_large_catalog_tells_what_the_survey_before_saw(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": CATALOG})
    catalog.ingest(made.url)
    large, small = service(catalog.database, many=0), service(catalog.database)
    kinds = KindsService(catalog.database, all_kinds())
    SurveyService(catalog.database, OwnershipService(catalog.database, kinds), lists=large.lists).take()
    before = large.glance()
    assert before.answer == small.glance().answer
    assert (before.revision, before.newest) == (1, 1)

    made.commit({"catalog-info.yaml": documents(CATALOG, dataset("more", "builders"))})
    catalog.service.refresh()

    late, now = large.glance(), small.glance()
    assert (late.revision, late.newest, late.answer) == (1, 2, before.answer)
    assert (now.revision, by_name(now.answer)["shared"].kinds["dataset"]) == (2, 5)


def test_without_layers_a_glance_counts(catalog: Catalog, repo: MakeRepository) -> None:
    catalog.ingest(repo({"catalog-info.yaml": documents(group("a"), component("x", owner="a"))}).url)

    (report,) = service(catalog.database).glance().answer.reports

    assert (report.layer, report.kinds, report.owned, report.owners.total) == (None, {"component": 1}, 1, 1)
