"""Who gets what in a repository: by the layer's policy, with the accounts that the catalog knows."""

from __future__ import annotations

import pytest
from catalogs import documents, entity
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import event

from portal.defaults.kinds import all_kinds
from portal.model.integration import Integration, Integrations
from portal.model.ref import EntityRef
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.repository_access import RepositoryAccessService

PORTAL = "portal/v1alpha1"
OWNER = EntityRef("group:default/ml")


def person(kind: str, name: str, spec: str, **annotations: str) -> str:
    known = ", ".join(f'{host.replace("_", ".")}: "{account}"' for host, account in annotations.items())
    return entity(kind, name, spec).replace("}\nspec", f", annotations: {{{known}}}}}\nspec")


def user(name: str, groups: str, **hosts: str) -> str:
    return person("User", name, f"memberOf: [{groups}]", **{f"{host}_com/user-login": n for host, n in hosts.items()})


def team(name: str, more: str = "", **hosts: str) -> str:
    spec = f"type: team, children: []{more}"
    return person("Group", name, spec, **{f"{host}_com/team-slug": account for host, account in hosts.items()})


ORGANISATION = documents(
    team("ml", github="acme/ml"),
    team("core", ", parent: ml"),
    team("sec", ", roles: [security]", github="acme/sec", gitlab="acme/sec"),
    team("others", github="acme/others"),
    user("ann", "ml", github="ann", gitlab="ann.l"),
    user("bob", "core", gitlab="bob.l"),
    user("eve", "others", github="eve"),
    entity("Role", "security", "layers: []", version=PORTAL),
    entity(
        "Layer",
        "shared",
        "rank: 2, owner: ml, ownerRoles: [], stewards: [{duty: checks, role: security}], "
        "repositoryAccess: {owner: admin, stewards: {checks: write, docs: none}, default: triage}",
        version=PORTAL,
    ),
    entity("Layer", "quiet", "rank: 1, owner: ml, ownerRoles: []", version=PORTAL),
)


@pytest.fixture
def grants(catalog: Catalog, repo: MakeRepository):
    assert catalog.ingest(repo({"catalog-info.yaml": ORGANISATION}).url).problems == []
    ownership = OwnershipService(catalog.database, KindsService(catalog.database, all_kinds()))
    service = RepositoryAccessService(
        catalog.database, ownership, integrations=Integrations([Integration("ghe.example.com", "github")])
    )

    def ask(stewards=(), layers=("shared",), owner=OWNER):
        pairs = [(EntityRef(f"group:default/{who}"), duty) for who, duty in stewards]
        found = service.grants(owner, stewards=pairs, layers=layers)
        return [(grant.ref.partition("/")[2], str(grant.right), dict(grant.accounts)) for grant in found]

    return ask


ML = [
    ("ml", "admin", {"github": "acme/ml"}),
    ("ann", "admin", {"gitlab": "ann.l"}),
    ("bob", "admin", {"gitlab": "bob.l"}),
]


@pytest.mark.parametrize(
    ("stewards", "found"),
    [
        ([], []),
        ([("sec", "checks")], [("sec", "write", {"github": "acme/sec", "gitlab": "acme/sec"})]),
        ([("sec", "checks"), ("sec", "other")], [("sec", "write", {"github": "acme/sec", "gitlab": "acme/sec"})]),
        ([("others", "other")], [("others", "triage", {"github": "acme/others"})]),
        ([("others", "docs")], []),
        # The role that the layer asks for is another's; a name is in no catalog.
        ([("others", "checks"), ("ghosts", "other")], []),
        ([("ml", "other")], []),
    ],
)
def test_the_policy_of_the_layer_says_who_gets_what(grants, stewards, found):
    assert grants(stewards) == ML + found


@pytest.mark.parametrize(
    ("layers", "owner", "steward"),
    [
        (["quiet"], "maintain", "read"),
        ([], "maintain", "read"),
        (["gone"], "maintain", "read"),
        (["quiet", "shared"], "admin", "triage"),
    ],
)
def test_of_several_layers_the_most_counts_and_without_one_the_usual(grants, layers, owner, steward):
    found = {name: right for name, right, _ in grants([("others", "other")], layers)}
    assert (found["ml"], found["others"]) == (owner, steward)


def test_an_owner_whom_no_host_knows_is_told_all_the_same(grants):
    assert grants(owner=EntityRef("group:default/core")) == [
        ("core", "admin", {}),
        ("bob", "admin", {"gitlab": "bob.l"}),
    ]
    assert grants(owner=EntityRef("user:default/ann")) == [("ann", "admin", {"github": "ann", "gitlab": "ann.l"})]


def test_who_comes_in_two_ways_gets_the_more(grants):
    """Of `core` alone bob is one; as of `ml` he has more."""
    assert grants([("core", "other")]) == [*ML, ("core", "triage", {})]


def test_the_number_of_statements_does_not_grow_with_the_members(catalog: Catalog, repo: MakeRepository) -> None:
    ownership = OwnershipService(catalog.database, KindsService(catalog.database, all_kinds()))
    service = RepositoryAccessService(catalog.database, ownership)
    made = repo({"catalog-info.yaml": ORGANISATION})
    catalog.ingest(made.url)
    counts = []
    for size in (2, 30):
        made.commit(
            {
                "catalog-info.yaml": documents(
                    ORGANISATION, *(user(f"u{n}", "core", gitlab=f"u{n}") for n in range(size))
                )
            }
        )
        catalog.service.refresh()
        service.grants(OWNER, stewards=(), layers=())
        seen: list[str] = []

        def note(_connection, _cursor, statement, *_rest, seen=seen):
            seen.append(statement)

        event.listen(catalog.database.engine, "before_cursor_execute", note)
        assert len(service.grants(OWNER, stewards=(), layers=())) == size + 3
        event.remove(catalog.database.engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 10
