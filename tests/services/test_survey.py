from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from catalogs import component, documents, entity, group
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import event, select

from portal.defaults.kinds import all_kinds
from portal.graph.policies import Asset, Facts, Violation
from portal.model.layer import Finding
from portal.model.ref import EntityRef
from portal.services.accountability import AccountabilityService
from portal.services.facts import BUILT_IN_RULES
from portal.services.kinds import KindsService
from portal.services.layers import LayersService
from portal.services.ownership import OwnershipService
from portal.services.past import PastOrganisations
from portal.services.survey import SurveyService
from portal.store.database import Connection
from portal.store.tables import findings

PORTAL = "portal/v1alpha1"
LEAVE = "{entity: 'component:c', reason: old, approver: 'group:builders', expires: 2030-06-30}"
FRAME = documents(
    group("builders", more="roles: [builder]"),
    group("others", more="parent: builders"),
    entity("Role", "builder", version=PORTAL),
    entity("Layer", "low", "rank: 1, owner: builders, ownerRoles: [builder], approvers: [builder]", version=PORTAL),
    entity("Layer", "high", "rank: 2, owner: builders, ownerRoles: [builder]", version=PORTAL),
    entity("Policy", "leave", f"owner: builders, rule: portal/owner-exists, exemptions: [{LEAVE}]", version=PORTAL),
    entity("Project", "one", "owner: builders, layer: high, lifecycle: production, goal: g", version=PORTAL),
)
ASSETS = documents(
    component("a", owner="builders", more="layer: low, dependsOn: ['component:d']"),
    component("b", owner="nobody", more="layer: low, dependsOn: ['component:a', 'component:d']"),
    component("c", owner="gone", more="layer: low"),
    component("d", owner="others", more="layer: high, dependsOn: ['component:a']"),
    component("churn-job", owner="builders", more="layer: high, system: x"),
    component("churn-jobs", owner="builders", more="layer: high, system: y"),
    component("stray", owner="gone"),
)


class Side(SimpleNamespace):
    """The services of one process."""

    ownership: OwnershipService
    layers: LayersService
    accountability: AccountabilityService
    surveys: SurveyService


def side(catalog: Catalog, *, today: date = date(2030, 6, 1), rules: Sequence[object] = BUILT_IN_RULES) -> Side:
    kinds = KindsService(catalog.database, all_kinds())
    ownership = OwnershipService(catalog.database, kinds, rules=rules, today=lambda: today)  # type: ignore[arg-type]
    past = PastOrganisations(kinds, ownership.facts_reader)
    layers = LayersService(catalog.database, kinds, ownership, past)
    accountability = AccountabilityService(catalog.database, ownership, past)

    def lists(connection: Connection) -> dict[str, list[Any]]:
        return layers.lists(connection) | accountability.lists(connection)

    surveys = SurveyService(catalog.database, ownership, lists=lists)
    return Side(ownership=ownership, layers=layers, accountability=accountability, surveys=surveys)


@pytest.fixture
def ingested(catalog: Catalog, repo: MakeRepository) -> Catalog:
    catalog.ingest(repo({"catalog-info.yaml": documents(FRAME, ASSETS)}).url)
    return catalog


def test_what_is_kept_is_what_would_be_worked_out(ingested: Catalog) -> None:
    alone, looked = side(ingested), side(ingested)
    worked_out, layers = alone.ownership.findings(), alone.layers.layers().to_json()
    some = sorted({finding.ref for finding in worked_out})[:2]

    assert looked.surveys.due() > 0
    assert looked.surveys.take()
    assert looked.surveys.due() == 0
    assert not side(ingested).surveys.take()

    other = side(ingested)
    assert {finding.severity for finding in worked_out} == {"warn", "exempt"}
    assert other.ownership.findings() == worked_out
    assert other.ownership.findings(some) == [finding for finding in worked_out if finding.ref in some]
    assert other.layers.layers().to_json() == layers
    assert layers["duplicates"]["total"] == 1
    page = partial(side(ingested).layers.layers, layer="low", limit=1, offset=1)
    assert page().to_json() == alone.layers.layers(layer="low", limit=1, offset=1).to_json()


def test_after_a_look_no_rule_is_asked_and_no_entity_read(ingested: Catalog) -> None:
    side(ingested).surveys.take()
    asked: list[str] = []

    def note(connection, cursor, statement, parameters, context, executemany) -> None:
        asked.append(statement)

    other = side(ingested)
    event.listen(ingested.database.engine, "before_cursor_execute", note)
    found = other.ownership.findings(), other.layers.layers()
    event.remove(ingested.database.engine, "before_cursor_execute", note)

    assert found[0]
    assert not [statement for statement in asked if "FROM entities" in statement or "FROM relations" in statement]


