"""Templates of real repositories: each that Backstage takes in, 196 of 202, comes in and shows the form of its file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from casefiles import CORPUS, corpus_repositories, manifest
from repositories import Repository

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.ingest import yaml
from portal.model.problem import Problem

#: Another document has its name.
CLAIMED = {"ref-conflict", "ref-duplicate"}


def template_files(repository: str) -> dict[str, int]:
    """Return the files that hold templates which Backstage takes in, each with how many."""
    rows = [row for row in manifest() if row["repo"] == repository and row["role"] == "template"]
    verdicts = {row["path"]: dict(part.split(":") for part in row["backstage_verdict"].split(",")) for row in rows}
    return {path: int(verdict["ok"]) for path, verdict in verdicts.items() if "ok" in verdict}


def is_elsewhere(problem: Problem) -> bool:
    """Return whether a template names a file that the corpus does not have."""
    return problem.code == "placeholder-invalid" and problem.severity == "error"


def declared_pages(template: Any) -> list[Any]:
    """Return the pages of a template's form as its document has them."""
    parameters = template["spec"].get("parameters") or []
    return parameters if isinstance(parameters, list) else [parameters]


@pytest.mark.slow
@pytest.mark.parametrize("repository", corpus_repositories())
def test_every_template_shows_its_form(repository: str, tmp_path: Path) -> None:
    files = template_files(repository)
    if not files:
        pytest.skip("it has no templates")
    made = Repository(tmp_path / "work")
    shutil.copytree(CORPUS / repository.replace("/", "__"), made.path, dirs_exist_ok=True)
    made.commit({})
    settings = load_settings(environment={}, overrides={"data": str(tmp_path / "data")})
    with build(settings) as portal:
        portal.migrate()
        report = portal.ingest([("url", f"{made.url}#main:{quote(path)}") for path in files])
        client = create_app(portal).test_client()
        found = client.get("/api/catalog/entities?filter=kind=template").json
        kept_out = [problem for problem in report.problems if problem.code in CLAIMED or is_elsewhere(problem)]

        assert len(found) + len({problem.location for problem in kept_out}) == sum(files.values())
        for template in found:
            name = template["metadata"]["name"]
            namespace = template["metadata"].get("namespace", "default")
            answer = client.get(f"/api/scaffolder/v2/templates/{namespace}/template/{name}/parameter-schema")
            assert answer.status_code == 200, name
            path = template["metadata"]["annotations"]["backstage.io/managed-by-location"].partition("#main:")[2]
            documents = [item.value for item in yaml.parse((made.path / path).read_bytes()) if item.value is not None]
            declared = next(item for item in documents if item["metadata"]["name"] == name)
            told = declared if "$yaml" not in str(declared) else template
            assert [step["schema"] for step in answer.json["steps"]] == declared_pages(told), name
