"""The shipped actions in tasks of a whole Portal: what one step tells, the next can use."""

from __future__ import annotations

import pytest
from worlds import world

TEMPLATE = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: files}
spec:
  type: service
  owner: team
  steps:
    - {id: write, action: "roadiehq:utils:fs:write", input: {path: ./src/a.json, content: '{"n":1}'}}
    - {id: merge, action: "roadiehq:utils:json:merge", input: {path: "${{ steps.write.output.path }}", content: {m: 2}}}
    - {id: parse, action: "roadiehq:utils:fs:parse", input: {path: "${{ steps.merge.output.path }}", parser: json}}
    - {id: ask, action: "roadiehq:utils:jsonata", input: {data: "${{ steps.parse.output.content }}", expression: n+m}}
    - {id: list, action: "fs:readdir", input: {paths: [.], recursive: true}}
    - id: move
      each: "${{ steps.list.output.files }}"
      action: fs:rename
      input: {files: [{from: "${{ each.value.fullPath }}", to: "moved/${{ each.value.name }}"}]}
    - {id: after, action: "fs:readdir", input: {paths: [moved]}}
    - {id: who, action: "catalog:fetch", input: {entityRef: "group:default/team"}}
    - {id: may, action: "portal:ownership:check", input: {owner: "${{ steps.who.output.entity.metadata.name }}"}}
    - {id: out, action: "roadiehq:utils:fs:write", if: "${{ parameters.leaves }}", input: {path: ../x, content: ""}}
  output:
    sum: "${{ steps.ask.output.result }}"
    paths: "${{ steps.after.output.files }}"
    owner: "${{ steps.may.output.owner }}"
"""


@pytest.fixture(scope="module")
def organisation(tmp_path_factory):
    with world(tmp_path_factory.mktemp("world"), extra=TEMPLATE) as opened:
        opened.portal.start()
        yield opened


def run_task(organisation, values):
    answer = organisation.client.post(
        "/api/scaffolder/v2/tasks",
        json={"templateRef": "template:default/files", "values": values},
        headers=organisation.as_user("owner"),
    )
    assert answer.status_code == 201, answer.text
    return list(organisation.portal.serving_tasks.event_stream(answer.json["id"]))[-1]["body"]


def test_what_a_step_tells_the_next_can_use(organisation):
    done = run_task(organisation, {})
    assert done.get("output") == {
        "sum": 3,
        "paths": [{"name": "a.json", "path": "moved/a.json", "fullPath": "moved/a.json"}],
        "owner": "group:default/team",
    }, done


def test_a_step_that_leaves_the_workspace_fails_its_task(organisation):
    done = run_task(organisation, {"leaves": True})
    assert done["error"]["name"] == "NotAllowedError"


def test_every_action_is_listed_with_its_schemas_and_examples(organisation):
    listed = organisation.client.get("/api/scaffolder/v2/actions", headers=organisation.as_user("owner")).json
    found = {action["id"]: action for action in listed}
    assert {"fs:delete", "fetch:copier", "roadiehq:utils:merge", "http:backstage:request"} <= found.keys()
    renaming = found["fs:rename"]["schema"]["input"]["properties"]["files"]["items"]
    assert renaming["required"] == ["from", "to"]
    assert all(action["examples"] for action in listed)
