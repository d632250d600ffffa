"""What layers give in repositories, and the names that hosts know people by."""

from __future__ import annotations

import pytest

from portal.defaults.kinds import all_kinds
from portal.ingest.check import check
from portal.model.accounts import accounts_of
from portal.model.repository_access import AccessPolicy, RepositoryRight, access_policy_of

HOSTS = {"github.com": "github", "gitlab.com": "gitlab", "git.example.com": "gitlab", "gitea.com": "gitea"}


@pytest.mark.parametrize(
    ("declared", "owner", "checks", "other"),
    [
        (None, "maintain", "read", "read"),
        ({"owner": "admin"}, "admin", "read", "read"),
        ({"stewards": {"checks": "write"}}, "maintain", "write", "read"),
        ({"stewards": {"checks": "none"}, "default": "triage"}, "maintain", None, "triage"),
        ({"stewards": {"checks": "write"}, "default": "none"}, "maintain", "write", None),
        # What an older catalog may hold, where the field was none of Portal's.
        ({"owner": 5, "stewards": ["x"], "default": "lord"}, "maintain", "read", "read"),
        ("all", "maintain", "read", "read"),
    ],
)
def test_a_layer_says_what_owner_and_stewards_get(declared, owner, checks, other):
    policy = access_policy_of(declared)
    assert (policy.owner, policy.of_duty("checks"), policy.of_duty("other")) == (owner, checks, other)


def test_rights_are_ordered_by_what_they_allow():
    assert sorted(RepositoryRight, key=lambda right: right.rank) == ["read", "triage", "write", "maintain", "admin"]
    assert access_policy_of({}) == AccessPolicy()


@pytest.mark.parametrize(
    ("access", "field"),
    [
        ({"owner": "none"}, ("spec", "repositoryAccess", "owner")),
        ({"stewards": {"checks": "push"}}, ("spec", "repositoryAccess", "stewards", "checks")),
        ({"default": "all"}, ("spec", "repositoryAccess", "default")),
        ("write", ("spec", "repositoryAccess")),
        ({"owner": "write", "stewards": {"checks": "none"}, "default": "triage"}, None),
    ],
)
def test_a_faulty_policy_is_told_at_its_field(access, field):
    layer = {
        "apiVersion": "portal/v1alpha1",
        "kind": "Layer",
        "metadata": {"name": "shared"},
        "spec": {"rank": 1, "owner": "team", "ownerRoles": [], "repositoryAccess": access},
    }
    assert [fault.path for fault in check(layer, kinds=all_kinds()).faults] == ([] if field is None else [field])


@pytest.mark.parametrize(
    ("kind", "annotations", "accounts"),
    [
        ("Group", {"github.com/team-slug": "acme/ml"}, {"github": "acme/ml"}),
        ("Group", {"gitlab.com/team-path": "acme/ml/core", "gitea.com/team": "acme/ml"}, {"gitlab": "acme/ml/core"}),
        ("Group", {"gitlab.com/group": "https://gitlab.com/groups/acme/ml/"}, {"gitlab": "acme/ml"}),
        ("Group", {"git.example.com/team-path": "inside", "gitlab.com/team-path": "outside"}, {"gitlab": "outside"}),
        ("Group", {"github.com/user-login": "ann"}, {}),
        ("User", {"github.com/user-login": "@Ann"}, {"github": "Ann"}),
        ("User", {"git.example.com/user-login": "https://git.example.com/ann"}, {"gitlab": "ann"}),
        ("User", {"github.com/team-slug": "acme/ml", "github.com/user-login": " "}, {}),
        ("User", None, {}),
    ],
)
def test_annotations_name_accounts(kind, annotations, accounts):
    entity = {"kind": kind, "metadata": {"name": "x", "annotations": annotations}}
    found = accounts_of(entity, HOSTS)
    assert {host: name for host, name in found.items() if host != "gitea"} == accounts
