"""`portal validate` against the whole catalog, in the forms that other tools read."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from catalogs import component, documents, entity, group
from repositories import Repository
from sarif_pydantic import Sarif
from servers import ROOT, Server, run_portal, serving

from portal.app import build
from portal.config import load_settings

ORGANISATION = documents(
    group("team-a"),
    component("elsewhere", more="dependsOn: ['component:mine']"),
    entity("Role", "data-scientist", "layers: [high]", version="portal/v1alpha1"),
    entity("Role", "ml-engineer", "layers: [low]", version="portal/v1alpha1"),
    entity("Group", "scientists", "type: team, children: [], roles: [data-scientist]"),
    entity("Group", "engineers", "type: team, children: [], roles: [ml-engineer]"),
    entity(
        "Layer",
        "low",
        "rank: 1, owner: team-a, ownerRoles: [ml-engineer], mayDependOn: [low], "
        "enforcement: {portal/owner-role: enforce}",
        version="portal/v1alpha1",
    ),
    entity(
        "Layer",
        "high",
        "rank: 2, owner: team-a, ownerRoles: [data-scientist], approvers: [data-scientist]",
        version="portal/v1alpha1",
    ),
    entity("System", "upstairs", "owner: scientists, layer: high"),
    component("above", owner="scientists", more="system: upstairs"),
    entity(
        "KindDefinition",
        "gauge",
        "owner: team-a, group: example.com, version: v1, layer: high, names: {kind: Gauge, plural: gauges}, "
        "schema: {properties: {unit: {enum: [ms, kg]}}}",
        version="portal/v1alpha1",
    ),
)
LOW = "layer: low"
MINE = documents(
    component("mine", owner="engineers", more=LOW),
    component("second", owner="engineers", more=f"{LOW}, dependsOn: ['component:mine']"),
)
FORMS = ["human", "json", "sarif", "github", "gitlab"]


class Work:
    """A clone of a repository that the catalog reads, to change and to check."""

    def __init__(self, folder: Path, origin: Repository, *, knowledge: tuple[str, ...]) -> None:
        self.path = folder / "work"
        self.knowledge = knowledge
        subprocess.run(["git", "clone", "--quiet", origin.url, str(self.path)], check=True)

    def write(self, name: str, text: str | None) -> None:
        path = self.path / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def validate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_portal("validate", *arguments, *self.knowledge, folder=self.path)

    def problems(self, *arguments: str) -> list[tuple[str, str, str]]:
        """Return (code, field, found) of what is told."""
        found = json.loads(self.validate("--json", *arguments).stdout)["problems"]
        return [(problem["code"], problem["field"], problem["found"]) for problem in found]


@pytest.fixture(scope="module")
def origins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repository, Repository]:
    """The repositories of an organisation's frame, and of a project."""
    folder = tmp_path_factory.mktemp("origins") / "data" / "repositories"
    organisation, project = Repository(folder / "organisation"), Repository(folder / "project")
    organisation.commit({"catalog-info.yaml": ORGANISATION})
    project.commit({"catalog-info.yaml": MINE})
    return organisation, project


@pytest.fixture(scope="module")
def server(origins: tuple[Repository, Repository]) -> Iterator[Server]:
    """A Portal that serves both."""
    targets = [item for made in origins for item in ("--catalog", made.url)]
    with serving(origins[0].path.parents[2], *targets) as served:
        yield served


@pytest.fixture
def work(tmp_path: Path, database_url: str, origins: tuple[Repository, Repository]) -> Work:
    """A clone of the project beside a database that knows both repositories."""
    settings = load_settings(environment={}, overrides={"data": str(tmp_path / "data"), "database": database_url})
    with build(settings) as portal:
        portal.migrate()
        assert portal.ingest([("url", made.url) for made in origins]).problems == []
    return Work(tmp_path, origins[1], knowledge=("--database", database_url))


@pytest.fixture
def served(tmp_path: Path, server: Server, origins: tuple[Repository, Repository]) -> Work:
    """A clone of the project beside a server that knows both repositories."""
    return Work(tmp_path, origins[1], knowledge=("--server", server.url))


def test_files_as_the_catalog_has_them_are_good(work: Work) -> None:
    done = work.validate()

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 entities, 0 errors"), done.stderr


@pytest.mark.parametrize(
    ("what", "who", "rules"),
    [
        ("component:above", "scientists", []),
        ("component:gone", "scientists", ["portal/exemption-entity"]),
        ("component:above", "engineers", ["portal/exemption-approver"]),
    ],
)
def test_the_catalog_knows_who_is_exempt_and_who_approves(what: str, who: str, rules: list[str], work: Work) -> None:
    exemptions = f"[{{entity: '{what}', reason: x, approver: {who}, expires: 2999-12-31}}]"
    spec = f"owner: team-a, rule: portal/owner-role, exemptions: {exemptions}"
    work.write("catalog-info.yaml", documents(MINE, entity("Policy", "p", spec, version="portal/v1alpha1")))

    found = json.loads(work.validate("--json").stdout)

    assert found["problems"] == []
    assert [finding["rule"] for finding in found["findings"]] == rules


