"""A step refuses owners before anything is published: the invariant that holds before a task exists."""

from __future__ import annotations

import pytest
from acting import Runner, tree, write
from catalogs import entity
from worlds import PORTAL_VERSION, world

from portal.actions.ownership import OwnershipCheck
from portal.errors import ActionError, InputError, NotAllowedError
from portal.model.permission_names import PERMISSIONS

FILE = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: made}
spec: {type: service, lifecycle: production, owner: team}
---
apiVersion: backstage.io/v1alpha1
kind: Location
metadata: {name: more}
spec: {target: ./more.yaml}
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: other}
spec: {type: openapi, lifecycle: production, owner: others, definition: x}
"""


@pytest.fixture(scope="module")
def organisation(tmp_path_factory):
    spec = "owner: platform, rule: portal/owner-role, layers: [backbone], severity: enforce"
    policy = entity("Policy", "roles", spec, version=PORTAL_VERSION)
    with world(tmp_path_factory.mktemp("world"), extra=policy) as opened:
        yield opened


@pytest.fixture
def check(organisation, tmp_path):
    action = organisation.portal.tasks.scaffolding._actions[OwnershipCheck.id]
    run = Runner(tmp_path)

    def do(given, *, name="owner", **more):
        return run(action, given, user={"ref": f"user:default/{name}"} if name else {}, **more)

    do.work = run.work
    return do


@pytest.mark.parametrize("name", ["owner", "deputy", "helper", "admin", ""])
def test_who_may_create_for_the_owner_passes(check, name):
    output, lines = check({"owner": "team", "layer": "project"}, name=name)
    assert output == {"owner": "group:default/team", "checked": []}
    assert lines == ["group:default/team may own what is made"]


@pytest.mark.parametrize(
    ("given", "name", "messages"),
    [
        ({"owner": "nobody"}, "owner", ["group:default/nobody, which is not in the catalog"]),
        ({"owner": "component:default/thing"}, "owner", ["expected a Group or User"]),
        ({"owner": "team", "layer": "backbone"}, "owner", ["group:default/team", "rule", "group:default/security"]),
        ({"owner": "team", "layers": ["project", "backbone"]}, "owner", ["group:default/team", "rule"]),
        ({"owner": "team"}, "member", ["portal.asset.create on group:default/team"]),
        ({"owner": "team", "layer": "backbone"}, "member", ["rule", "portal.asset.create"]),
    ],
)
def test_who_may_not_own_or_not_create_is_refused_with_every_reason(check, given, name, messages):
    with pytest.raises(InputError) as refused:
        check(given, name=name)
    for message in messages:
        assert message in refused.value.message


def test_a_token_limits_what_may_be_created(check):
    narrow = frozenset({"catalog.entity.read"})
    with pytest.raises(InputError, match=r"portal\.asset\.create"):
        check({"owner": "team"}, scopes=narrow)
    check({"owner": "team"}, scopes=frozenset(PERMISSIONS))


def test_the_catalog_file_must_have_the_owner_that_was_asked_for(check):
    write(check.work, {"catalog-info.yaml": FILE})
    given = {"owner": "team", "catalogInfoPath": "catalog-info.yaml"}
    assert check(given | {"kinds": ["Component"]})[0]["checked"] == ["component:default/made"]
    with pytest.raises(
        InputError,
        match=r"catalog-info.yaml:14:46 spec\.owner: .* found group:default/others; "
        "expected group:default/team, who was asked to own api:default/other",
    ):
        check(given)
    with pytest.raises(InputError, match=r"catalog-info.yaml:9:1 spec\.owner: A required field is missing: found no"):
        check(given | {"kinds": ["Location"]})
    with pytest.raises(InputError, match="found no dataset"):
        check(given | {"kinds": ["Dataset"]})
    assert tree(check.work) == {"catalog-info.yaml": FILE}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("a: [", InputError, "catalog-info.yaml:2:1"),
        ("just text", InputError, "1:1: The document is not a mapping: expected an entity"),
        ("kind: 1", InputError, "1:1: .* expected an entity, with kind, metadata.name"),
        ("", InputError, "found no entity with an owner"),
        (None, ActionError, "no file"),
    ],
)
def test_a_file_that_says_nothing_of_owners_is_refused(check, text, error, message):
    if text is not None:
        write(check.work, {"catalog-info.yaml": text})
    with pytest.raises(error, match=message):
        check({"owner": "team", "catalogInfoPath": "catalog-info.yaml"})


def test_no_file_outside_of_the_workspace_is_read(check):
    with pytest.raises(NotAllowedError):
        check({"owner": "team", "catalogInfoPath": "../template/catalog-info.yaml"})
