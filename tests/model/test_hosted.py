"""The urls of git hosts, as `@backstage/integration` 2.1 reads and writes them."""

import pytest

from portal.model.hosted import Links, hosted_url, links, shown_url
from portal.model.integration import Integration, Integrations
from portal.model.location import parse_target, relative_target

HOSTS = Integrations([Integration("git.corp:8443", "bitbucketCloud"), Integration("ghe.corp", "github")])

FILES = [
    # url, remote, branch, path, the location of a/x y.yaml
    ("https://github.com/o/r/blob/main/c.yaml", "https://github.com/o/r", "main", "c.yaml",
     "https://github.com/o/r/blob/main/a/x%20y.yaml"),
    ("https://github.com/o/r/edit/main/a/c.yaml", "https://github.com/o/r", "main", "a/c.yaml",
     "https://github.com/o/r/blob/main/a/x%20y.yaml"),
    ("https://github.com/blob/blob/raw/v1.0/a%20b.yaml?plain=1", "https://github.com/blob/blob", "v1.0", "a b.yaml",
     "https://github.com/blob/blob/blob/v1.0/a/x%20y.yaml"),
    ("https://ghe.corp/o/r/tree/main", "https://ghe.corp/o/r", "main", "", "https://ghe.corp/o/r/blob/main/a/x%20y.yaml"),
    ("https://gitlab.com/g/s/t/r/-/blob/main/c.yaml", "https://gitlab.com/g/s/t/r", "main", "c.yaml",
     "https://gitlab.com/g/s/t/r/-/blob/main/a/x%20y.yaml"),
    ("https://gitlab.com/g/r/-/raw/main/c.yaml", "https://gitlab.com/g/r", "main", "c.yaml",
     "https://gitlab.com/g/r/-/blob/main/a/x%20y.yaml"),
    ("https://gitlab.com/g/s/r/tree/main/c.yaml", "https://gitlab.com/g/s/r", "main", "c.yaml",
     "https://gitlab.com/g/s/r/blob/main/a/x%20y.yaml"),
    ("https://unknown.corp/g/s/r/-/edit/main/c.yaml", "https://unknown.corp/g/s/r", "main", "c.yaml",
     "https://unknown.corp/g/s/r/-/blob/main/a/x%20y.yaml"),
    ("https://forge.corp/o/r/src/branch/main/c.yaml", "https://forge.corp/o/r", "main", "c.yaml",
     "https://forge.corp/o/r/src/branch/main/a/x%20y.yaml"),
    ("https://codeberg.org/o/r/raw/tag/v1/c.yaml", "https://codeberg.org/o/r", "v1", "c.yaml",
     "https://codeberg.org/o/r/src/tag/v1/a/x%20y.yaml"),
    ("https://bitbucket.org/w/r/src/main/c.yaml", "https://bitbucket.org/w/r", "main", "c.yaml",
     "https://bitbucket.org/w/r/src/main/a/x%20y.yaml"),
    ("https://git.corp:8443/w/r/raw/main/c.yaml", "https://git.corp:8443/w/r", "main", "c.yaml",
     "https://git.corp:8443/w/r/src/main/a/x%20y.yaml"),
    ("https://bb.corp/projects/P/repos/r/browse/c.yaml", "https://bb.corp/scm/P/r.git", "", "c.yaml",
     "https://bb.corp/projects/P/repos/r/browse/a/x%20y.yaml"),
    ("https://bb.corp/ctx/users/u/repos/r/raw/a/c.yaml?at=refs%2Fheads%2Ff%2Fx", "https://bb.corp/ctx/scm/~u/r.git",
     "f/x", "a/c.yaml", "https://bb.corp/ctx/users/u/repos/r/browse/a/x%20y.yaml?at=f/x"),
    ("https://dev.azure.com/o/p/_git/r?path=%2Fa%2Fc.yaml&version=GBf/x", "https://dev.azure.com/o/p/_git/r", "f/x",
     "a/c.yaml", "https://dev.azure.com/o/p/_git/r?path=/a/x%20y.yaml&version=GBf/x"),
    ("https://dev.azure.com/o/_git/r?path=/c.yaml", "https://dev.azure.com/o/_git/r", "", "c.yaml",
     "https://dev.azure.com/o/_git/r?path=/a/x%20y.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "remote", "branch", "path", "other"), FILES, ids=[case[0] for case in FILES])
def test_the_url_of_a_file_names_remote_branch_and_path(
    url: str, remote: str, branch: str, path: str, other: str
) -> None:
    target = parse_target("url", url, integrations=HOSTS)

    assert (target.tree.root, target.tree.branch, target.pattern) == (remote, branch, path or "catalog-info.yaml")
    assert target.location("a/x y.yaml") == f"url:{other}"
    assert target.path_of(f"url:{other}") == "a/x y.yaml"
    again = parse_target("url", other, integrations=HOSTS)
    assert (again.tree, again.pattern, again.location("c")) == (target.tree, "a/x y.yaml", target.location("c"))


@pytest.mark.parametrize(
    "url",
    ["https://github.com/o/r", "https://github.com/o/r/issues/1", "https://github.com/o/blob/main", "ssh://git@h/o/r/blob/main/x",
     "https://dev.azure.com/o/p/_git/r", "https://bitbucket.org/w/r/src/", "https://h/catalog.yaml"],
)  # fmt: skip
def test_other_urls_are_of_no_host(url: str) -> None:
    assert hosted_url(url, HOSTS) is None


@pytest.mark.parametrize(
    ("url", "kind", "edit", "folder"),
    [
        ("https://github.com/o/r/blob/main/a/c.yaml", "github",
         "https://github.com/o/r/edit/main/a/c.yaml", "https://github.com/o/r/tree/main/a/"),
        ("https://gitlab.com/g/s/r/-/blob/main/c.yaml", "gitlab",
         "https://gitlab.com/g/s/r/-/edit/main/c.yaml", "https://gitlab.com/g/s/r/-/blob/main/"),
        ("https://gitea.com/o/r/src/branch/main/a/c.yaml", "gitea",
         "https://gitea.com/o/r/_edit/main/a/c.yaml", "https://gitea.com/o/r/src/branch/main/a/"),
        ("https://bitbucket.org/w/r/src/main/a/c.yaml", "bitbucketCloud",
         "https://bitbucket.org/w/r/src/main/a/c.yaml?mode=edit&at=main", "https://bitbucket.org/w/r/src/main/a/"),
        ("https://bb.corp/projects/P/repos/r/browse/a/c.yaml?at=f", "bitbucketServer",
         "https://bb.corp/projects/P/repos/r/browse/a/c.yaml", "https://bb.corp/projects/P/repos/r/browse/a/?at=f"),
        ("https://dev.azure.com/o/p/_git/r?path=/a/c.yaml&version=GBmain", "azure",
         "https://dev.azure.com/o/p/_git/r?path=/a/c.yaml&version=GBmain",
         "https://dev.azure.com/o/p/_git/r?path=%2Fa%2F&version=GBmain"),
        (f"https://github.com/o/r/blob/{'a1' * 20}/c.yaml", "github", "", f"https://github.com/o/r/tree/{'a1' * 20}/"),
        ("https://h/c.yaml", "", "", ""),
    ],
)  # fmt: skip
def test_links_are_those_of_backstage(url: str, kind: str, edit: str, folder: str) -> None:
    assert links(url, kind) == Links(url, edit, folder)


@pytest.mark.parametrize(
    ("remote", "branch", "shown"),
    [
        ("https://github.com/o/r.git", "", "https://github.com/o/r/blob/HEAD/a/c.yaml"),
        ("https://user:token@gitlab.com/g/s/r.git", "f/x", "https://gitlab.com/g/s/r/-/blob/f/x/a/c.yaml"),
        ("https://codeberg.org/o/r", "main", "https://codeberg.org/o/r/src/branch/main/a/c.yaml"),
        ("https://codeberg.org/o/r", "", ""),
        ("https://dev.azure.com/o/p/_git/r", "main", "https://dev.azure.com/o/p/_git/r?path=/a/c.yaml&version=GBmain"),
        ("https://unknown.corp/o/r", "main", ""),
        ("git@github.com:o/r", "main", ""),
    ],
)
def test_a_file_of_a_remote_is_shown_where_its_host_shows_it(remote: str, branch: str, shown: str) -> None:
    assert shown_url(remote, branch, "a/c.yaml", HOSTS) == shown


def test_a_url_whose_branch_may_hold_slashes_names_the_longer_ones_too() -> None:
    target = parse_target("url", "https://github.com/o/r/blob/feature/x/a/*.yaml")

    found = target.longer_branches()

    assert [(item.tree.branch, item.pattern) for item in found] == [
        ("feature/x", "a/*.yaml"),
        ("feature/x/a", "*.yaml"),
    ]
    assert {item.location("b.yaml").removesuffix("b.yaml") for item in found} == {
        "url:https://github.com/o/r/blob/feature/x/",
        "url:https://github.com/o/r/blob/feature/x/a/",
    }
    assert parse_target("url", "https://bb.corp/projects/P/repos/r/browse/c.yaml?at=f/x").longer_branches() == []


def test_a_relative_target_keeps_the_branch_behind_the_path() -> None:
    target = parse_target("url", "https://dev.azure.com/o/p/_git/r?path=/a/c.yaml&version=GBmain")

    found = relative_target(target, base="a/c.yaml", relative="../d.yaml")

    assert found.location(found.pattern) == "url:https://dev.azure.com/o/p/_git/r?path=/d.yaml&version=GBmain"
