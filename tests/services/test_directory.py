from __future__ import annotations

import pytest
from catalogs import component, documents, entity, group
from portals import Catalog
from repositories import MakeRepository

from portal.defaults.kinds import all_kinds
from portal.errors import NotFoundError
from portal.model.ref import EntityRef
from portal.services.accountability import AccountabilityService
from portal.services.balance import BalanceService
from portal.services.directory import Directory, DirectoryService
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.past import PastOrganisations
from portal.services.problems import ProblemsService
from portal.services.profile import ProfileService
from portal.services.survey import SurveyService

PORTAL = "portal/v1alpha1"
CATALOG = documents(
    group("company"),
    group("team", more="parent: company, roles: [guard]"),
    group("both", more="parent: team"),
    entity("Group", "other", "type: team, parent: company, children: [both]"),
    group("x", more="parent: y"),
    group("y", more="parent: x"),
    entity("User", "ada", "memberOf: [team, both], roles: [guard]"),
    entity("User", "bob", "memberOf: [both]"),
    entity("Role", "guard", "responsibilities: [checks]", version=PORTAL),
    entity("Layer", "low", "rank: 1, owner: company, ownerRoles: [guard]", version=PORTAL),
    component("a", owner="team", more="layer: low, stewards: [{ref: 'user:bob', duty: backup}], contributors: [bob]"),
    component("b", owner="both", more="layer: low"),
    component("c", owner="other", more="layer: low"),
    component("d", owner="gone"),
)
COMPANY, TEAM, BOTH, OTHER = (EntityRef(f"group:default/{name}") for name in ("company", "team", "both", "other"))


class Services:
    """What the tests ask, over one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.kinds = KindsService(catalog.database, all_kinds())
        self.ownership = OwnershipService(catalog.database, self.kinds)
        past = PastOrganisations(self.kinds, self.ownership.facts_reader)
        self.accountability = AccountabilityService(catalog.database, self.ownership, past)
        problems = ProblemsService(catalog.database, self.ownership, self.accountability, self.kinds)
        self.directory = DirectoryService(catalog.database, self.ownership, problems)
        self.profiles = ProfileService(catalog.database, self.ownership)
        self.balance = BalanceService(catalog.database, self.ownership)
        self.survey = SurveyService(catalog.database, self.ownership, lists=self.accountability.lists)


@pytest.fixture
def services(catalog: Catalog, repo: MakeRepository) -> Services:
    catalog.ingest(repo({"catalog-info.yaml": CATALOG}).url)
    return Services(catalog)


def test_what_is_below_a_group_counts_once_on_whichever_way(services: Services) -> None:
    found = services.directory.now()

    assert (found.extent(COMPANY).groups, found.extent(COMPANY).people, found.extent(COMPANY).owned) == (3, 2, 4)
    assert (found.extent(OTHER).groups, found.extent(OTHER).people, found.extent(OTHER).owned) == (1, 2, 2)
    # Of two groups that are above each other the first stands at the top.
    assert found.roots == [COMPANY, "group:default/x"]
    assert [entry.ref for entry in found.path(BOTH)] == [COMPANY, OTHER]
    assert [entry.ref for entry in found.path(EntityRef("group:default/x"))] == ["group:default/y"]
    assert found.strangers == {"group:default/gone": 1}


def counts(found: Directory) -> dict[str, int]:
    return {ref.name: found.problems.get(ref, 0) for ref in (TEAM, BOTH, OTHER)}


def test_problems_are_counted_alike_from_a_survey_and_without_one(services: Services, catalog: Catalog) -> None:
    before = counts(services.directory.now())
    services.survey.take()
    with catalog.database.reading() as connection:
        assert services.ownership.keeps_findings(connection)

    assert before == {"team": 0, "both": 0, "other": 1}
    assert counts(Services(catalog).directory.now()) == before


def test_a_profile_tells_roles_with_their_holders_and_what_else_there_is(services: Services) -> None:
    directory = services.directory.now()
    team = services.profiles.of(TEAM, directory)
    bob = services.profiles.of(EntityRef("user:default/bob"), directory)

    assert [(person.node.ref.name, person.through.name) for person in team.people] == [("ada", "team"), ("bob", "both")]
    assert [[held.holder for held in person.roles] for person in team.people] == [["user:default/ada"], [TEAM]]
    assert services.profiles.of(TEAM, directory, is_direct=True).people_total == 1
    assert [(duty.node.ref.name, duty.duties) for duty in bob.duties] == [("a", ["backup"])]
    assert [node.ref.name for node in bob.beside["contributesTo"].nodes] == ["a"]
    assert bob.above[0] == (BOTH, 1)
    with pytest.raises(NotFoundError):
        services.profiles.of(EntityRef("user:default/gone"), directory)


def test_a_portfolio_may_leave_out_the_groups_below(services: Services) -> None:
    whole = services.accountability.portfolio(TEAM)
    direct = services.accountability.portfolio(TEAM, is_direct=True)

    assert (whole.total, direct.total) == (2, 1)
    assert [node.ref.name for node in direct.first["layer:default/low", "component"]] == ["a"]
    assert len(whole.first["layer:default/low", "component"]) == 2


def test_each_project_stands_at_a_glance_as_its_own_balance_says(catalog: Catalog, repo: MakeRepository) -> None:
    names = ("one", "two", "three")
    projects = [
        entity("Project", name, f"owner: {owner}, lifecycle: x, goal: g, needs: [{need}]", version=PORTAL)
        for name, owner, need in zip(names, ("team", "both", "gone"), ("guard", "guard, pilot", "guard"), strict=True)
    ]
    catalog.ingest(repo({"catalog-info.yaml": documents(CATALOG, *projects)}).url)
    balance = Services(catalog).balance

    glances = {item.project.ref.name: item for item in balance.projects()}

    # Of two who lack as much the title decides.
    assert list(glances) == ["three", "two", "one"]
    for name in names:
        answer = balance.balance(EntityRef(f"project:default/{name}"))
        assert (glances[name].missing, glances[name].people) == (len(answer.balance.missing), len(answer.team))
    assert [standing for _, standing in glances["two"].roles] == ["held", "missing"]
    assert [glances[name].state for name in names] == ["balanced", "missing", "missing"]
