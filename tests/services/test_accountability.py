from collections.abc import Collection, Mapping

import pytest
from catalogs import component, documents, entity, group
from entity_rows import insert_edges
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import event

from portal.defaults.kinds import all_kinds
from portal.errors import InputError, NotFoundError
from portal.model.ref import EntityRef
from portal.services.accountability import AccountabilityService, Portfolio
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.past import PastOrganisations
from portal.store.bulk import insert_rows
from portal.store.database import Database
from portal.store.tables import entities, relations

PORTAL = "portal/v1alpha1"
ORGANISATION = documents(
    group("company"),
    group("platform", more="parent: company"),
    group("data", more="parent: platform"),
    group("watch", more="roles: [guard]"),
    entity("User", "ada", "memberOf: [data]"),
    entity("User", "bob", "memberOf: [platform]"),
    entity("User", "eve", "memberOf: [watch]"),
    entity("Role", "guard", "layers: [low]", version=PORTAL),
    entity("Role", "robot", "layers: [low]", version=PORTAL),
    entity(
        "Layer",
        "low",
        "rank: 1, owner: company, ownerRoles: [builder], "
        "stewards: [{duty: checks, role: guard}, {duty: automation, role: robot}]",
        version=PORTAL,
    ),
    entity(
        "System", "store", "owner: platform, layer: low, stewards: [{ref: data, duty: backup}], contributors: [eve]"
    ),
    component("a", owner="platform", more="system: store, contributors: [ada], stewards: [{ref: watch, duty: checks}]"),
    component("b", owner="data"),
    component("c", owner="'user:ada'"),
    component("d", owner="nobody-there"),
)


@pytest.fixture
def accountability(catalog: Catalog) -> AccountabilityService:
    return service(catalog.database)


def service(database: Database) -> AccountabilityService:
    kinds = KindsService(database, all_kinds())
    ownership = OwnershipService(database, kinds)
    return AccountabilityService(database, ownership, PastOrganisations(kinds, ownership.facts_reader))


def names(refs: Collection[EntityRef]) -> list[str]:
    return [ref.name for ref in refs]


def test_an_entity_has_its_owner_the_groups_above_and_the_people_below(
    catalog: Catalog, repo: MakeRepository, accountability: AccountabilityService
) -> None:
    catalog.ingest(repo({"catalog-info.yaml": ORGANISATION}).url)

    found = accountability.of_entity(EntityRef("component:default/a"))

    assert found.owner == "group:default/platform"
    assert found.owner_exists
    assert [(node.ref.name, distance) for node, distance in found.chain] == [("company", 1)]
    assert [(who.ref.name, who.through.name) for who in found.people] == [("ada", "data"), ("bob", "platform")]


def test_stewards_and_contributors_say_where_they_come_from(
    catalog: Catalog, repo: MakeRepository, accountability: AccountabilityService
) -> None:
    catalog.ingest(repo({"catalog-info.yaml": ORGANISATION}).url)

    found = accountability.of_entity(EntityRef("component:default/a"))
    lent = accountability.of_entity(EntityRef("system:default/store"))

    assert [(item.duty, item.who and item.who.name, item.origin.place) for item in found.stewards] == [
        ("checks", "watch", "entity"),
        ("backup", "data", "system"),
        # The layer asks for it, and nobody holds the role.
        ("automation", None, "layer"),
    ]
    assert [(item.who.name, item.origin.place) for item in found.contributors] == [("ada", "entity"), ("eve", "system")]
    assert [(item.duty, item.who and item.who.name, item.origin.place) for item in lent.stewards] == [
        ("backup", "data", "entity"),
        ("checks", "watch", "layer"),
        ("automation", None, "layer"),
    ]