def test_the_catalog_knows_what_the_files_name(work: Work) -> None:
    more = documents(
        component("second", owner="nobody", more="dependsOn: ['component:elsewhere', 'component:nothing']"),
        component("elsewhere"),
        entity("Gauge", "g", "unit: kg, owner: team-a", version="example.com/v1"),
        entity("Gauge", "bad", "unit: mm, owner: team-a", version="example.com/v1"),
    )
    work.write("catalog-info.yaml", documents(component("mine"), more))

    assert work.problems() == [
        ("reference-missing", "spec.owner", "group:default/nobody"),
        ("reference-missing", "spec.dependsOn.1", "component:default/nothing"),
        ("ref-conflict", "metadata.name", "component:default/elsewhere"),
        ("field-invalid", "spec.unit", '"mm"'),
    ]


def test_layers_are_those_of_the_catalog(served: Work) -> None:
    served.write(
        "catalog-info.yaml",
        documents(
            component("mine", owner="scientists", more="layer: low"),
            component("second", owner="engineers", more="layer: low, dependsOn: ['component:above']"),
        ),
    )

    done = served.validate("--json")

    found = [(item["ref"], item["rule"], item["line"]) for item in json.loads(done.stdout)["findings"]]
    assert (done.returncode, found) == (
        1,
        [
            ("component:default/mine", "portal/owner-role", 1),
            ("component:default/second", "portal/layer-direction", 6),
        ],
    )
    assert "group:default/engineers" in done.stdout


def test_only_what_changed_is_told_with_what_it_does_to_others(served: Work) -> None:
    served.write("bad.yaml", component("bad", owner="nobody"))
    subprocess.run(["git", "add", "."], cwd=served.path, check=True)
    subprocess.run(["git", "commit", "-qm", "bad"], cwd=served.path, check=True)
    served.write("catalog-info.yaml", component("second", more="dependsOn: ['component:mine']"))

    assert served.problems("--since", "HEAD") == [
        ("entity-needed", "", "component:default/mine, which 1 entity names (component:default/elsewhere dependsOn)"),
        ("reference-missing", "spec.dependsOn.0", "component:default/mine"),
    ]
    assert served.problems("--since", "HEAD", "bad.yaml") == []
    assert served.problems("--since", "HEAD~1", "bad.yaml")[-1] == (
        "reference-missing",
        "spec.owner",
        "group:default/nobody",
    )


def test_an_entity_may_move_to_another_file(served: Work) -> None:
    served.write("catalog-info.yaml", entity("Location", "all", "targets: [./parts/mine.yaml, ./parts/second.yaml]"))
    served.write("parts/mine.yaml", component("mine"))
    served.write("parts/second.yaml", component("second", more="dependsOn: ['component:mine']"))

    assert served.problems("--since", "origin/main") == []


def test_a_file_is_checked_beside_those_that_stay_as_they_are(served: Work) -> None:
    served.write("more.yaml", documents(component("third", more="dependsOn: ['component:mine']"), component("second")))

    assert served.problems("more.yaml") == [("ref-conflict", "metadata.name", "component:default/second")]


def test_references_are_left_alone_where_nothing_knows_the_catalog(tmp_path: Path) -> None:
    (tmp_path / "catalog-info.yaml").write_text(component("a", more="dependsOn: ['component:b']"))

    done = run_portal("validate", folder=tmp_path)

    assert (done.returncode, done.stdout) == (0, "1 entities, 0 errors\n")
    assert "was not checked" in done.stderr


