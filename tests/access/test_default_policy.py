"""What the default policy decides, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds import OWNED, PEOPLE, World, world

from portal.errors import NotFoundError
from portal.model.access import AccessRestriction
from portal.model.permission_names import PERMISSIONS
from portal.services.identity import ANYBODY, Actor
from portal.services.permission import Question

NOBODY, GUEST = "nobody", "guest"
#: Who has each permission; the rest have not. Guests may read here.
EVERYONE = {*PEOPLE, NOBODY, GUEST}
SIGNED_IN = set(PEOPLE)
MEMBERS = SIGNED_IN - {"lone"}
ADMINS = {"admin"}
TABLE = {
    ("catalog.entity.read", OWNED): EVERYONE,
    ("catalog.entity.create", None): MEMBERS,
    ("catalog.entity.delete", OWNED): {"owner", "deputy", "admin"},
    ("catalog.entity.refresh", OWNED): {"owner", "deputy", "admin"},
    ("portal.asset.upgrade", OWNED): {"owner", "deputy", "admin"},
    ("catalog.entity.validate", None): EVERYONE,
    ("catalog.location.read", None): EVERYONE,
    ("catalog.location.create", None): MEMBERS,
    ("catalog.location.delete", None): MEMBERS,
    ("catalog.location.analyze", None): MEMBERS,
    ("catalog.ingestion.read", None): EVERYONE,
    ("catalog.ingestion.manage", None): ADMINS,
    ("scaffolder.template.dry-run", None): MEMBERS,
    ("scaffolder.template.management", None): MEMBERS,
    ("scaffolder.action.execute", None): SIGNED_IN,
    ("scaffolder.task.create", None): MEMBERS,
    ("portal.asset.create", "group:default/team"): {"owner", "deputy", "helper", "admin"},
    ("portal.asset.create", "user:default/lone"): {"lone", "admin"},
    ("portal.reorg.plan", None): MEMBERS,
    ("portal.reorg.write", None): ADMINS,
    ("portal.exemption.grant", OWNED): {"approver", "admin"},
    ("portal.exemption.grant", "system:default/net"): {"approver", "admin"},
    ("portal.exemption.grant", "component:default/app"): ADMINS,
    ("portal.audit.read", None): ADMINS,
    ("portal.policy.explain", None): ADMINS,
    ("portal.token.create", None): SIGNED_IN,
    ("portal.token.read", None): SIGNED_IN,
    ("portal.token.revoke", None): SIGNED_IN,
}
#: Decided on what a task or a part of a template is; other tests.
ELSEWHERE = {
    "scaffolder.task.cancel",
    "scaffolder.task.read",
    "scaffolder.template.parameter.read",
    "scaffolder.template.step.read",
}


@pytest.fixture
def small(tmp_path, database_url):
    with world(tmp_path, database=database_url) as opened:
        yield opened


def _actors(opened: World) -> dict[str, Actor]:
    guest = Actor("user", "user:development/guest")
    return {NOBODY: ANYBODY, GUEST: guest} | {name: opened.actor(name) for name in PEOPLE}


def _allowed(opened: World, actor: Actor, name: str, resource: str | None = None) -> bool:
    (answer,) = opened.portal.access.permission.authorize([Question("", PERMISSIONS[name], resource)], actor)
    return answer.decision == "ALLOW"


def test_the_table_has_every_permission():
    assert {name for name, _ in TABLE} | ELSEWHERE == set(PERMISSIONS)


def test_everybody_may_just_what_the_table_says(small):
    found = {key: {name for name, actor in _actors(small).items() if _allowed(small, actor, *key)} for key in TABLE}
    assert found == TABLE


def test_who_lacks_a_permission_is_told_why(small):
    explain = small.portal.access.explanation.explain
    found = explain(small.actor("member"), "catalog.entity.delete", OWNED)
    assert (found.result, found.owners, found.admins) == ("DENY", ["group:default/team"], ["group:default/platform"])
    assert found.reason == "its owners may, members of groups below them, and admins"
    assert found.claims == ["user:default/member", "group:default/others"]
    assert "group:default/platform is among the admins" in explain(small.actor("admin"), "portal.audit.read").reason
    assert explain(small.actor("owner"), "catalog.entity.delete").result == "CONDITIONAL"
    with pytest.raises(NotFoundError):
        explain(small.actor("owner"), "catalog.entity.delete", "component:default/ghost")


def test_a_token_never_gives_more_than_it_was_made_for(small):
    admin, owner = small.actor("admin"), small.actor("owner")
    for name in PERMISSIONS:
        assert not _allowed(small, replace(admin, scopes=frozenset()), name)
    reading = frozenset({"catalog.entity.read"})
    assert _allowed(small, replace(owner, scopes=reading), "catalog.entity.read", OWNED)
    assert not _allowed(small, replace(owner, scopes=reading), "catalog.entity.delete", OWNED)
    # Nor more than who it is of may.
    deleting = frozenset({"catalog.entity.delete"})
    assert not _allowed(small, replace(small.actor("member"), scopes=deleting), "catalog.entity.delete", OWNED)


@pytest.mark.parametrize(
    ("restriction", "allowed"),
    [
        (AccessRestriction("catalog"), {"catalog.entity.read", "catalog.entity.delete"}),
        (AccessRestriction("catalog", ("catalog.entity.read",)), {"catalog.entity.read"}),
        (AccessRestriction("catalog", (), ("delete",)), {"catalog.entity.delete"}),
        (AccessRestriction("catalog", ("catalog.entity.read",), ("delete",)), set()),
    ],
)
def test_a_service_may_what_its_token_is_restricted_to(small, restriction, allowed):
    service = Actor("service", "ci", {"catalog": restriction})
    asked = ("catalog.entity.read", "catalog.entity.delete")
    assert {name for name in asked if _allowed(small, service, name, OWNED)} == allowed


def test_guests_may_everything_where_settings_say_so(tmp_path):
    with world(tmp_path, guest_rights="everything") as opened:
        for name in PERMISSIONS:
            assert _allowed(opened, ANYBODY, name)
            assert _allowed(opened, Actor("user", "user:development/guest"), name)
