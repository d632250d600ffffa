"""Whole dry runs against cases recorded from Backstage's own packages."""

from __future__ import annotations

import base64
from contextlib import contextmanager

import pytest
from acting import MARKS
from casefiles import cases
from flask import Flask
from recorded import Anything, Echo, Fail
from scaffolds import Asker

from portal.actions.schema import ActionSchema, Texts, Value
from portal.api.errors import register_error_handlers
from portal.api.scaffolder import scaffolder_blueprint
from portal.defaults.actions import all_actions
from portal.defaults.engine import build_engine
from portal.defaults.kinds import all_kinds
from portal.ingest.yaml import parse
from portal.model.secret import Secret
from portal.scaffolder.filters import builtin_filters
from portal.services.dry_run import DryRuns
from portal.services.task_surroundings import Environment
from portal.services.templates import Templates
from portal.vcs.mirror import Mirrors
from portal.vcs.policy import RemotePolicy

BODIES = {
    "user:default/mock": '{"metadata": {"name": "mock"}, "spec": {"profile": {"email": "m@example.com"}}}',
    "component:default/known": '{"metadata": {"name": "known"}}',
}
#: Unknown members of an action's input are told in the log and let through, on purpose, unless the settings are strict.
STRICT = {"s-flow-009"}


class Nested(Value):
    def json_schema(self):
        return {"type": "object", "properties": {"x": {"type": "string"}}}


class Invented(ActionSchema):
    text = Value(str)
    count = Value(int)
    flag = Value(bool)
    items = Texts()
    nested = Nested(dict)
    anything = Value()


class NoDry:
    id = "test:nodry"
    description = "Must not run in a dry run."
    examples = ()
    input_schema = Anything
    output_schema = Invented
    supports_dry_run = False

    def run(self, context):
        raise AssertionError("a dry run has run it")


class Catalog:
    def by_refs(self, refs):
        return {ref: BODIES[ref] for ref in refs if ref in BODIES}


def read_yaml(text):
    """Return what YAML 1.2 means: there `yes` is a text."""
    (document,) = parse(text.encode(), location="file")
    return document.value


@pytest.fixture(scope="module")
def lenient_client(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("flows")) as client:
        yield client


@pytest.fixture(scope="module")
def strict_client(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("flows"), strict=True) as client:
        yield client


@contextmanager
def opened(folder, **more):
    policy = RemotePolicy(allowed_schemes=frozenset({"https"}), file_roots=())
    with build_engine(builtin_filters({"github.com": "github"})) as engine:
        shipped = all_actions(
            engine, repositories=folder / "repositories", policy=policy, owners=None, portal=None, marks=MARKS
        )
        actions = {**shipped, **{action.id: action for action in (Echo(), Fail(), NoDry())}}
        runs = DryRuns(
            engine=engine,
            actions=actions,
            catalog=Catalog(),
            ownership=None,
            templates=Templates(Mirrors(folder / "mirrors", policy)),
            folder=folder / "workspaces",
            kinds=all_kinds,
            environment=Environment({"region": "eu-1"}, {"ENVSEC": Secret("envsecret")}),
            **more,
        )
        app = Flask("test")
        app.register_blueprint(scaffolder_blueprint(None, access=Asker("mock"), dry_runs=runs))
        register_error_handlers(app)
        app.known = actions
        yield app.test_client()
        assert not list((folder / "workspaces").iterdir())


@pytest.mark.parametrize("case", cases("scaffolder-cases.json", kinds={"flow"}))
def test_flows(case, lenient_client, strict_client):
    client = strict_client if case["id"] in STRICT else lenient_client
    given, expected = case["input"], case["expect"]
    missing = {
        step["action"] for step in given["spec"]["steps"] if ":" in step["action"] and step["action"] != "no:such"
    } - set(client.application.known)
    if missing:
        pytest.skip(f"Portal has no action {', '.join(sorted(missing))}")
    answer = client.post(
        "/api/scaffolder/v2/dry-run",
        json={
            "template": {
                "apiVersion": "scaffolder.backstage.io/v1beta3",
                "kind": "Template",
                "metadata": {"name": "flow"},
                "spec": {"type": "service", **given["spec"]},
            },
            "values": given["values"],
            "secrets": given["secrets"],
            "directoryContents": [
                {"path": path, "base64Content": base64.b64encode(text.encode()).decode()}
                for path, text in given["files"].items()
            ],
        },
    )
    assert answer.status_code == expected["status"], answer.text
    if expected["status"] != 200:
        assert answer.json["error"]["name"] == expected["error"]
        return
    assert answer.json["output"] == expected.get("output", {})
    ends = {line["body"]["stepId"]: line["body"]["status"] for line in answer.json["log"] if "status" in line["body"]}
    assert [[step["id"], ends[step["id"]]] for step in answer.json["steps"]] == expected["steps"]
    if "files" in expected:
        files = {
            item["path"]: base64.b64decode(item["base64Content"]).decode() for item in answer.json["directoryContents"]
        }
        read = read_yaml if case.get("compare") == "yaml" else str
        assert {path: read(text) for path, text in files.items()} == {
            path: read(text) for path, text in expected["files"].items()
        }
