from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs import component, documents, entity, group
from repositories import MakeRepository
from servers import run_portal, told


@pytest.fixture
def folder(tmp_path: Path, repo: MakeRepository) -> Path:
    made = repo(
        {
            "catalog-info.yaml": documents(
                group("platform"),
                group("data", more="parent: platform"),
                entity("User", "ada", "memberOf: [data], profile: {displayName: '[red]Ada'}"),
                component("x" * 60, owner="platform", more="dependsOn: ['component:b']").replace(
                    "metadata: {", 'metadata: {title: "red\\x1b[31m", '
                ),
                component("a", owner="data", more="stewards: [{ref: platform, duty: checks}], contributors: [ada]"),
                component("b", owner="gone", more="dependsOn: ['component:a']"),
                entity("Component", "c", "type: service, lifecycle: production, owners: [platform, data, gone]"),
                entity(
                    "Dataset",
                    "sales",
                    "type: table, lifecycle: production, owner: data",
                    version="portal/v1alpha1",
                ),
                entity(
                    "Model",
                    "forecast",
                    "type: regressor, lifecycle: production, owner: platform, trainedOn: [sales]",
                    version="portal/v1alpha1",
                ),
            )
        }
    )
    run_portal("ingest", made.url, folder=tmp_path)
    return tmp_path


def test_an_entity_is_told_in_lines(folder: Path) -> None:
    text = told(folder, "entity", "component:a")

    assert "owner: group:default/data\ngroups above: group:default/platform\npeople: ada (data)\n" in text
    assert "checks: group:default/platform, said by the entity component:default/a" in text
    assert "contributors: user:default/ada (entity)" in text
    assert "owner: group:default/gone (not in the catalog)" in told(folder, "entity", "component:b")


def test_a_portfolio_tells_groups_below_and_counts(folder: Path) -> None:
    text = told(folder, "portfolio", "group:platform")

    assert text.startswith("group:default/platform answers for 5 entities, 3 of them itself\ngroups below: data 2\n")
    assert "shared: dataset 1, model 1" in text
    assert "4 more; ask with a larger --limit" in told(folder, "portfolio", "group:platform", "--limit", "1")


def test_impact_and_lineage_tell_whom_and_what(folder: Path) -> None:
    hit = told(folder, "impact", "component:a")
    flow = told(folder, "lineage", "dataset:sales")

    assert hit.startswith("needs component:default/a: 2\n")
    assert "tell: gone (1, nearest 1), platform (1, nearest 2)" in hit
    # What no person reads is not folded.
    assert [line.split() for line in hit.splitlines()[2:4]] == [
        ["component:default/b", "1", "-", "gone", "-"],
        [f"component:default/{'x' * 60}", "2", "-", "platform", "b"],
    ]
    assert "flows into dataset:default/sales: nothing\ndataset:default/sales flows into: 1\n" in flow
    assert "model:default/forecast" in flow


def test_who_owns_too_is_told_beside_who_is_accountable(folder: Path) -> None:
    text = told(folder, "entity", "component:c")

    assert "owner: group:default/platform\nowners too, not accountable: group:default/data, " in text
    assert "group:default/gone (not in the catalog)\n" in text
    assert json.loads(told(folder, "entity", "component:c", "--json"))["coOwners"] == [
        {"ref": "group:default/data", "exists": True},
        {"ref": "group:default/gone", "exists": False},
    ]
    assert "owners too" not in told(folder, "entity", "component:a")


def test_a_removal_a_change_set_and_a_graph_are_told(folder: Path) -> None:
    removed = told(folder, "impact", "group:platform", "--removed", "--limit", "1")
    changed = told(folder, "impact", "--since", "revision:0", "--limit", "2")
    drawn = told(folder, "graph", "component:a", "--format", "mermaid")
    listed = told(folder, "graph", "component:a", "--relation", "dependsOn", "--kind", "component")

    assert removed.startswith("breaks without group:default/platform: 5\n")
    assert "more; ask with a larger --limit\nneeds group:default/platform: nothing\n" in removed
    assert changed.startswith("changed since revision 0: ")
    assert drawn.startswith("flowchart LR\n")
    assert listed.endswith("component:default/b dependsOn component:default/a\n")
    both = run_portal("owners", "impact", "component:a", "--since", "revision:0", folder=folder)
    neither = run_portal("owners", "impact", folder=folder)
    unknown = run_portal("owners", "impact", "--since", "deadbeef", folder=folder)
    assert [done.returncode for done in (both, neither, unknown)] == [2, 2, 2]
    assert "No version in the catalog comes from the commit deadbeef" in unknown.stderr


@pytest.mark.parametrize("question", ["entity", "graph", "portfolio", "impact", "lineage"])
def test_each_answer_is_json_too(folder: Path, question: str) -> None:
    ref = "group:platform" if question == "portfolio" else "component:a"

    assert json.loads(told(folder, question, ref, "--json"))
    missing = run_portal("owners", question, "component:none", folder=folder)
    assert (missing.returncode, missing.stderr) == (2, "portal: Entity component:default/none not found\n")


def test_a_title_gives_a_terminal_no_commands(folder: Path) -> None:
    text = told(folder, "entity", f"component:{'x' * 60}")

    assert "\x1b" not in text
    assert "red\N{REPLACEMENT CHARACTER}[31m" in text


def test_an_exemption_is_told_with_its_end_and_refuses_nothing(tmp_path: Path, repo: MakeRepository) -> None:
    excused = "exemptions: [{entity: 'dataset:old', reason: 'Gone \\x1b[31msoon', approver: team, expires: %s}]"
    rule = (
        "owner: team, rule: acme/format, severity: enforce, kinds: [Dataset], expression: has(entity.spec.format), "
        "explanation: A dataset says its format., fix: Set spec.format., "
    )
    old = "type: table, lifecycle: production, owner: team, layer: low"
    portal = "portal/v1alpha1"

    def files(day: str) -> dict[str, str]:
        return {
            "catalog-info.yaml": documents(
                entity("Layer", "low", "rank: 1, owner: team, ownerRoles: [maker], approvers: [maker]", version=portal),
                group("team", more="roles: [maker]"),
                entity("Dataset", "old", old, version=portal),
                entity(
                    "Policy",
                    "format",
                    rule + excused.replace("'Gone", '"Gone').replace("soon'", 'soon"') % day,
                    version=portal,
                ),
            )
        }

    made = repo(files("2999-12-31"))
    run_portal("ingest", made.url, folder=tmp_path)

    text = told(tmp_path, "entity", "dataset:old")
    rules = told(tmp_path, "rules")
    validated = run_portal("validate", str(made.path), folder=tmp_path)

    assert "exempt: dataset:default/old: It breaks a rule: A dataset says its format." in text
    assert "Exempt until 2999-12-31, approved by group:default/team: Gone \N{REPLACEMENT CHARACTER}[31msoon" in text
    assert "acme/format  declared by policy:default/format\n" in rules
    assert "valid exemption: dataset:default/old until 2999-12-31" in rules
    assert "\x1b" not in text + rules
    assert (validated.returncode, "exempt: " in validated.stdout) == (0, True)
    answer = json.loads(told(tmp_path, "rules", "--json"))
    assert {"rules", "unavailable"} == set(answer)

    made.commit(files("2020-01-01"))
    refused = run_portal("validate", str(made.path), folder=tmp_path)

    assert refused.returncode == 1
    assert "ended on 2020-01-01" in refused.stdout
