from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from catalogs import component, documents, entity, group
from repositories import MakeRepository
from servers import run_portal

PLAN = """\
reorganisation: split
reason: "Two jobs\\e[31m."
groups:
  close: [{ref: old, heir: new}]
"""


@pytest.fixture
def folder(tmp_path: Path, repo: MakeRepository) -> Path:
    made = repo(
        {
            "catalog-info.yaml": documents(
                group("old"),
                group("new"),
                entity("User", "ada", "memberOf: [old]"),
                component("a", owner="old").replace("spec:", "# \u202e\nspec:"),
            )
        }
    )
    made.git("clone", "--quiet", "--bare", str(made.path), str(tmp_path / "bare.git"))
    run_portal("ingest", (tmp_path / "bare.git").as_uri(), folder=tmp_path)
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    return tmp_path


def branches(folder: Path) -> list[str]:
    done = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname:short) %(authorname)"],
        cwd=folder / "bare.git",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_plan_is_shown_and_nothing_written(folder: Path, options: list[str]) -> None:
    done = run_portal("owners", "reorg", "plan.yaml", *options, folder=folder)

    assert done.returncode == 0, done.stderr
    assert "ends: group:default/old\n1 asset: group:default/old > group:default/new\n" in done.stdout
    assert "-spec: {type: service, lifecycle: production, owner: old}\n" in done.stdout
    assert "+spec: {type: service, lifecycle: production, owner: new}\n" in done.stdout
    assert "nothing was written; --write pushes the branch portal/reorg-split\n" in done.stdout
    assert "\x1b" not in done.stdout
    assert branches(folder) == ["main Ann Author"]


def test_a_change_is_written(folder: Path) -> None:
    done = run_portal("owners", "reorg", "plan.yaml", "--write", "--author", "Olga <o@example.com>", folder=folder)

    assert done.returncode == 0, done.stderr
    assert "to portal/reorg-split of file://" in done.stdout
    assert branches(folder) == ["main Ann Author", "portal/reorg-split Olga"]
    again = run_portal("owners", "reorg", "plan.yaml", "--write", folder=folder)
    assert again.returncode == 2
    assert 'already has a branch "portal/reorg-split"' in again.stderr


def test_the_answer_is_json_too(folder: Path) -> None:
    shown = json.loads(run_portal("owners", "reorg", "plan.yaml", "--json", folder=folder).stdout)
    written = json.loads(run_portal("owners", "reorg", "plan.yaml", "--json", "--write", folder=folder).stdout)

    (commit,) = written.pop("written")
    assert written == shown
    assert commit["branch"] == "portal/reorg-split"


def test_the_schema_of_a_plan_is_printed(tmp_path: Path) -> None:
    schema = json.loads(run_portal("owners", "reorg", "--schema", folder=tmp_path).stdout)

    assert schema["required"] == ["reorganisation", "reason"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan.yaml", "--dry-run", "--write"], "--dry-run writes nothing"),
        ([], "Name one plan"),
        (["plan.yaml", "--schema"], "Name one plan"),
        (["gone.yaml"], "gone.yaml: cannot be read: No such file or directory"),
        (["plan.yaml", "--author", "nobody"], "not of the form Name <address>"),
    ],
)
def test_what_cannot_be_done_says_why(folder: Path, arguments: list[str], message: str) -> None:
    done = run_portal("owners", "reorg", *arguments, folder=folder)

    assert done.returncode == 2
    assert message in done.stderr
