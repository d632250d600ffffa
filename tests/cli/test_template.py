"""`portal template run`: a template run to its end from the command line."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from scaffolds import scaffold, template

from portal.cli.template import print_result, run_template


@pytest.fixture
def portal(tmp_path, repo):
    with scaffold(f"sqlite:///{tmp_path / 'portal.db'}", tmp_path / "data") as opened:
        steps = [
            {"id": "one", "name": "One", "action": "test:echo", "input": {"x": "${{ parameters.n }}"}},
            {"id": "two", "action": "test:fail", "if": "${{ parameters.n > 1 }}"},
        ]
        output = {
            "links": [{"title": "Repository", "url": "https://example.com/${{ parameters.n }}"}],
            "text": [{"title": "Next", "content": "Read it"}],
            "value": "${{ steps.one.output.x }}",
        }
        source = repo({"catalog-info.yaml": json.dumps(template("t", steps, output=output))})
        opened.ingest(f"{source.url}#main:catalog-info.yaml")
        yield opened


def printed(result):
    out = io.StringIO()
    print_result(Console(file=out, width=120), result)
    return out.getvalue()


def test_a_run_tells_its_steps_and_outputs(portal):
    shown = []
    result = run_template(
        portal.service, "t", {"n": 1}, show=lambda steps, event: shown.append((len(steps), event["type"]))
    )
    assert (result["status"], result["steps"]) == ("completed", {"one": "completed", "two": "skipped"})
    assert shown[-1] == (2, "completion")
    assert printed(result) == "Repository: https://example.com/1\nNext\nRead it\nvalue: 1\n"


def test_a_failed_run_tells_its_error(portal):
    result = run_template(portal.service, "t", {"n": 2})
    assert (result["status"], result["steps"]["two"]) == ("failed", "failed")
    assert printed(result) == "Error: boom\n"
