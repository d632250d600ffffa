import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.graph.codeowners import OwnersFile
from portal.graph.drift import Author
from portal.graph.people import People, hint_of, masked
from portal.model.ref import EntityRef

ANN, BOB = EntityRef("user:default/ann"), EntityRef("user:default/bob")
DATA, OPS = EntityRef("group:default/data"), EntityRef("group:default/ops")
PEOPLE = People(
    {
        ANN: {
            "spec": {"profile": {"email": "Ann@Example.com"}},
            "metadata": {"annotations": {"github.com/user-login": "ann-hub", "github.com/user-id": "77"}},
        },
        BOB: {"spec": {}, "metadata": {"annotations": {"gitlab.com/user-login": "https://gitlab.com/bob-lab"}}},
        DATA: {"spec": {}, "metadata": {"annotations": {"github.com/team-slug": "acme/data-team"}}},
        OPS: {"spec": {"profile": {"email": "ops@example.com"}}, "metadata": {}},
    }
)


def owners(text: str, path: str) -> list[tuple[int, tuple[str, ...]]]:
    return [(rule.line, rule.owners) for rule in OwnersFile(text).rules_for(path)]


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*", "a/b.yaml", True),
        ("*.yaml", "a/b.yaml", True),
        ("/a/", "a/b/c.yaml", True),
        ("/a", "b/a/c.yaml", False),
        ("a/", "b/a/c.yaml", True),
        ("docs/*", "docs/a.md", True),
        ("docs/*", "docs/deep/a.md", False),
        ("/a/**/c.yaml", "a/b/b/c.yaml", True),
        ("**/logs", "x/y/logs/z", True),
        ("a\\ b/", "a b/c", True),
        ("!a", "a", False),
        ("[z-a]", "a", False),
        ("a" + "*a" * 20, "a" * 200, False),
    ],
)
def test_patterns_match_as_the_hosts_match_them(pattern: str, path: str, matches: bool) -> None:
    assert bool(owners(f"{pattern} @x", path)) is matches


def test_the_last_line_that_matches_counts_and_comments_do_not() -> None:
    text = "# all\n* @all\n\n/a/ @org/a ann@example.com # not @bob\n/a/free\n"

    assert owners(text, "b") == [(2, ("@all",))]
    assert owners(text, "a/b") == [(4, ("@org/a", "ann@example.com"))]
    assert owners(text, "a/free") == [(5, ())]


def test_each_section_of_gitlab_has_owners_and_defaults_of_its_own() -> None:
    text = "* @all\n[Docs][2] @writers\n*.md\n/a/ @bob\n^[Data]\n*.md @data\n[docs]\n/late.md\n"

    assert owners(text, "x.md") == [(1, ("@all",)), (3, ("@writers",)), (6, ("@data",))]
    assert owners(text, "a/b") == [(1, ("@all",)), (4, ("@bob",))]
    assert owners(text, "late.md") == [(1, ("@all",)), (6, ("@data",)), (8, ("@writers",))]


@pytest.mark.parametrize("pattern", ["/[[a]", "/[*a]"])
def test_a_bracket_or_wildcard_within_brackets_is_no_pattern(pattern: str) -> None:
    assert owners(f"* @c\n{pattern} @b", "a") == [(1, ("@c",))]


@given(st.text(alphabet="@ab/*[]^\\!#? \n-", max_size=80), st.text(alphabet="ab/ ", max_size=12))
def test_no_file_is_too_odd_to_be_read(text: str, path: str) -> None:
    for rule in OwnersFile(text).rules_for(path):
        assert rule.line >= 1


@pytest.mark.parametrize(
    ("email", "user"),
    [
        ("ann@example.COM", ANN),
        ("1+ann-hub@users.noreply.github.com", ANN),
        ("ann-hub@users.noreply.github.com", ANN),
        ("77+renamed@users.noreply.github.com", ANN),
        ("9-bob-lab@users.noreply.gitlab.com", BOB),
        ("ann-hub@users.noreply.gitlab.com", None),
        ("ops@example.com", None),
        ("ann@example.com.evil", None),
        ("", None),
    ],
)
def test_authors_are_matched_by_address_then_account(email: str, user: EntityRef | None) -> None:
    assert PEOPLE.user_of(Author("Ann", email)) == user


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("@acme/data-team", DATA),
        ("@Acme/OPS", OPS),
        ("@ann-hub", ANN),
        ("@bob", BOB),
        ("@ops", OPS),
        ("ann@example.com", ANN),
        ("OPS@example.com", OPS),
        ("@acme/ann", None),
        ("@@developer", None),
    ],
)
def test_owners_are_matched_by_annotation_then_name(name: str, ref: EntityRef | None) -> None:
    assert PEOPLE.named(name) == ref


def test_addresses_are_not_told() -> None:
    assert hint_of(Author("x", "5+eve@users.noreply.github.com")) == "eve at github.com"
    assert hint_of(Author("x", "secret.name@example.com")) == "…@example.com"
    assert masked("Eve <eve@example.com>") == "Eve <…@example.com>"
    assert masked("@org/team") == "@org/team"
