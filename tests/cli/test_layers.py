from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs import component, documents, entity, group
from repositories import MakeRepository
from servers import run_portal, told

PORTAL = "portal/v1alpha1"


@pytest.fixture
def folder(tmp_path: Path, repo: MakeRepository) -> Path:
    made = repo(
        {
            "catalog-info.yaml": documents(
                group("team", more="roles: [scientist]"),
                entity("User", "ada", "memberOf: [team]"),
                entity("User", "bob", "memberOf: [], roles: [guard]"),
                entity("Role", "scientist", "layers: [high]", version=PORTAL).replace(
                    "metadata: {", 'metadata: {title: "red\\x1b[31m", '
                ),
                entity("Role", "guard", version=PORTAL),
                entity("Layer", "low", "rank: 1, owner: team, ownerRoles: [guard]", version=PORTAL),
                entity(
                    "Layer",
                    "high",
                    "rank: 2, owner: team, ownerRoles: [scientist], stewards: [{duty: checks, role: guard}]",
                    version=PORTAL,
                ),
                entity("Project", "one", "owner: team, lifecycle: production, layer: high, "
                       "dependsOn: ['component:base']", version=PORTAL),
                component("base", owner="team", more="layer: low"),
                component("idle", owner="gone", more="layer: low"),
                component("churn-job", owner="team", more="layer: high"),
                component("churn-jobs", owner="user:ada".join("''"), more="layer: high"),
            )
        }
    )  # fmt: skip
    run_portal("ingest", made.url, folder=tmp_path)
    return tmp_path


def test_layers_are_told_in_tables_and_lines(folder: Path) -> None:
    text = told(folder, "layers")

    rows = [line.split() for line in text.splitlines()]
    assert ["high", "3", "2", "100", "%", "3", "-", "-", "-"] in rows
    assert ["low", "2", "2", "50", "%", "2", "2", "1", "1"] in rows
    assert ["component:default/base", "1", "1", "one"] in rows
    assert "owners: gone 1 (not in the catalog), team 1\n" in text
    assert "nobody uses: component:default/idle\n" in text
    assert "near-duplicates: 1\n94 %: component:default/churn-job of group:default/team, and" in text
    assert "1 more; ask with a larger --limit" in told(folder, "layers", "--limit", "1")
    assert "low" not in told(folder, "layers", "--layer", "high").split()


def test_a_balance_is_told_with_what_is_missing(folder: Path) -> None:
    text = told(folder, "balance", "project:one")

    assert "The team is not balanced: 1 of 2 required roles held, 1 of them by one person alone.\n" in text
    assert ["scientist", "required", "the", "layer", "high", "ada", "alone"] in [
        line.split() for line in text.splitlines()
    ]
    assert (
        'missing: Nobody on the team holds the role "guard" (the layer high asks for a steward for "checks"). '
        "Who could help: user:default/bob.\n"
    ) in text
    assert "\x1b" not in text


def test_each_answer_is_json_too(folder: Path) -> None:
    assert json.loads(told(folder, "layers", "--json"))["layers"]
    assert json.loads(told(folder, "balance", "project:one", "--json"))["balanced"] is False
    missing = run_portal("owners", "balance", "component:none", folder=folder)
    assert (missing.returncode, missing.stderr) == (2, "portal: Entity component:default/none not found\n")
    unknown = run_portal("owners", "layers", "--layer", "none", folder=folder)
    assert (unknown.returncode, unknown.stderr) == (2, 'portal: There is no layer "none"; known are: high, low\n')