def test_another_day_other_rules_or_a_new_revision_are_looked_at_again(ingested: Catalog, repo: MakeRepository) -> None:
    side(ingested).surveys.take()

    class NoStray:
        id = "acme/no-stray"
        explanation = "Nothing is called stray."
        fix = "Call it otherwise."

        def check(self, facts: Facts, assets: Sequence[Asset]) -> list[Violation]:
            return [Violation(asset, "It is called stray.", self.fix) for asset in assets if asset.ref.name == "stray"]

    later = side(ingested, today=date(2030, 7, 1))
    assert "exempt" not in {finding.severity for finding in later.ownership.findings()}
    assert later.surveys.take()
    assert side(ingested, today=date(2030, 7, 1)).surveys.due() == 0
    stricter = side(ingested, rules=(*BUILT_IN_RULES, NoStray()))
    assert "acme/no-stray" in {finding.rule for finding in stricter.ownership.findings()}
    assert stricter.surveys.take()

    ingested.ingest(repo({"catalog-info.yaml": component("e", owner="gone", more="layer: low")}, name="other").url)
    newer = side(ingested)
    assert "e" in {finding.ref.name for finding in newer.ownership.findings()}
    assert newer.layers.layers(layer="low").reports[0].kinds == {"component": 4}
    assert newer.surveys.take()


def test_a_look_writes_what_has_changed_alone(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(FRAME, ASSETS)})
    catalog.ingest(made.url)
    side(catalog).surveys.take()
    made.commit({"catalog-info.yaml": documents(FRAME, ASSETS.replace("owner: nobody", "owner: builders"))})
    catalog.service.refresh()
    written: list[str] = []

    def note(connection, cursor, statement, parameters, context, executemany) -> None:
        if statement.startswith(("INSERT INTO findings", "COPY findings", 'INSERT INTO "findings"')):
            written.append(statement)

    event.listen(catalog.database.engine, "before_cursor_execute", note)
    assert side(catalog).surveys.take()
    event.remove(catalog.database.engine, "before_cursor_execute", note)

    assert written == []
    with catalog.database.reading() as connection:
        rows = connection.execute(select(findings.c.after_revision, findings.c.revision)).all()
    assert {tuple(row) for row in rows} == {(0, 1)}


def test_a_rule_that_says_one_thing_twice_is_told_once(ingested: Catalog) -> None:
    class Twice:
        id = "acme/twice"
        explanation = "Says everything twice."
        fix = "Nothing."

        def check(self, facts: Facts, assets: Sequence[Asset]) -> list[Violation]:
            return [Violation(asset, "Twice.", self.fix) for asset in assets if asset.ref.name == "a"] * 2

    rules = (*BUILT_IN_RULES, Twice())
    told: list[Finding] = [item for item in side(ingested, rules=rules).ownership.findings() if item.rule == Twice.id]

    assert len(told) == 1
    side(ingested, rules=rules).surveys.take()
    assert [item for item in side(ingested, rules=rules).ownership.findings() if item.rule == Twice.id] == told


@pytest.mark.parametrize("page", [2, 500])
def test_a_large_portfolio_is_told_from_what_is_kept(
    page: int, catalog: Catalog, repo: MakeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = "'component:churn-job', 'component:churn-jobs', 'component:d'"
    more = component("broken", owner="builders", more=f"layer: low, dependsOn: [{needs}]")
    catalog.ingest(repo({"catalog-info.yaml": documents(FRAME, ASSETS, more)}).url)

    def told(asked: Side) -> list[tuple[dict[str, Any], object]]:
        refs = [EntityRef("group:default/builders"), EntityRef("group:default/others")]
        portfolios = [
            asked.accountability.portfolio(ref, limit=limit, offset=offset)
            for ref in refs
            for limit, offset in ((2, 0), (1, 1), (2, 2), (500, 0))
        ]
        return [(portfolio.to_json(), portfolio.first) for portfolio in portfolios]

    wanted = told(side(catalog))
    monkeypatch.setattr("portal.services.portfolio._FEW", -1)
    monkeypatch.setattr("portal.services.portfolio._PAGE", page)
    kept = side(catalog)
    kept.surveys.take()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a whole portfolio was read")

    monkeypatch.setattr("portal.services.accountability.read_portfolio", never)
    found = told(kept)

    assert found == wanted
    assert [finding["ref"].name for finding in found[3][0]["findings"]] == ["a", "broken", "broken", "broken"]
