from __future__ import annotations

import pytest
from catalogs import component, documents, entity, group
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import event

from portal.defaults.kinds import all_kinds
from portal.errors import InputError, NotFoundError
from portal.model.ref import EntityRef
from portal.services.balance import BalanceService
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService

PORTAL = "portal/v1alpha1"
CATALOG = documents(
    group("company"),
    group("team", more="parent: company, roles: [scientist]"),
    group("cell", more="parent: team"),
    group("watch", more="parent: company, roles: [guard]"),
    group("empty", more="parent: company, roles: [robot]"),
    entity("User", "ada", "memberOf: [team]"),
    entity("User", "bob", "memberOf: [cell], roles: [manager]"),
    entity("User", "eve", "memberOf: [watch]"),
    entity("User", "zoe", "memberOf: [company], roles: [builder]"),
    *(
        entity("Role", name, f"layers: [{layer}]", version=PORTAL)
        for name, layer in (
            ("scientist", "project"),
            ("manager", "project"),
            ("builder", "project"),
            ("dreamer", "project"),
            ("guard", "low"),
            ("robot", "low"),
        )
    ),
    entity(
        "Layer",
        "project",
        "rank: 2, owner: company, ownerRoles: [scientist, manager], "
        "stewards: [{duty: checks, role: guard}, {duty: automation, role: robot}]",
        version=PORTAL,
    ),
    entity(
        "Project",
        "apollo",
        "owner: team, lifecycle: production, goal: g, needs: [scientist, manager, builder], contributors: [nobody], "
        "stewards: [{ref: watch, duty: checks}, {ref: empty, duty: automation}]",
        version=PORTAL,
    ),
    entity("Project", "plain", "owner: team, lifecycle: production, goal: g", version=PORTAL),
    component("a", owner="team"),
    component("orphan", owner="gone", more="layer: project"),
    component("kept", owner="empty", more="layer: high"),
    entity("Layer", "high", "rank: 3, owner: company, ownerRoles: [robot]", version=PORTAL),
)


@pytest.fixture
def balance(catalog: Catalog, repo: MakeRepository) -> BalanceService:
    catalog.ingest(repo({"catalog-info.yaml": CATALOG}).url)
    kinds = KindsService(catalog.database, all_kinds())
    return BalanceService(catalog.database, OwnershipService(catalog.database, kinds))


def test_a_project_tells_its_roles_who_holds_them_and_who_is_lent(balance: BalanceService) -> None:
    found = balance.balance(EntityRef("project:default/apollo"))

    roles = {item.role.ref.name: item for item in found.balance.roles}
    assert {name: (item.necessity, [mate.ref.name for mate in item.holders]) for name, item in roles.items()} == {
        "scientist": ("required", ["ada", "bob"]),
        "manager": ("required", ["bob"]),
        "builder": ("required", []),
        "guard": ("required", ["eve"]),
        "robot": ("required", ["empty"]),
        "dreamer": ("usual", []),
    }
    assert [name for name, item in roles.items() if item.is_single] == ["guard", "manager"]
    assert [name for name, item in roles.items() if item.is_missing] == ["builder"]
    assert [need.why for need in roles["guard"].needs] == ['the layer project asks for a steward for "checks"']
    assert [(mate.ref.name, mate.ways, [role.ref.name for role in held]) for mate, held in found.balance.lent] == [
        ("empty", ("steward for automation",), ["robot"]),
        ("eve", ("steward for checks, member of group:default/watch",), ["guard"]),
    ]
    # By the group above the one that bob is in.
    assert roles["scientist"].holders[1].roles[EntityRef("role:default/scientist")] == "group:default/team"
    assert not found.balance.is_balanced
    assert found.balance.missing == (
        (
            'Nobody on the team holds the role "builder" (project:default/apollo needs it; works in the layer '
            "project). Who could help: user:default/zoe."
        ),
    )
    assert 'The role "robot" is held by group:default/empty, but the catalog knows nobody there.' in found.balance.notes


def test_a_project_that_says_nothing_needs_what_its_layer_has(balance: BalanceService) -> None:
    found = balance.balance(EntityRef("project:default/plain"))

    required = {item.role.ref.name for item in found.balance.roles if item.necessity == "required"}
    assert required == {"scientist", "manager", "builder", "dreamer", "guard", "robot"}
    assert len(found.balance.missing) == 4


def test_a_group_is_asked_for_what_it_owns_and_others_for_their_layer(balance: BalanceService) -> None:
    team = balance.balance(EntityRef("group:default/team"))
    orphan = balance.balance(EntityRef("component:default/orphan"))

    # Duties are asked for asset by asset.
    assert {item.role.ref.name for item in team.balance.roles} == {"scientist", "manager", "builder", "dreamer"}
    assert [mate.ref.name for mate in team.team] == ["ada", "bob"]
    assert (orphan.team, orphan.balance.is_balanced) == ([], False)


def test_a_role_that_is_held_where_nobody_is_known_is_noted(balance: BalanceService) -> None:
    found = balance.balance(EntityRef("component:default/kept")).balance

    assert found.is_balanced
    assert found.notes == ('The role "robot" is held by group:default/empty, but the catalog knows nobody there.',)


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("user:default/ada", "is a person"),
        ("role:default/guard", "has no owner"),
        ("component:default/a", "Nothing asks"),
        ("group:default/watch", "Nothing asks"),
    ],
)
def test_what_has_no_team_is_refused_with_a_reason(balance: BalanceService, ref: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        balance.balance(EntityRef(ref))
    with pytest.raises(NotFoundError):
        balance.balance(EntityRef("project:default/gone"))


def test_the_statements_do_not_grow_with_the_team(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": CATALOG, "more.yaml": entity("User", "m0", "memberOf: [team]")})
    catalog.ingest(f"{made.url}#main:*.yaml")
    kinds = KindsService(catalog.database, all_kinds())
    answers = BalanceService(catalog.database, OwnershipService(catalog.database, kinds))
    counts = []
    for many in (1, 40):
        made.commit({"more.yaml": documents(*(entity("User", f"m{n}", "memberOf: [team]") for n in range(many)))})
        catalog.service.refresh()
        answers.balance(EntityRef("project:default/apollo"))
        seen: list[str] = []

        def note(connection, cursor, statement, parameters, context, executemany, seen=seen) -> None:
            seen.append(statement)

        event.listen(catalog.database.engine, "before_cursor_execute", note)
        answers.balance(EntityRef("project:default/apollo"))
        event.remove(catalog.database.engine, "before_cursor_execute", note)
        counts.append(len(seen))

    assert counts[0] == counts[1]
