"""A task that publishes at a git host, in a Portal that is killed at the worst moment and started again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from catalogs import documents, group
from servers import Server, serving
from waiting import eventually

_TEMPLATE = """
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
    - {id: publish, action: "ACTION", input: {repoUrl: "${{ parameters.repoUrl }}", description: Readings}}
    - id: register
      action: catalog:register
      input: {repoContentsUrl: "${{ steps.publish.output.repoContentsUrl }}"}
  output:
    ref: "${{ steps.register.output.entityRef }}"
"""


def publish_killed(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    action: str,
    host: dict[str, str],
    owner: str,
    when: Callable[[Callable[[], None]], None],
    killed: Callable[[], None],
) -> dict[str, Any]:
    """Publish `sensors` below an owner at a host, and return the component that the catalog has in the end.

    `when` is told how the server is killed, and has to do so once; `killed` is called before it is started again.
    """
    catalog = folder / "catalog"
    catalog.mkdir()
    (catalog / "catalog-info.yaml").write_text(documents(group("team-a"), _TEMPLATE.replace("ACTION", action)))
    monkeypatch.setenv("PORTAL_INTEGRATIONS", json.dumps([host]))
    running: list[Server] = []

    def kill() -> None:
        running[0].kill()

    when(kill)
    task = {
        "templateRef": "template:default/sensors",
        "values": {"repoUrl": f"{host['host']}?owner={owner}&repo=sensors"},
    }
    with serving(folder, "--catalog", str(catalog)) as server:
        running.append(server)
        eventually(
            lambda: server.ask("/api/catalog/entities/by-name/template/default/sensors")[0] == 200, "the template"
        )
        status, made = server.ask("/api/scaffolder/v2/tasks", method="POST", body=task)
        assert status == 201, made
        server.process.wait(timeout=120)
    killed()
    with serving(folder, "--catalog", str(catalog)) as server:
        path = f"/api/scaffolder/v2/tasks/{made['id']}"
        eventually(lambda: server.ask(path)[1]["status"] in {"completed", "failed"}, "the task's end", seconds=180)
        events = server.ask(f"{path}/events")[1]
        assert events[-1]["body"].get("output") == {"ref": "component:default/sensors"}, events[-1]
        found: dict[str, Any] = server.ask("/api/catalog/entities/by-name/component/default/sensors")[1]
    return found
