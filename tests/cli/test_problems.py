from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs import component, documents, entity, group
from repositories import MakeRepository, Repository
from servers import run_portal, told

FRAME = documents(
    group("team-a"),
    group("team-b", more="roles: [builder]"),
    entity("Layer", "low", "rank: 1, owner: team-b, ownerRoles: [builder]", version="portal/v1alpha1"),
    component("a", more="layer: low"),
    component("broken", owner="''"),
)


@pytest.fixture
def made(repo: MakeRepository, tmp_path: Path) -> Repository:
    made = repo({"a.yaml": FRAME})
    assert run_portal("ingest", f"{made.url}#main:*.yaml", folder=tmp_path).returncode == 0
    return made


def test_problems_are_told_in_lines_with_counts(made: Repository, tmp_path: Path) -> None:
    lines = told(tmp_path, "problems").splitlines()

    assert lines[0] == "2 problems at revision 1"
    assert "by rule: field-invalid 1, portal/owner-role 1" in lines
    assert "by layer: none 1, low 1" in lines
    assert "by owner: none 1, team-a 1" in lines
    assert "by severity: error 1, warn 1" in lines
    assert lines[-1].startswith("warn: component:default/a: portal/owner-role: Its owner group:default/team-a holds no")
    assert told(tmp_path, "problems", "--limit", "0").splitlines()[-1] == "2 more; ask with a larger --limit"


def test_problems_are_chosen_by_options(made: Repository, tmp_path: Path) -> None:
    assert told(tmp_path, "problems", "--severity", "error,enforce", "--rule", "field-invalid").startswith(
        "1 problem at"
    )
    assert told(tmp_path, "problems", "--layer", "low", "--owner", "team-b") == "no problems at revision 1\n"
    found = json.loads(told(tmp_path, "problems", "--layer", "low", "--json"))
    assert (found["total"], found["counts"]["rule"]) == (1, {"portal/owner-role": 1})
    for words in (["--rule", "x"], ["--rule", ","], ["--since", "9"], ["--layer", "x"]):
        refused = run_portal("owners", "problems", *words, folder=tmp_path)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr


def test_what_is_new_since_a_revision_is_known_after_each_ingest(made: Repository, tmp_path: Path) -> None:
    made.commit({"b.yaml": component("b", more="layer: low")})
    run_portal("ingest", f"{made.url}#main:*.yaml", folder=tmp_path)

    lines = told(tmp_path, "problems", "--since", "1").splitlines()

    assert lines[0] == "1 problem new since revision 1 at revision 2"
    assert lines[-1].startswith("warn: component:default/b")
    assert told(tmp_path, "problems", "--since", "2").startswith("no problems new since revision 2")


def test_what_a_catalog_says_gives_a_terminal_no_commands(repo: MakeRepository, tmp_path: Path) -> None:
    made = repo({"a.yaml": FRAME, "b.yaml": component("b", owner='"x\\x1b[31m"')})
    run_portal("ingest", f"{made.url}#main:*.yaml", folder=tmp_path)

    text = told(tmp_path, "problems")

    assert "\x1b" not in text
    assert "x\N{REPLACEMENT CHARACTER}[31m is not in the catalog" in text
