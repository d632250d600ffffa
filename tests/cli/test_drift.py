from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from catalogs import component
from repositories import MakeRepository
from servers import run_portal, told
from worked import commit_as, worked_repository


@pytest.fixture
def folder(tmp_path: Path, repo: MakeRepository) -> Path:
    now = datetime.now(UTC)
    made = worked_repository(repo, now=now)
    hostile = "\x1b[31mMallory <m@example.com>"
    commit_as(made, hostile, {"services/c/catalog-info.yaml": component("c", owner="data")}, now=now)
    run_portal("ingest", made.url, folder=tmp_path)
    return tmp_path


def test_the_drift_of_an_entity_is_told_in_lines(folder: Path) -> None:
    text = told(folder, "drift", "component:b", "--half-life", "36500")

    assert "component:default/b  b\nowner: group:default/data\n67 % of recent work on it is by members of" in text
    assert "read: 3 commits to services/b of file:///" in text
    assert ", 1 by bots left out" in text
    assert "CODEOWNERS: .github/CODEOWNERS:3 names @bob-hub (user:default/bob); the catalog says" in text
    assert "Eve Stranger (…@elsewhere.example; not in the catalog)" in text
    assert "eve@" not in text


def test_all_are_told_the_worst_first(folder: Path) -> None:
    text = told(folder, "drift")

    lines = [line.split() for line in text.splitlines()]
    assert lines[0][:3] == ["Entity", "Owner", "Share"]
    assert lines[1][:3] == ["component:default/c", "data", "0%"]
    assert text.endswith("4 assets: 4 known; 1 differ from CODEOWNERS\n")
    assert "3 more; ask with a larger --limit or --offset" in told(folder, "drift", "--limit", "1")
    assert told(folder, "drift", "--layer", "shared").count("component:") == 1


def test_the_same_is_told_as_json(folder: Path) -> None:
    assert json.loads(told(folder, "drift", "component:b", "--json"))["codeowners"]["agrees"] is False
    assert json.loads(told(folder, "drift", "--owner", "data", "--json"))["total"] == 4


def test_a_name_gives_a_terminal_no_commands(folder: Path) -> None:
    assert "\x1b" not in told(folder, "drift") + told(folder, "drift", "component:c")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["component:gone"], "Entity component:default/gone not found"),
        (["component:a", "--owner", "data"], "leave out REF"),
        (["--layer", "gone"], 'There is no layer "gone"'),
        (["--half-life", "0"], "0"),
        (["--half-life", "nan"], "nan"),
    ],
)
def test_what_cannot_be_answered_says_why(folder: Path, words: list[str], message: str) -> None:
    done = run_portal("owners", "drift", *words, folder=folder)

    assert done.returncode == 2
    assert message in done.stderr
