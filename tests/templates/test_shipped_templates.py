"""What the templates that ship make: it is valid in the catalog, owned as asked, and its own tests pass.

A template is a folder of `scaffolder_templates/` with cases in `tests/*.yaml`; each case that expects no error is made
into a folder, as a repository would hold it. Whether it installs and passes its checks in an environment of its own is
what the tests marked `templates` ask (`make test-templates`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from servers import ROOT

from portal.actions.workspace import Workspace
from portal.app import build
from portal.app.dry_runs import dry_runs_alone
from portal.cli import main
from portal.config import load_settings
from portal.model.ref import EntityRef
from portal.scaffolder.parameters import owner_parameters, pages
from portal.services.dry_run import DryRun, DryRuns
from portal.services.template_cases import Case, read_cases, read_template, try_case

FOLDERS = sorted(file.parent for file in (ROOT / "scaffolder_templates").glob("*/template.yaml"))
CASES = [
    pytest.param(folder, case, id=f"{folder.name}-{case.path.stem}")
    for folder in FOLDERS
    for case in read_cases(folder)
]
#: Those that make something.
MADE = [found for found in CASES if "error" not in found.values[1].expected]
#: Their tests need nothing but what Portal is tested with: they are never left out.
ALWAYS_TRIED = {"component-library", "model-evaluation", "pipeline-component", "shared-dataset"}
#: What is left where an expression was none, was not rendered, or gave an object.
_LEFT_OVER = re.compile(r"\$\{\{[^}]*\b(values|parameters)\.|\{%|\[object Object\]")
_SECONDS = 1800


@dataclass(frozen=True)
class Made:
    """What a case made."""

    template: dict[str, Any]
    case: Case
    folder: Path

    @property
    def owner(self) -> EntityRef:
        """The owner that was asked for."""
        (name,) = owner_parameters(pages(self.template))
        return EntityRef.parse(self.case.values[name], default_kind="group")

    def text(self, path: str) -> str:
        return (self.folder / path).read_text(encoding="utf-8")

    def entities(self) -> list[dict[str, Any]]:
        return list(yaml.safe_load_all(self.text("catalog-info.yaml")))

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())

    def project(self) -> dict[str, Any]:
        """Return what pyproject.toml says, nothing where there is none."""
        return tomllib.loads(self.text("pyproject.toml")) if (self.folder / "pyproject.toml").is_file() else {}


Make = Callable[[Path, Case], Made]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DryRuns]:
    data = tmp_path_factory.mktemp("runs") / "data"
    with dry_runs_alone(load_settings(environment={}, overrides={"data": str(data)})) as found:
        yield found


@pytest.fixture(scope="module")
def make(runs: DryRuns, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return what makes a case into a folder, once."""
    known: dict[Path, Made] = {}

    def one(folder: Path, case: Case) -> Made:
        if case.path not in known:
            file = folder / "template.yaml"
            template = read_template(file)
            result = runs.run(DryRun(template, case.values, secrets=case.secrets, location=f"file:{file}"))
            assert result.error is None, result.error
            place = tmp_path_factory.mktemp(f"{folder.name}-{case.path.stem}")
            Workspace(place).write(result.files)
            known[case.path] = Made(template, case, place)
        return known[case.path]

    return one


