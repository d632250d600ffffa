from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from catalogs import component, documents, entity, group
from portals import Catalog
from repositories import MakeRepository

from portal.defaults.kinds import all_kinds
from portal.errors import InputError
from portal.model.ref import EntityRef
from portal.services.accountability import AccountabilityService
from portal.services.balance import BalanceService
from portal.services.kinds import KindsService
from portal.services.members import kept_members, member_lists
from portal.services.ownership import OwnershipService
from portal.services.past import PastOrganisations
from portal.services.survey import SurveyService
from portal.store.database import Connection

PORTAL = "portal/v1alpha1"
GROUPS = ("company", "team", "cell", "watch", "lonely", "round", "trip")
#: Groups below groups, in a circle, and without people; people in several groups, in one that is not there, and none
#: who is there; roles of their own, of a group above, and both.
CATALOG = documents(
    group("company", more="roles: [builder]"),
    group("team", more="parent: company, roles: [scientist]"),
    group("cell", more="parent: team, members: [gone, ada]"),
    group("watch", more="parent: company, roles: [guard]"),
    group("lonely", more="parent: watch"),
    group("round", more="parent: trip"),
    group("trip", more="parent: round, roles: [guard]"),
    entity("User", "ada", "memberOf: [team, watch], roles: [scientist, builder]"),
    entity("User", "bob", "memberOf: [cell]"),
    entity("User", "eve", "memberOf: [watch, nowhere, round], profile: {displayName: Eve}"),
    entity("User", "zoe", "memberOf: [nowhere]"),
    *(entity("Role", name, "layers: [project]", version=PORTAL) for name in ("scientist", "builder", "guard")),
    entity(
        "Layer",
        "project",
        "rank: 1, owner: company, ownerRoles: [scientist, builder], stewards: [{duty: checks, role: guard}]",
        version=PORTAL,
    ),
    *(
        entity(
            "Project",
            f"of-{name}",
            f"owner: {name}, layer: project, lifecycle: production, goal: g, contributors: [team, 'user:eve', trip], "
            "stewards: [{ref: watch, duty: checks}]",
            version=PORTAL,
        )
        for name in (*GROUPS, "nowhere")
    ),
    component("stray", owner="watch"),
)


class Side:
    """The services of one process, and what they answer."""

    def __init__(self, catalog: Catalog) -> None:
        kinds = KindsService(catalog.database, all_kinds())
        self.catalog = catalog
        self.ownership = OwnershipService(catalog.database, kinds, today=lambda: date(2030, 6, 1))
        past = PastOrganisations(kinds, self.ownership.facts_reader)
        self.accountability = AccountabilityService(catalog.database, self.ownership, past)
        self.balance = BalanceService(catalog.database, self.ownership)

    def take_survey(self) -> None:
        def lists(connection: Connection) -> dict[str, list[Any]]:
            return member_lists(connection, self.ownership)

        assert SurveyService(self.catalog.database, self.ownership, lists=lists).take()

    def kept(self) -> set[EntityRef]:
        """Return of which groups it is kept whom they reach."""
        with self.catalog.database.reading() as connection:
            return {*kept_members(connection, self.ownership, [EntityRef(f"group:default/{name}") for name in GROUPS])}

    def told(self) -> list[dict[str, Any] | str]:
        projects = [EntityRef(f"project:default/of-{name}") for name in (*GROUPS, "nowhere")]
        groups = [EntityRef(f"group:default/{name}") for name in GROUPS]
        people = [self.accountability.of_entity(ref).to_json() for ref in (*projects, *groups)]
        return people + [self._balance(ref) for ref in (*projects, *groups, EntityRef("component:default/stray"))]

    def _balance(self, ref: EntityRef) -> dict[str, Any] | str:
        try:
            return self.balance.balance(ref).to_json()
        except InputError as error:
            return str(error)


@pytest.fixture
def ingested(catalog: Catalog, repo: MakeRepository) -> Catalog:
    catalog.ingest(repo({"catalog-info.yaml": CATALOG}).url)
    return catalog


def test_what_is_kept_of_large_groups_says_what_a_walk_finds(
    ingested: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked = Side(ingested)
    wanted = walked.told()
    assert walked.kept() == set()
    monkeypatch.setattr("portal.services.members._FEW", 0)
    kept = Side(ingested)
    kept.take_survey()

    # A group that reaches nobody is walked: there is nothing to read.
    assert {ref.name for ref in kept.kept()} == {*GROUPS} - {"lonely"}
    assert kept.told() == wanted


def test_the_largest_groups_are_kept_where_all_are_too_much(ingested: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Side(ingested).told()
    monkeypatch.setattr("portal.services.members._FEW", 0)
    monkeypatch.setattr("portal.services.members._MOST_KEPT", 5)
    kept = Side(ingested)
    kept.take_survey()

    assert kept.kept() == {EntityRef("group:default/company"), EntityRef("group:default/cell")}
    assert kept.told() == wanted


def test_what_is_kept_of_an_older_revision_is_not_told(
    ingested: Catalog, repo: MakeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.services.members._FEW", 0)
    Side(ingested).take_survey()
    ingested.ingest(repo({"catalog-info.yaml": entity("User", "new", "memberOf: [cell]")}, name="more").url)

    now = Side(ingested)
    assert now.kept() == set()
    people = now.accountability.of_entity(EntityRef("project:default/of-team")).people
    assert [who.ref.name for who in people] == ["ada", "bob", "new"]
