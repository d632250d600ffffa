"""Templates in the style of public ones run to pushed repositories: pages, conditions, loops, Cookiecutter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from portal.app import Portal, build
from portal.cli.template import run_template
from portal.config import load_settings
from portal.errors import ValuesError
from portal.model.secret import Secret

FOLDER = Path(__file__).parent / "public_style"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/template.yaml"))


@dataclass(frozen=True)
class Run:
    """A task that has ended, and the repository that it pushed."""

    task: Mapping[str, Any]
    files: Mapping[str, str]
    log: str

    def yaml(self, path: str) -> Any:
        return yaml.safe_load(self.files[path])


class Shop:
    """A Portal whose catalog holds the templates and who owns what they make."""

    def __init__(self, portal: Portal, folder: Path) -> None:
        self.portal = portal
        self._folder = folder

    def run(self, name: str, values: Mapping[str, Any], *, repository: str, branch: str = "main", **more: Any) -> Run:
        lines: list[str] = []
        task = run_template(
            self.portal.scaffolding,
            name,
            values,
            show=lambda _steps, event: lines.append(str(event["body"].get("message", ""))),
            **more,
        )
        assert task["status"] == "completed", "\n".join(lines)
        bare = self._folder / "repositories" / f"{repository}.git"
        git = ["git", "--git-dir", str(bare)]
        paths = _output(*git, "ls-tree", "-r", "-z", "--name-only", branch).split("\0")[:-1]
        files = {path: _output(*git, "show", f"{branch}:{path}") for path in paths if not path.startswith(".portal/")}
        return Run(task, files, "\n".join(lines))


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    data = tmp_path_factory.mktemp("shop")
    with build(load_settings(environment={}, overrides={"data": str(data)})) as portal:
        portal.migrate()
        targets = [FOLDER / "organisation.yaml", *(FOLDER / name / "template.yaml" for name in NAMES)]
        report = portal.ingest([("file", str(target)) for target in targets])
        assert not report.problems, report.problems
        portal.jobs.start(worker=True, alone=True)
        yield Shop(portal, data)


SERVICE = {
    "component_id": "basket",
    "owner": "group:default/checkout",
    "system": "system:default/shop",
    "runtime": "node",
    "withDocs": False,
    "databases": ["postgres", "redis"],
    "repoUrl": "github.com?owner=acme&repo=basket-service",
}


def test_pages_conditions_and_a_loop_make_a_service(shop: Shop) -> None:
    run = shop.run("web-service", SERVICE, repository="acme/basket-service")

    assert run.task["steps"] == {
        "template": "completed",
        "docs": "skipped",
        "databases": "completed",
        "tidy": "completed",
        "publish": "completed",
        "register": "completed",
        "tell": "completed",
    }
    assert sorted(run.files) == [
        ".github/workflows/ci.yaml",
        "catalog-info.yaml",
        "deploy/postgres/values.yaml",
        "deploy/redis/values.yaml",
        "package.json",
        "src/index.js",
    ]
    assert json.loads(run.files["package.json"]) == {"name": "@acme/basket", "engines": {"node": ">=22"}}
    assert run.files["src/index.js"] == 'console.log("basket");\n'
    assert run.yaml("deploy/postgres/values.yaml") == {"host": "basket-postgres", "number": 0, "volume": "10Gi"}
    assert run.yaml("deploy/redis/values.yaml") == {"host": "basket-redis", "number": 1}
    assert "${{ github.sha }}" in run.files[".github/workflows/ci.yaml"]
    assert run.yaml("catalog-info.yaml")["metadata"]["annotations"]["github.com/project-slug"] == "acme/basket-service"
    assert "went well for nobody" in run.log
    output = run.task["output"]
    assert output["entityRef"] == "component:default/basket"
    assert [link["title"] for link in output["links"]] == ["Repository"]
    assert output["text"][0]["content"] == "- **postgres**\n- **redis**\n\n"
    assert shop.portal.catalog.body("component:default/basket") is not None


def test_the_other_branch_of_the_form_makes_another_service(shop: Shop) -> None:
    values = SERVICE | {
        "component_id": "till",
        "runtime": "python",
        "pythonVersion": "3.13",
        "withDocs": True,
        "databases": [],
        "repoUrl": "github.com?owner=acme&repo=till",
    }
    run = shop.run("web-service", values, repository="acme/till")

    assert not [path for path in run.files if path.startswith("deploy/")]
    assert (run.files["requirements.txt"], run.files["docs/index.md"]) == ("flask  # on Python 3.13\n", "# Till\n")
    assert run.files["src/app.py"] == 'print("till")\n'
    assert [link["title"] for link in run.task["output"]["links"]] == ["Repository", "Documentation"]


def test_loops_over_lists_and_mappings_make_many_modules(shop: Shop) -> None:
    values = {
        "name": "engines",
        "owner": "checkout",
        "modules": [
            {"id": "core", "language": "rust", "publishes": True},
            {"id": "edge", "language": "go", "publishes": True, "depends": ["core", "auth"]},
            {"id": "auth", "language": "rust", "publishes": True},
        ],
        "environments": {"dev": {}, "prod": {"replicas": 3}},
    }
    run = shop.run("many-modules", values, repository="engines", branch="trunk")

    assert sorted(path for path in run.files if path.startswith("modules/")) == [
        "modules/auth/Cargo.toml",
        "modules/auth/src/NOTES.md",
        "modules/core/Cargo.toml",
        "modules/core/src/NOTES.md",
        "modules/edge/go.mod",
        "modules/edge/src/NOTES.md",
    ]
    assert run.files["modules/edge/go.mod"] == "module example.com/edge\n"
    assert run.files["modules/core/src/NOTES.md"] == "left as it is: ${{ values.module.id }}\n"
    assert json.loads(run.files["packages.json"]) == {"packages": ["core", "auth"]}
    assert run.yaml("environments/dev.yaml") == {"environment": "dev", "replicas": 1}
    assert run.yaml("environments/production/values.yaml") == {"environment": "prod", "replicas": 3}
    assert "2. edge (go) needs auth and core" in run.files["README.md"]
    assert "Owned by **checkout**." in run.files["README.md"]
    made = run.yaml("catalog-info.yaml")
    assert made["metadata"]["annotations"] == {
        "example.com/files": "8 of them",
        "backstage.io/source-template": "template:default/many-modules",
    }
    assert made["metadata"]["tags"] == ["rust"]
    assert run.task["output"]["files"] == 8


def test_a_template_of_cookiecutters_time_is_rendered_in_its_mode_and_tells_no_secret(shop: Shop) -> None:
    values = {"component_id": "ledger", "package": "com/acme", "owner": "checkout", "DEPLOY_KEY": "******"}
    secrets = {"DEPLOY_KEY": Secret("a-key-nobody-sees")}
    run = shop.run("old-cookiecutter", values, repository="ledger", secrets=secrets)

    assert run.files["ledger/src/com/acme/Main.java"] == (
        "package com.acme;\n\npublic class Main {\n    static final int PORT = 8080; // the default\n"
        '    static final String NOTE = "{{ mustache }} ${{ home }}";\n}\n'
    )
    assert run.files["ledger/web/lib.min.js"] == 'var t="{{ cookiecutter.component_id }}";\n'
    assert run.yaml("catalog-info.yaml")["metadata"]["name"] == "ledger"
    assert '"message": "***"' in run.log  # what is made with a secret is one
    assert "a-key-nobody-sees" not in run.log


def test_cookiecutter_itself_makes_a_library(shop: Shop) -> None:
    pytest.importorskip("cookiecutter")
    values = {"project_name": "Price Tags", "owner": "checkout", "authors": ["ann lee", "nobody", "bo"]}
    run = shop.run("cookiecutter", values, repository="price-tags")

    assert sorted(run.files) == ["README.md", "catalog-info.yaml", "page.mustache", "price_tags/__init__.py.txt"]
    assert run.files["README.md"] == "- Ann Lee (1 of 3)\n- Bo (3 of 3)\nLicence: MIT\n"
    assert run.files["page.mustache"] == "{{ name }} stays\n"
    assert run.task["output"]["entityRef"] == "component:default/price-tags"


ARCHIVE = {
    "name": "receipts",
    "owner": "group:default/checkout",
    "regions": ["north", "east"],
    "tier": "archive",
    "years": 10,
    "isPublic": False,
}


def test_what_hangs_on_answers_is_ordered_in_each_region(shop: Shop) -> None:
    run = shop.run("cloud-storage", ARCHIVE, repository="receipts")

    bucket = run.files["regions/east/main.tf"]
    assert 'resource "bucket" "receipts_east"' in bucket
    assert '{ team = "checkout", about = "Sells things" }' in bucket
    assert "lock  = 3650 # days" in bucket
    assert "HOT" not in bucket
    assert '"$${var.prefix}/*"' in bucket
    assert run.files["policies/retention.yaml"] == (
        "# Nobody deletes what is locked.\nretention:\n  years: 10 # of the contract\n  locked: true\n"
    )
    assert run.yaml("index.yaml") == {"name": "receipts", "regions": ["north", "east"], "owner": "checkout"}
    assert [link["title"] for link in run.task["output"]["links"]] == ["Retention", "Buckets"]


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("web-service", SERVICE | {"runtime": "python"}, "oneOf"),
        ("many-modules", {"name": "x", "owner": "checkout", "modules": [{"id": "a", "language": "c"}]}, "enum"),
        ("cloud-storage", {name: value for name, value in ARCHIVE.items() if name != "years"}, "years"),
        ("cloud-storage", ARCHIVE | {"isPublic": True}, "anyOf"),
    ],
)
def test_values_that_do_not_fit_the_form_are_refused(
    shop: Shop, name: str, values: Mapping[str, Any], told: str
) -> None:
    with pytest.raises(ValuesError, match=told):
        run_template(shop.portal.scaffolding, name, values)


def test_a_missing_secret_is_refused(shop: Shop) -> None:
    values = {"component_id": "ledger", "package": "com/acme", "owner": "checkout"}
    with pytest.raises(ValuesError, match="requires secret"):
        run_template(shop.portal.scaffolding, "old-cookiecutter", values)
