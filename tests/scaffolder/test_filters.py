"""The filters that Backstage's scaffolder adds."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import InputError
from portal.scaffolder.filters import builtin_filters, parse_entity_ref, parse_repo_url, pick, project_slug
from portal.scaffolder.values import UNDEFINED

INTEGRATIONS = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "gitea.example.com": "gitea",
    "dev.azure.com": "azure",
    "bitbucket.org": "bitbucketCloud",
    "bb.example.com:8443": "bitbucketServer",
    "gerrit.example.com": "gerrit",
}


@pytest.mark.parametrize(("url", "expected"), [
    ("github.com?owner=o&repo=r", {"host": "github.com", "owner": "o", "repo": "r"}),
    ("GitHub.com:443?repo=r&owner=o", {"host": "github.com", "owner": "o", "repo": "r"}),
    ("gitlab.com?owner=g%2Fsub&repo=r", {"host": "gitlab.com", "owner": "g/sub", "repo": "r"}),
    ("gitlab.com?owner=%2Fg%2F&repo=r", {"host": "gitlab.com", "owner": "g", "repo": "r"}),
    ("gitlab.com?project=7", {"host": "gitlab.com", "project": "7"}),
    ("gitea.example.com?repo=r", {"host": "gitea.example.com", "repo": "r"}),
    ("gerrit.example.com?repo=r", {"host": "gerrit.example.com", "repo": "r"}),
    ("dev.azure.com?organization=a&project=p+q&repo=r",
     {"host": "dev.azure.com", "repo": "r", "organization": "a", "project": "p q"}),
    ("bitbucket.org?workspace=w&project=p&repo=r",
     {"host": "bitbucket.org", "repo": "r", "workspace": "w", "project": "p"}),
    ("bb.example.com:8443?project=p&repo=r", {"host": "bb.example.com:8443", "repo": "r", "project": "p"}),
    ("github.com?owner=first&owner=second&repo=r", {"host": "github.com", "owner": "first", "repo": "r"}),
])  # fmt: skip
def test_a_repository_text_is_taken_apart(url, expected):
    assert parse_repo_url(url, integrations=INTEGRATIONS) == expected


@pytest.mark.parametrize(("url", "said"), [
    ("git.example.net?owner=a&repo=b", "git.example.net"),
    ("https://github.com?owner=a&repo=b", "Leave out the scheme"),
    ("github.com?owner=a", "without repo"),
    ("github.com?owner=&repo=b", "without owner"),
    ("gitlab.com?repo=b", "without owner"),
    ("gerrit.example.com", "without repo"),
    ("dev.azure.com?repo=b", "without project"),
    ("bitbucket.org?project=p&repo=b", "without workspace"),
    ("bb.example.com:8443?repo=b", "without project"),
    ("[?owner=a&repo=b", "expected"),
    (UNDEFINED, "expected a repository"),
    (None, "expected a repository"),
])  # fmt: skip
def test_a_repository_text_that_is_refused_says_why(url, said):
    with pytest.raises(InputError, match=said):
        parse_repo_url(url, integrations=INTEGRATIONS)


def test_a_slug_needs_an_owner():
    assert project_slug("github.com?owner=o&repo=r", integrations=INTEGRATIONS) == "o/r"
    with pytest.raises(InputError, match="owner"):
        project_slug("gerrit.example.com?repo=r", integrations=INTEGRATIONS)


@pytest.mark.parametrize(("ref", "defaults", "expected"), [
    ("group:default/team", UNDEFINED, ("group", "default", "team")),
    ("Group:Ops/Team", UNDEFINED, ("Group", "Ops", "Team")),
    ("group:team", UNDEFINED, ("group", "default", "team")),
    ("team", {"defaultKind": "group", "defaultNamespace": "ops"}, ("group", "ops", "team")),
    ("ns/na:me", {"defaultKind": "group"}, ("group", "ns", "na:me")),
    ("a:b/c:d", None, ("a", "b", "c:d")),
    ({"kind": "k", "name": "n"}, UNDEFINED, ("k", "default", "n")),
    ({"name": "n"}, {"defaultKind": "k"}, ("k", "default", "n")),
])  # fmt: skip
def test_an_entity_reference_is_taken_apart(ref, defaults, expected):
    assert tuple(parse_entity_ref(ref, defaults).values()) == expected


@pytest.mark.parametrize("ref", ["", "team", ":team", "group:", "group:/team", "group:ns/", {}, {"kind": "k"}, 7, None])
def test_a_faulty_entity_reference_is_refused(ref):
    with pytest.raises(InputError, match="found"):
        parse_entity_ref(ref)


@pytest.mark.parametrize(("value", "path", "expected"), [
    ({"a": {"b": 2}}, "a.b", 2),
    ({"a": [1, 2]}, "a[1]", 2),
    ({"a": [1, 2]}, "a.1", 2),
    ([5, 6], "[0]", 5),
    ([5, 6], 1, 6),
    ([5, 6], 1.0, 6),
    ({"1": "x"}, 1, "x"),
    ({"a.b": 1, "a": {"b": 2}}, "a.b", 1),
    ({"a": {"b.c": 1}}, 'a["b.c"]', 1),
    ({"a": {"b": 1}}, ["a", "b"], 1),
    ({"": {"a": 1}}, ".a", 1),
    ([1, 2, 3], "length", 3),
    ("text", "length", 4),
    ({"a": None}, "a", None),
    ({"a": None}, "a.b", UNDEFINED),
    ({"a": 1}, "b", UNDEFINED),
    ({"a": 1, "b[": 2}, "b[", 2),
    ({"a": 1}, "a[", UNDEFINED),
    (UNDEFINED, "a", UNDEFINED),
    (None, "a", UNDEFINED),
    ({"true": 1}, True, 1),
])  # fmt: skip
def test_pick_follows_a_path(value, path, expected):
    assert pick(value, path) == expected


def test_pick_has_a_default():
    assert pick({}, "a.b", "d") == "d"


@given(st.text() | st.none() | st.integers(), st.text())
def test_filters_only_ever_refuse(value, path):
    for function in builtin_filters(INTEGRATIONS).values():
        with suppress(InputError):
            function(value, path)