def test_what_a_change_breaks_among_the_files_is_told_without_the_catalog(tmp_path: Path) -> None:
    made = Repository(tmp_path / "alone")
    made.commit({"a.yaml": component("a", more="dependsOn: ['component:b']"), "b.yaml": component("b")})
    (made.path / "b.yaml").unlink()

    done = run_portal("validate", "--since", "main", "--json", folder=made.path)

    (problem,) = json.loads(done.stdout)["problems"]
    assert (problem["code"], problem["found"], problem["location"]) == (
        "reference-missing",
        "component:default/b",
        f"file:{made.path}/a.yaml",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "nowhere"), '"nowhere" is no revision'),
        (("--since", "--output=x"), '"--output=x" is no revision'),
        (("--server", "http://127.0.0.1:9"), "http://127.0.0.1:9 does not answer"),
        (("--server", "http://x", "--database", "sqlite://"), "not both"),
    ],
)
def test_a_check_that_cannot_be_made_is_a_mistake(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    made = Repository(tmp_path / "alone")
    made.commit({"catalog-info.yaml": component("a")})

    done = run_portal("validate", *arguments, folder=made.path)

    assert done.returncode == 2
    assert said in done.stderr


def test_warnings_fail_a_strict_check(served: Work) -> None:
    served.write("catalog-info.yaml", documents(component("mine", owner="nobody"), component("second")))

    assert [served.validate(*arguments).returncode for arguments in ((), ("--strict",))] == [0, 1]


@pytest.fixture
def faulty(served: Work) -> Work:
    """A clone with an error and a warning."""
    mine = component("mine", owner="engineers", more=f"{LOW}, dependsOn: ['component:nothing']")
    served.write("catalog-info.yaml", documents(mine, component("second", owner="''")))
    return served


def test_sarif_is_what_its_standard_says(faulty: Work) -> None:
    faulty.write("catalog-info.yaml", f"# a line more\n{(faulty.path / 'catalog-info.yaml').read_text()}")
    moved = Sarif.model_validate_json(faulty.validate("--format", "sarif").stdout).runs[0].results
    faulty.write("catalog-info.yaml", (faulty.path / "catalog-info.yaml").read_text().removeprefix("# a line more\n"))

    done = faulty.validate("--format", "sarif", "--output", "portal.sarif")

    (run,) = Sarif.model_validate_json((faulty.path / "portal.sarif").read_text()).runs
    told = [(result.rule_id, result.level.value, result.locations[0].physical_location) for result in run.results]
    assert [(rule, level, place.artifact_location.uri, place.region.start_line) for rule, level, place in told] == [
        ("reference-missing", "warning", "catalog-info.yaml", 4),
        ("field-invalid", "error", "catalog-info.yaml", 9),
    ]
    assert {rule.id for rule in run.tool.driver.rules} == {"field-invalid", "reference-missing"}
    assert [item.partial_fingerprints for item in run.results] == [item.partial_fingerprints for item in moved]
    assert (done.returncode, done.stdout) == (1, "")


def test_github_is_given_one_command_a_fault(faulty: Work) -> None:
    lines = faulty.validate("--format", "github").stdout.splitlines()

    assert lines[0].startswith("::warning file=catalog-info.yaml,line=4,col=")
    assert lines[1].startswith("::error file=catalog-info.yaml,line=9,col=")
    assert all(re.fullmatch(r"::(error|warning) [^:]+::[^\r\n]+", line) for line in lines)


def test_gitlab_is_given_a_code_quality_report(faulty: Work) -> None:
    found = json.loads(faulty.validate("--format", "gitlab").stdout)

    assert [(item["check_name"], item["severity"], item["location"]) for item in found] == [
        ("reference-missing", "minor", {"path": "catalog-info.yaml", "lines": {"begin": 4}}),
        ("field-invalid", "major", {"path": "catalog-info.yaml", "lines": {"begin": 9}}),
    ]
    assert len({item["fingerprint"] for item in found}) == 2


@pytest.mark.parametrize("form", FORMS)
def test_nothing_wrong_is_told_in_every_form(served: Work, form: str) -> None:
    done = served.validate("--format", form)

    assert done.returncode == 0
    if form == "sarif":
        assert Sarif.model_validate_json(done.stdout).runs[0].results == []


def _examples() -> list[str]:
    """Return the commands of the examples for CI that check a catalog."""
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    _, github, gitlab = blocks
    steps = [step["run"] for step in github["jobs"]["validate"]["steps"] if "run" in step]
    return [command for command in (*steps, *gitlab["validate-catalog"]["script"]) if command.startswith("portal ")]


def test_the_examples_for_ci_find_what_a_branch_does(faulty: Work, server: Server, tmp_path: Path) -> None:
    subprocess.run(["git", "checkout", "-qb", "branch"], cwd=faulty.path, check=True)
    subprocess.run(["git", "commit", "-qam", "faulty"], cwd=faulty.path, check=True)
    variables = {"GITHUB_BASE_REF": "main", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "PORTAL_URL": server.url}
    environment = os.environ | variables | _with_portal(tmp_path)
    commands = _examples()
    assert len(commands) == 3

    for command in commands:
        done = subprocess.run(["bash", "-c", command], cwd=faulty.path, env=environment, check=False)
        assert done.returncode == 1, command

    assert Sarif.model_validate_json((faulty.path / "portal.sarif").read_text()).runs[0].results
    assert json.loads((faulty.path / "portal-quality.json").read_text())


def test_pre_commit_refuses_a_faulty_catalog_file(faulty: Work, tmp_path: Path) -> None:
    """The hook's definition, run by pre-commit itself, with the `portal` that is installed."""
    hooks = Repository(tmp_path / "hooks")
    hooks.commit({".pre-commit-hooks.yaml": (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")})
    options = ["try-repo", str(hooks.path), "portal-validate-system", "--all-files", "--verbose"]
    environment = os.environ | {"PRE_COMMIT_HOME": str(tmp_path / "cache")} | _with_portal(tmp_path)

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pre_commit", *options]
        return subprocess.run(command, cwd=faulty.path, env=environment, capture_output=True, text=True, check=False)

    refused = run()
    faulty.write("catalog-info.yaml", MINE)
    subprocess.run(["git", "add", "."], cwd=faulty.path, check=True)
    passed = run()

    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "error: catalog-info.yaml:9:46 spec.owner" in refused.stdout
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "2 entities, 0 errors" in passed.stdout


def _with_portal(folder: Path) -> dict[str, str]:
    """Return the environment in which `portal` is this very code."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    script = bin_folder / "portal"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m portal "$@"\n')
    script.chmod(0o755)
    return {"PATH": f"{bin_folder}:{os.environ['PATH']}"}
