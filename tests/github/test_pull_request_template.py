"""A template in the style of public ones that proposes its files to a repository at GitHub, run by a whole Portal."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from acting import write
from catalogs import documents, group
from githubs import TOKEN, GitHub

from portal.app import Portal, build
from portal.cli.template import run_template
from portal.config import load_settings

TEMPLATE = Path(__file__).parent / "ask_for_bucket" / "template.yaml"


@pytest.fixture
def portal(hub: GitHub, tmp_path: Path) -> Iterator[Portal]:
    host = {"host": hub.host, "type": "github", "token": TOKEN, "base_url": f"http://{hub.host}"}
    people = tmp_path / "people.yaml"
    people.write_text(documents(group("platform"), group("checkout")))
    overrides = {"data": str(tmp_path / "data"), "integrations": [host]}
    with build(load_settings(environment={}, overrides=overrides)) as opened:
        opened.migrate()
        report = opened.ingest([("file", str(people)), ("file", str(TEMPLATE))])
        assert not report.problems, report.problems
        opened.jobs.start(worker=True, alone=True)
        yield opened


def test_what_is_asked_for_is_proposed_and_proposed_again(hub: GitHub, portal: Portal, tmp_path: Path) -> None:
    hub.add("acme/infra")
    work = tmp_path / "clone"
    work.mkdir()
    write(work, {"README.md": "# infra\n"})
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        ["commit", "--quiet", "--message=first"],
        ["push", "--quiet", str(hub.root / "acme/infra.git"), "main"],
    ):
        subprocess.run(["git", *command], cwd=work, check=True)
    values = {
        "name": "readings",
        "owner": "group:default/checkout",
        "regions": ["eu-north-1"],
        "repoUrl": f"{hub.host}?owner=acme&repo=infra",
        "draft": True,
    }

    def run(**more: object) -> list[str]:
        lines: list[str] = []
        task = run_template(
            portal.scaffolding,
            "ask-for-bucket",
            values | more,
            show=lambda _steps, event: lines.append(str(event["body"].get("message", ""))),
        )
        assert task["status"] == "completed", lines
        return lines

    run()
    lines = run(regions=["eu-north-1", "eu-west-1"], draft=False)

    assert hub.git("acme/infra", "ls-tree", "-r", "--name-only", "bucket-readings").splitlines() == [
        "README.md",
        "buckets/eu-north-1/readings.yaml",
        "buckets/eu-west-1/readings.yaml",
    ]
    assert hub.git("acme/infra", "show", "bucket-readings:buckets/eu-west-1/readings.yaml").splitlines() == [
        "name: readings",
        "region: eu-west-1",
        "tags:",
        "  owner: checkout",
    ]
    assert hub.git("acme/infra", "ls-tree", "-r", "--name-only", "main").splitlines() == ["README.md"]
    assert len(hub.pulls) == 1
    assert hub.pulls[0]["title"] == "Add the bucket readings"
    assert f"http://{hub.host}/acme/infra/pull/1 waits for a review" in lines
