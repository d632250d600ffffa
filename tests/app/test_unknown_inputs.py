"""Inputs that an action does not know are told, or refused where the settings are strict."""

from __future__ import annotations

import pytest
import yaml
from worlds import world

from portal.app.dry_runs import bench_alone
from portal.services.dry_run import DryRun

UNKNOWN = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: unknown}
spec:
  type: service
  owner: team
  steps:
    - {id: log, action: "debug:log", input: {message: hello, loudly: true}}
"""


@pytest.mark.parametrize(("setting", "error"), [("warn", None), ("strict", "InputError")])
def test_an_input_that_an_action_does_not_know_is_told_or_refused_as_the_settings_say(tmp_path, setting, error):
    with world(tmp_path, extra=UNKNOWN, unknown_inputs=setting) as opened:
        opened.portal.start()
        answer = opened.client.post(
            "/api/scaffolder/v2/tasks",
            json={"templateRef": "template:default/unknown", "values": {}},
            headers=opened.as_user("owner"),
        )
        done = list(opened.portal.serving_tasks.event_stream(answer.json["id"]))[-1]["body"]
        assert done.get("error", {}).get("name") == error
        answer = opened.client.post(
            "/api/scaffolder/v2/dry-run",
            json={"template": yaml.safe_load(UNKNOWN), "values": {}, "secrets": {}, "directoryContents": []},
            headers=opened.as_user("owner"),
        )
        assert answer.status_code == (400 if error else 200), answer.text
        with bench_alone(opened.portal.settings) as bench:
            result = bench.runs.run(DryRun(yaml.safe_load(UNKNOWN), {}))
        assert (result.error or {}).get("name") == error
