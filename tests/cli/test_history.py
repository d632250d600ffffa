from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs import component, documents
from repositories import MakeRepository, Repository
from servers import run_portal


@pytest.fixture
def made(tmp_path: Path, repo: MakeRepository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A catalog with three revisions: a and b added, a changed and moved, b removed."""
    monkeypatch.setenv("GIT_AUTHOR_NAME", "[red]Ann\x1b[31m")
    found = repo({"x.yaml": documents(component("a"), component("b"))})
    run_portal("ingest", f"{found.url}#main:*.yaml", folder=tmp_path)
    found.commit({"x.yaml": component("b"), "y.yaml": component("a", owner='"t\\x1b[31m[bold]"')})
    run_portal("ingest", f"{found.url}#main:*.yaml", folder=tmp_path)
    found.commit({"x.yaml": None})
    run_portal("ingest", f"{found.url}#main:*.yaml", folder=tmp_path)
    return found


def _rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_changes_are_printed_with_their_commits(tmp_path: Path, made: Repository) -> None:
    done = run_portal("changes", "--since", "1", folder=tmp_path)
    commits = made.git("log", "--format=%h", "--abbrev=10").split()

    assert done.returncode == 0, done.stderr
    head, *rows, last = _rows(done.stdout)
    assert head == ["Revision", "Change", "Entity", "Commit", "Author", "When"]
    assert [row[:4] for row in rows] == [
        ["2", "changed", "component:default/a", commits[1]],
        ["3", "removed", "component:default/b", commits[0]],
    ]
    assert " ".join(last) == "2 changes, the newest revision is 3"


def test_changes_come_in_pages(tmp_path: Path, made: Repository) -> None:
    assert made
    first = json.loads(run_portal("changes", "--limit", "2", "--json", folder=tmp_path).stdout)
    shown = run_portal("changes", "--limit", "2", folder=tmp_path).stdout
    rest = json.loads(run_portal("changes", "--after", str(first["after"]), "--json", folder=tmp_path).stdout)

    assert shown.endswith(f"more with --since 0 --after {first['after']}\n")
    assert [item["change"] for item in (*first["items"], *rest["items"])] == ["added"] * 3 + ["changed", "removed"]
    assert "after" not in rest


def test_the_history_of_an_entity_is_printed_with_what_changed(tmp_path: Path, made: Repository) -> None:
    done = run_portal("history", "component:a", folder=tmp_path)
    as_json = json.loads(run_portal("history", "component:default/a", "--json", folder=tmp_path).stdout)

    assert done.returncode == 0, done.stderr
    assert f"moved from url:{made.url}#main:x.yaml" in done.stdout
    assert 'spec.owner: "team-a" -> ' in done.stdout
    assert [item["change"] for item in as_json["items"]] == ["changed", "added"]
    assert as_json["items"][0]["movedFrom"] == f"url:{made.url}#main:x.yaml"
    assert [row[:2] for row in _rows(done.stdout) if row[0].isdigit()] == [["2", "changed"], ["1", "added"]]


def test_what_catalogs_and_commits_say_is_no_command_to_the_terminal(tmp_path: Path, made: Repository) -> None:
    assert made
    for command in (("changes",), ("history", "component:a")):
        done = run_portal(*command, folder=tmp_path)
        assert "\x1b" not in done.stdout
        assert "[red]Ann" in done.stdout
    assert "[bold]" in done.stdout


def test_the_history_of_one_that_is_gone_goes_on_where_a_page_ended(tmp_path: Path, made: Repository) -> None:
    assert made
    first = run_portal("history", "component:b", "--limit", "1", folder=tmp_path).stdout
    before = first.splitlines()[-1].rpartition(" ")[2]
    second = run_portal("history", "component:b", "--limit", "1", "--before", before, folder=tmp_path).stdout

    assert "removed" in first
    assert "added" in second
    assert "--before" not in second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("history", "component:never"), "Entity component:default/never has never been in the catalog"),
        (("changes", "--since", "9"), "There is no revision 9 yet; the newest is 3"),
        (("history", "a b"), "a b"),
    ],
)
def test_what_is_not_there_ends_with_a_message(
    tmp_path: Path, made: Repository, arguments: tuple[str, ...], message: str
) -> None:
    assert made
    done = run_portal(*arguments, folder=tmp_path)

    assert done.returncode == 2
    assert message in done.stderr
