"""Publishing at GitHub by a Portal that is killed at the worst moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from catalogs import documents, group
from githubs import TOKEN, Asked, GitHub
from servers import Server, serving
from waiting import eventually

TEMPLATE = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: sensors}
spec:
  type: service
  owner: team-a
  parameters: {properties: {repoUrl: {type: string}}}
  steps:
    - id: write
      action: catalog:write
      input:
        entity:
          apiVersion: backstage.io/v1alpha1
          kind: Component
          metadata: {name: sensors}
          spec: {type: service, lifecycle: production, owner: team-a}
    - {id: publish, action: "publish:github", input: {repoUrl: "${{ parameters.repoUrl }}", description: Readings}}
    - id: register
      action: catalog:register
      input: {repoContentsUrl: "${{ steps.publish.output.repoContentsUrl }}"}
  output:
    ref: "${{ steps.register.output.entityRef }}"
"""


@pytest.mark.slow
def test_killed_between_making_and_pushing_it_goes_on_with_its_own_repository(
    hub: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = tmp_path / "catalog"
    catalog.mkdir()
    (catalog / "catalog-info.yaml").write_text(documents(group("team-a"), TEMPLATE))
    host = {"host": hub.host, "type": "github", "token": TOKEN, "base_url": f"http://{hub.host}"}
    monkeypatch.setenv("PORTAL_INTEGRATIONS", json.dumps([host]))
    running: list[Server] = []

    def killing(asked: Asked) -> Any:
        if asked.method != "POST":
            return None
        hub.before = lambda _asked: None
        hub.answer(asked)
        running[0].kill()
        return 502, None

    hub.before = killing
    task = {
        "templateRef": "template:default/sensors",
        "values": {"repoUrl": f"{hub.host}?owner=acme&repo=sensors"},
    }
    with serving(tmp_path, "--catalog", str(catalog)) as server:
        running.append(server)
        eventually(
            lambda: server.ask("/api/catalog/entities/by-name/template/default/sensors")[0] == 200, "the template"
        )
        status, made = server.ask("/api/scaffolder/v2/tasks", method="POST", body=task)
        assert status == 201, made
        server.process.wait(timeout=120)
    assert hub.branches("acme/sensors") == []

    with serving(tmp_path, "--catalog", str(catalog)) as server:
        path = f"/api/scaffolder/v2/tasks/{made['id']}"
        eventually(lambda: server.ask(path)[1]["status"] in {"completed", "failed"}, "the task's end", seconds=180)
        events = server.ask(f"{path}/events")[1]
        assert events[-1]["body"].get("output") == {"ref": "component:default/sensors"}, events[-1]
        found = server.ask("/api/catalog/entities/by-name/component/default/sensors")[1]

    assert found["spec"]["owner"] == "team-a"
    assert hub.lines("POST") == ["POST /orgs/acme/repos"]
    assert hub.git("acme/sensors", "rev-list", "--count", "main") == "1"
    assert hub.repositories["acme/sensors"]["description"] == "Readings"