def test_a_person_may_own_and_an_owner_may_be_missing(
    catalog: Catalog, repo: MakeRepository, accountability: AccountabilityService
) -> None:
    catalog.ingest(repo({"catalog-info.yaml": ORGANISATION}).url)

    person = accountability.of_entity(EntityRef("component:default/c"))
    missing = accountability.of_entity(EntityRef("component:default/d"))

    assert names([node.ref for node, _ in person.chain]) == ["data", "platform", "company"]
    assert [(who.ref.name, who.through) for who in person.people] == [("ada", "user:default/ada")]
    assert (missing.owner, missing.owner_exists) == ("group:default/nobody-there", False)
    assert (missing.chain, missing.people) == ([], [])
    assert "portal/owner-exists" in {finding.rule for finding in missing.findings}
    with pytest.raises(NotFoundError):
        accountability.of_entity(EntityRef("component:default/gone"))


def test_groups_and_people_answer_for_themselves(
    catalog: Catalog, repo: MakeRepository, accountability: AccountabilityService
) -> None:
    catalog.ingest(repo({"catalog-info.yaml": ORGANISATION}).url)

    group = accountability.of_entity(EntityRef("group:default/platform"))
    person = accountability.of_entity(EntityRef("user:default/ada"))

    assert (group.owner, person.owner) == (None, None)
    assert [node.ref.name for node, _ in group.chain] == ["company"]
    assert [(who.ref.name, who.through.name) for who in group.people] == [("ada", "data"), ("bob", "platform")]
    assert names([node.ref for node, _ in person.chain]) == ["data", "platform", "company"]


def test_an_owner_who_is_not_there_has_what_names_it(
    catalog: Catalog, repo: MakeRepository, accountability: AccountabilityService
) -> None:
    catalog.ingest(repo({"catalog-info.yaml": ORGANISATION}).url)

    found = accountability.portfolio(EntityRef("group:default/nobody-there"))

    assert (found.owner.is_there, found.total) == (False, 1)
    assert [node.ref for node in found.items] == ["component:default/d"]
    with pytest.raises(NotFoundError):
        accountability.portfolio(EntityRef("group:default/never-named"))


def test_a_portfolio_holds_what_groups_below_own_too(
    catalog: Catalog, repo: MakeRepository, accountability: AccountabilityService
) -> None:
    catalog.ingest(repo({"catalog-info.yaml": ORGANISATION}).url)

    found = accountability.portfolio(EntityRef("group:default/platform"))
    page = accountability.portfolio(EntityRef("group:default/platform"), limit=1, offset=1)

    assert names([node.ref for node, _ in found.groups]) == ["data"]
    assert names([node.ref for node in found.items]) == ["a", "b", "store"]
    assert (found.total, found.direct) == (3, 2)
    assert found.counts == {"": {"component": 1}, "layer:default/low": {"component": 1, "system": 1}}
    assert {finding.ref for finding in found.findings} <= {node.ref for node in found.items}
    assert found.findings
    assert (names([node.ref for node in page.items]), page.total) == (["b"], 3)
    with pytest.raises(NotFoundError):
        accountability.portfolio(EntityRef("group:default/gone"))


def test_the_statements_of_an_answer_do_not_grow_with_the_catalog(
    catalog: Catalog, repo: MakeRepository, accountability: AccountabilityService
) -> None:
    made = repo({"catalog-info.yaml": ORGANISATION, "more.yaml": component("m0", owner="data")})
    catalog.ingest(f"{made.url}#main:*.yaml")
    counts = []
    for many in (1, 40):
        made.commit({"more.yaml": documents(*(component(f"m{number}", owner="data") for number in range(many)))})
        catalog.service.refresh()
        accountability.portfolio(EntityRef("group:default/platform"))
        seen: list[str] = []

        def note(connection, cursor, statement, parameters, context, executemany, seen=seen) -> None:
            seen.append(statement)

        event.listen(catalog.database.engine, "before_cursor_execute", note)
        accountability.portfolio(EntityRef("group:default/platform"))
        accountability.of_entity(EntityRef("component:default/m0"))
        event.remove(catalog.database.engine, "before_cursor_execute", note)
        counts.append(len(seen))

    assert counts[0] == counts[1]


