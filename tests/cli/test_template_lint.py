"""`portal template lint`: how it tells of faults, and what it exits with."""

from __future__ import annotations

import json

import pytest
from sarif_pydantic import Sarif
from servers import run_portal

TEMPLATE = """\
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: made}
spec:
  type: service
  steps:
    - {id: tell, action: debug:log, input: {message: "${{ parameters.name }}"}}
"""


@pytest.fixture
def lint(tmp_path):
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return lambda *options: run_portal("template", "lint", ".", *options, folder=tmp_path)


def test_faults_are_told_with_their_place_and_the_way_to_mend_them(lint):
    done = lint()

    assert done.returncode == 1
    assert "error: template.yaml:7:59 spec.steps.0.input.message: The form does not ask for a parameter" in done.stdout
    assert "[parameter-undefined]" in done.stdout
    assert "1 template, 1 error, 2 warnings" in done.stdout


def test_other_tools_are_told_in_their_forms(lint, tmp_path):
    told = json.loads(lint("--json").stdout)
    assert told["templates"] == 1
    assert [(fault["rule"], fault["line"]) for fault in told["faults"]] == [
        ("cases-missing", 1),
        ("owner-missing", 4),
        ("parameter-undefined", 7),
    ]

    assert lint("--format", "sarif", "--output", "found.sarif").returncode == 1
    sarif = Sarif.model_validate_json((tmp_path / "found.sarif").read_text())
    assert {rule.id for rule in sarif.runs[0].tool.driver.rules} == {fault["rule"] for fault in told["faults"]}

    assert "::error file=template.yaml,line=7,col=59,title=parameter-undefined::" in lint("--format", "github").stdout


def test_warnings_alone_are_refused_where_that_is_asked_for(lint, tmp_path):
    (tmp_path / "template.yaml").write_text(TEMPLATE.replace("${{ parameters.name }}", "text"))

    assert lint().returncode == 0
    assert lint("--strict").returncode == 1
