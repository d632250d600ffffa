from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs import component, documents, group
from repositories import MakeRepository
from servers import run_portal, told


@pytest.fixture
def folder(tmp_path: Path, repo: MakeRepository) -> Path:
    made = repo({"catalog-info.yaml": documents(group("data"), group("watch"), component("a", owner="data"))})
    run_portal("ingest", made.url, folder=tmp_path)
    made.git("config", "user.name", "Ad\x1ba")
    made.commit({"catalog-info.yaml": documents(group("data"), group("watch"), component("a", owner="watch"))})
    run_portal("ingest", made.url, folder=tmp_path)
    return tmp_path


def test_history_tells_periods_and_moves(folder: Path) -> None:
    asset = told(folder, "history", "component:a").splitlines()
    owner = told(folder, "history", "group:watch")

    assert asset[0] == "component:default/a: periods 2"
    assert asset[2].split()[2:5] == ["now", "watch", "-"]
    assert asset[3].split()[4:6] == ["data", "-"]
    assert owner.startswith("group:default/watch: gained and lost 1\n")
    assert owner.splitlines()[2].split()[:3] == ["gained", "component:default/a", "data"]
    assert "\x1b" not in owner
    assert "1 more with --offset 1" in told(folder, "history", "component:a", "--limit", "1")


def test_handovers_tell_what_changed_hands(folder: Path) -> None:
    text = told(folder, "handovers", "--from", "revision:1")

    assert text.startswith("Between the revisions 1 and 2: 1 handed-over, 0 came, 0 went\n")
    assert text.splitlines()[2].split()[:5] == ["component:default/a", "handed-over", "data", "watch", "-"]
    assert told(folder, "handovers", "--from", "revision:1", "--kind", "group").count("\n") == 1


def test_of_whom_the_catalog_never_heard_nothing_changed_hands(folder: Path) -> None:
    for words in (("--layer", "nowhere"), ("--owner", "nobody")):
        done = run_portal("owners", "handovers", "--from", "revision:1", *words, folder=folder)

        assert done.returncode == 2
        assert done.stderr.endswith("has never been in the catalog\n")
    done = run_portal("owners", "handovers", "--from", "revision:1", "--kind", "Nope", folder=folder)
    assert done.stderr.startswith('portal: Unknown kind "nope"; known are airesource, ')


def test_an_entity_and_a_portfolio_are_told_as_they_were(folder: Path) -> None:
    entity = told(folder, "entity", "component:a", "--at", "revision:1")
    portfolio = told(folder, "portfolio", "group:data", "--at", "revision:1")

    assert entity.startswith("As of revision 1 of ")
    assert "Not known of that time: problems, " in entity
    assert "owner: group:default/data\n" in entity
    assert "group:default/data answers for 1 entity, 1 of them itself\n" in portfolio


@pytest.mark.parametrize(
    "words",
    [
        ("history", "component:a"),
        ("handovers", "--from", "revision:1", "--to", "revision:2", "--owner", "data"),
        ("entity", "component:a", "--at", "revision:1"),
    ],
)
def test_each_answer_is_json_too(folder: Path, words: tuple[str, ...]) -> None:
    assert json.loads(told(folder, *words, "--json"))


def test_a_moment_that_cannot_be_read_says_why(folder: Path) -> None:
    done = run_portal("owners", "entity", "component:a", "--at", "yesterday", folder=folder)

    assert done.returncode == 2
    assert done.stderr.startswith('portal: "yesterday" is no moment; expected a time with its offset')
