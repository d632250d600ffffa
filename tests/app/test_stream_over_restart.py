"""A stream of a task's events goes on where it was when the server has been killed, and is back."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from repositories import MakeRepository
from scaffolds import template
from servers import Server, free_port, serving

T = template(
    "t",
    [
        {"id": "say", "action": "debug:log", "input": {"message": "before"}},
        {"id": "wait", "action": "debug:wait", "input": {"seconds": 4}},
        {"id": "after", "action": "debug:log", "input": {"message": "after"}},
    ],
)


def streamed(server: Server, task: str, *, last: int | None = None, until: str = "") -> list[dict[str, Any]]:
    """Return the events of a stream up to its end, or to one whose message has a text."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    request = urllib.request.Request(f"{server.url}/api/scaffolder/v2/tasks/{task}/eventstream", headers=headers)
    found = []
    with urllib.request.urlopen(request, timeout=120) as stream:
        for line in stream:
            if line.startswith(b"data: "):
                found.append(json.loads(line.removeprefix(b"data: ")))
                if until and until in found[-1]["body"].get("message", ""):
                    break
    return found


@pytest.mark.slow
def test_a_stream_goes_on_after_a_restart_with_nothing_lost_or_told_twice(tmp_path: Path, repo: MakeRepository) -> None:
    made = repo({"template.yaml": json.dumps(T)})
    (tmp_path / "portal.toml").write_text(f'catalog = ["{made.url}#main:*.yaml"]\n')
    port = free_port()
    with serving(tmp_path, port=port) as server:
        body = {"templateRef": "template:default/t", "values": {}}
        status, created = server.ask("/api/scaffolder/v2/tasks", method="POST", body=body)
        assert status == 201, created
        first = streamed(server, created["id"], until="Waiting")
        server.kill()
    with serving(tmp_path, port=port) as server:
        second = streamed(server, created["id"], last=first[-1]["id"])
        late = streamed(server, created["id"])
    numbers = [event["id"] for event in (*first, *second)]
    assert numbers == sorted(set(numbers))
    assert [event["id"] for event in late] == numbers
    assert second[-1]["type"] == "completion"
    assert "error" not in second[-1]["body"]
    assert [event["body"]["message"] for event in late].count("before") == 1