@pytest.fixture(scope="module")
def catalog_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The url of a database that holds the whole reference catalog."""
    data = tmp_path_factory.mktemp("whole")
    url = f"sqlite:///{data / 'portal.db'}"
    with build(load_settings(environment={}, overrides={"data": str(data), "database": url})) as portal:
        portal.migrate()
        portal.ingest([("file", str(ROOT / "catalog-info.yaml"))])
    return url


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_form_is_one_that_a_person_understands(folder: Path) -> None:
    template = read_template(folder / "template.yaml")
    form = pages(template)
    fields = {name: field for page in form for name, field in page["properties"].items()}

    assert template["metadata"]["name"] == folder.name
    assert template["metadata"]["title"]
    assert template["metadata"]["description"]
    assert template["spec"]["owner"]
    assert all(made["kind"] and made["layer"] for made in template["spec"]["creates"])
    assert all(page["title"] for page in form)
    assert {name for page in form for name in page.get("required", ())} >= {"name", "owner"}
    assert fields["owner"]["ui:field"] == "OwnerPicker"
    assert not {name for name, field in fields.items() if not field.get("title")}
    assert not {name for name, field in fields.items() if not (field.get("description") or field.get("enum"))}
    assert template["spec"]["output"]["links"]
    assert [found for found in read_cases(folder) if "error" not in found.expected], "no case makes anything"


@pytest.mark.parametrize(("folder", "case"), CASES)
def test_its_cases_hold(runs: DryRuns, folder: Path, case: Case) -> None:
    file = folder / "template.yaml"

    assert list(try_case(runs, read_template(file), case, file=file).faults) == []


@pytest.mark.parametrize(("folder", "case"), MADE)
def test_what_it_makes_is_valid_in_the_whole_catalog(
    make: Make, catalog_url: str, tmp_path: Path, folder: Path, case: Case
) -> None:
    made = make(folder, case)

    command = ["--data", str(tmp_path), "validate", "--database", catalog_url, "--strict", str(made.folder)]
    done = CliRunner().invoke(main, command)

    assert done.exit_code == 0, done.output
    assert f"{len(made.entities())} entit" in done.output


@pytest.mark.parametrize(("folder", "case"), MADE)
def test_what_it_makes_is_owned_as_asked(make: Make, folder: Path, case: Case) -> None:
    made = make(folder, case)
    promised = {item["kind"]: item["layer"] for item in made.template["spec"]["creates"]}
    entities = [entity for entity in made.entities() if entity["kind"] in promised]

    assert {entity["kind"] for entity in entities} == set(promised)
    for entity in entities:
        assert EntityRef.parse(entity["spec"]["owner"], default_kind="group") == made.owner
        assert "${{" in promised[entity["kind"]] or entity["spec"].get("layer") in {promised[entity["kind"]], None}
        template = f"template:default/{folder.name}"
        assert entity["metadata"]["annotations"]["backstage.io/source-template"] == template
    assert made.text("CODEOWNERS").splitlines()[-1] == f"* @{made.owner.name}"
    assert str(made.owner) in made.text("README.md")


@pytest.mark.parametrize(("folder", "case"), MADE)
def test_what_it_makes_is_rendered_whole_and_checked_by_ci(make: Make, folder: Path, case: Case) -> None:
    made = make(folder, case)
    files = made.files()
    workflows = [path for path in files if path.startswith(".github/workflows/") or path == ".gitlab-ci.yml"]

    assert case.values["name"] in made.text("README.md")
    assert not [path for path in files if path.endswith(".njk")]
    assert {path: found for path in files if (found := _LEFT_OVER.findall(made.text(path)))} == {}
    assert any("portal validate" in made.text(path) for path in workflows), workflows
    assert all(yaml.safe_load(made.text(path)) for path in workflows)


@pytest.mark.parametrize(("folder", "case"), MADE)
def test_its_code_is_clean(make: Make, folder: Path, case: Case) -> None:
    made = make(folder, case)
    # Without settings of its own those of Portal must not hold: the folder stands somewhere else then.
    settings = ["--isolated", "--line-length", "120"] if "ruff" not in made.project().get("tool", {}) else []

    for command in (["check"], ["format", "--check", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", *settings, "."],
            cwd=made.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("folder", "case"), MADE)
def test_its_own_tests_pass(make: Make, folder: Path, case: Case) -> None:
    made = make(folder, case)
    project = made.project()
    missing = sorted(str(needed) for needed in _needed(project) if not _is_there(needed))
    if missing:
        assert folder.name not in ALWAYS_TRIED, missing
        pytest.skip(f"needs {', '.join(missing)}: make test-templates has it")

    commands = [["-m", "pytest", "-q", "-p", "no:cacheprovider"]] if project else []
    for command in commands or [[path] for path in made.files() if path.startswith("checks/")]:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=made.folder,
            # The plugins that Portal is tested with are none of theirs, and take most of the time.
            env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.templates
@pytest.mark.parametrize(("folder", "case"), MADE)
def test_it_passes_the_checks_of_its_ci_in_an_environment_of_its_own(
    make: Make, tmp_path: Path, folder: Path, case: Case
) -> None:
    made = make(folder, case)
    place = tmp_path / "repository"
    shutil.copytree(made.folder, place)
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    script = _script(made)
    assert "${{" not in script

    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        cwd=place,
        env=os.environ | {"PATH": f"{environment / 'bin'}:{os.environ['PATH']}", "VIRTUAL_ENV": str(environment)},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )

    assert done.returncode == 0, (done.stdout + done.stderr)[-20_000:]


def _script(made: Made) -> str:
    """Return what the job `tests` of its CI runs."""
    gitlab, github = ".gitlab-ci.yml", ".github/workflows/check.yaml"
    if gitlab in made.files():
        lines = yaml.safe_load(made.text(gitlab))["tests"]["script"]
    else:
        steps = yaml.safe_load(made.text(github))["jobs"]["tests"]["steps"]
        lines = [step["run"] for step in steps if "run" in step]
    return "\n".join(lines)


def _needed(project: dict[str, Any]) -> Iterator[Requirement]:
    yield from map(Requirement, project.get("project", {}).get("dependencies", ()))
    # A member that is no text names another group, which is not asked for.
    dev = project.get("dependency-groups", {}).get("dev", ())
    yield from (Requirement(item) for item in dev if isinstance(item, str))


def _is_there(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False
