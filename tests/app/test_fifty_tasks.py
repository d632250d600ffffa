"""Two workers on one PostgreSQL with fifty tasks, one of them killed: every task ends once."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from catalogs import component
from fleets import fleet
from repositories import MakeRepository
from scaffolds import template
from waiting import eventually

pytestmark = pytest.mark.slow

COUNT = 50
PATIENCE_SECONDS = 600.0
STEPS = ("fetch", "wait", "publish")
T = template(
    "t",
    [
        {"id": "fetch", "action": "fetch:template", "input": {"url": "./skeleton", "values": "${{ parameters }}"}},
        {"id": "wait", "action": "debug:wait", "input": {"seconds": 0.2}},
        {"id": "publish", "action": "publish:git", "input": {"name": "${{ parameters.name }}"}},
    ],
    parameters=[{"properties": {"name": {"type": "string"}}}],
)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_fifty_tasks_end_once_each_though_a_worker_is_killed(
    database_url: str, tmp_path: Path, repo: MakeRepository
) -> None:
    made = repo({"template.yaml": json.dumps(T), "skeleton/catalog-info.yaml": component("${{ values.name }}")})
    (tmp_path / "portal.toml").write_text(f'catalog = ["{made.url}#main:*.yaml"]\nlease_seconds = 5\n')
    with fleet(tmp_path, database_url) as all_:
        all_.serve()
        killed, _ = all_.work(), all_.work()
        names = [f"n{number}" for number in range(COUNT)]

        def handed_in(name: str) -> str | None:
            body = {"templateRef": "template:default/t", "values": {"name": name}}
            status, created = all_.address.ask("/api/scaffolder/v2/tasks", method="POST", body=body)
            return str(created["id"]) if status == 201 else None

        eventually(
            lambda: all_.address.ask("/api/catalog/entities/by-name/template/default/t")[0] == 200, "the template"
        )
        tasks = {name: handed_in(name) for name in names}
        assert all(tasks.values())

        def ended() -> int:
            return int(all_.address.ask("/api/scaffolder/v2/tasks?status=completed&limit=0")[1]["totalTasks"])

        eventually(lambda: ended() >= COUNT // 10, "the first tasks to end", seconds=PATIENCE_SECONDS)
        killed.kill()
        assert ended() < COUNT, "it was killed too late to show anything"
        eventually(lambda: ended() == COUNT, "all tasks to end", seconds=PATIENCE_SECONDS)

        for name, task in tasks.items():
            told = all_.address.ask(f"/api/scaffolder/v2/tasks/{task}/events")[1]
            done = Counter(event["body"]["stepId"] for event in told if event["body"].get("status") == "completed")
            assert done == Counter(STEPS), told
            assert [event["type"] for event in told].count("completion") == 1
            folder = tmp_path / "data/repositories" / f"{name}.git"
            commits = subprocess.run(
                ["git", "rev-list", "--count", "--all"], cwd=folder, check=True, capture_output=True
            )
            assert commits.stdout.strip() == b"1"