def test_findings_on_one_entity_are_those_of_the_whole_catalog(catalog: Catalog, repo: MakeRepository) -> None:
    """Alone an entity is looked at with what its rules need; after the whole catalog was, it is looked up."""
    more = documents(
        entity("Layer", "high", "rank: 2, owner: company, ownerRoles: [guard]", version=PORTAL),
        component("up", owner="watch", more="layer: high"),
        component("down", owner="watch", more="layer: low, dependsOn: ['component:up', 'component:a']"),
        component("none", owner="data", more="layer: nowhere"),
    )
    catalog.ingest(repo({"catalog-info.yaml": documents(ORGANISATION, more)}).url)
    kinds = KindsService(catalog.database, all_kinds())
    whole = OwnershipService(catalog.database, kinds).findings()

    refs = [EntityRef(ref) for ref in catalog.refs()]
    alone = [finding for ref in refs for finding in OwnershipService(catalog.database, kinds).findings([ref])]

    assert {finding.rule for finding in whole} == {
        "portal/owner-exists",
        "portal/owner-role",
        "portal/layer-known",
        "portal/layer-direction",
        "portal/steward-duty",
    }
    assert alone == whole
    assert OwnershipService(catalog.database, kinds).findings(refs) == whole


GROUPS = [EntityRef(f"group:default/g{number}") for number in range(5)]
ASSETS = [EntityRef(f"component:default/c{number}") for number in range(6)]


@given(
    parents=st.dictionaries(st.sampled_from(GROUPS), st.sampled_from(GROUPS), max_size=5),
    owners=st.dictionaries(st.sampled_from(ASSETS), st.sampled_from(GROUPS), max_size=6),
    gone=st.sets(st.sampled_from(GROUPS), max_size=2),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
def test_a_portfolio_equals_that_of_a_naive_reference(
    database: Database,
    parents: Mapping[EntityRef, EntityRef],
    owners: Mapping[EntityRef, EntityRef],
    gone: Collection[EntityRef],
) -> None:
    """Groups may be each other's parents, and owners that are named need not be there."""
    write(database, parents, owners, gone)
    answers = service(database)

    for root in GROUPS:
        is_named = root in owners.values() or root in parents or root in parents.values()
        if root in gone and not is_named:
            with pytest.raises(NotFoundError):
                answers.portfolio(root)
            continue
        found: Portfolio = answers.portfolio(root)
        below = {root}
        while more := {child for child, parent in parents.items() if parent in below} - below:
            below |= more
        assert {node.ref for node in found.items} == {asset for asset, owner in owners.items() if owner in below}
        assert {node.ref for node, _ in found.groups} == below - {root} - set(gone)


def write(
    database: Database,
    parents: Mapping[EntityRef, EntityRef],
    owners: Mapping[EntityRef, EntityRef],
    gone: Collection[EntityRef],
) -> None:
    """Make the catalog hold these groups but those that are gone, and these assets."""
    nodes = [ref for ref in GROUPS if ref not in gone] + list(owners)
    edges = [
        *((child, "childOf", parent, False) for child, parent in parents.items()),
        *((parent, "parentOf", child, True) for child, parent in parents.items()),
        *((asset, "ownedBy", owner, False) for asset, owner in owners.items()),
        *((owner, "ownerOf", asset, True) for asset, owner in owners.items()),
    ]
    text = dict.fromkeys(("etag", "source_id", "location", "digest", "title"), "")
    with database.writing() as connection:
        connection.execute(relations.delete())
        connection.execute(entities.delete())
        numbers = insert_edges(connection, edges, refs_too=nodes)
        rows = [
            {"id": numbers[ref], "ref": ref, "uid": ref, "kind": ref.kind, "owner": owners.get(ref), "document_id": 0}
            | {"system": None, "domain": None, "layer": None, "body": "{}"}
            | text
            for ref in nodes
        ]
        insert_rows(connection, entities, rows)


def test_a_portfolio_is_asked_of_those_who_may_own(
    catalog: Catalog, repo: MakeRepository, accountability: AccountabilityService
) -> None:
    catalog.ingest(repo({"catalog-info.yaml": ORGANISATION}).url)

    with pytest.raises(InputError, match="component:default/a owns nothing; expected a group or a user"):
        accountability.portfolio(EntityRef("component:default/a"))
