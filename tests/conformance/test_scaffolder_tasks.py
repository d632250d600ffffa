"""Tasks, routes and the reading of YAML against cases recorded from Backstage's own packages."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from itertools import groupby

import pytest
from acting import shipped
from casefiles import cases
from flask import Flask
from recorded import Echo, Fail
from scaffolds import Asker, messages, scaffold, statuses, template
from waiting import eventually

from portal.api.errors import register_error_handlers
from portal.api.scaffolder import scaffolder_blueprint
from portal.ingest.yaml import parse
from portal.model.secret import Secret

TASKS = "/api/scaffolder"
#: Waits as long as the recorded backend does.
SLOW = {"s-http-001"}


class Runs:
    """Real tasks of one template after another."""

    def __init__(self, opened, repo):
        self.portal = opened
        self.service = opened.service
        self._repo = repo
        app = Flask("test")
        app.register_blueprint(scaffolder_blueprint(opened.service, access=Asker("ann")))
        register_error_handlers(app)
        self.client = app.test_client()

    def store(self, name, steps, **spec):
        entity = json.dumps(template(name, steps, **spec))
        source = self._repo({"catalog-info.yaml": entity}, name=name)
        self.portal.ingest(f"{source.url}#main:catalog-info.yaml")

    def create(self, name, **more):
        return self.service.create_task(name, {}, **more)

    def end(self, task_id):
        return list(self.service.event_stream(task_id))

    def status(self, task_id):
        return self.service.get_task(task_id)["status"]

    def running(self, name="gate"):
        self.store(name, [{"id": "g", "action": "test:gate", "input": {"name": name}}])
        task_id = self.create(name)
        eventually(lambda: self.status(task_id) == "processing", "the task")
        return task_id


@pytest.fixture
def runs(tmp_path, repo):
    with opened_runs(tmp_path, repo) as found:
        yield found


@contextmanager
def opened_runs(tmp_path, repo, **more):
    with scaffold(f"sqlite:///{tmp_path / 'portal.db'}", tmp_path / "data", tasks_at_once=1, **more) as opened:
        opened.actions |= {action.id: action for action in (Echo(), Fail())}
        yield Runs(opened, repo)
        (tmp_path / "data" / "open-gate").touch()


def error_of(events):
    return events[-1]["body"]["error"]


def task_cases(*ids):
    found = [case for case in cases("scaffolder-cases.json", kinds={"task"}) if case.id in (*ids, "absent")]
    return pytest.mark.parametrize("case", found)


@task_cases("s-task-001", "s-task-002", "s-task-003", "s-task-008")
def test_a_task_ends_as_recorded(case, runs):
    expected = case["expect"]
    runs.store("case", case["input"]["steps"])
    secrets = {name: Secret(text) for name, text in case["input"].get("secrets", {}).items()}
    task_id = runs.create("case", secrets=secrets)
    events = runs.end(task_id)

    if "task_status" in expected:
        assert runs.status(task_id) == expected["task_status"]
    if "final_step_status" in expected:
        assert statuses(events) == expected["final_step_status"]
    if "completion_error" in expected:
        assert error_of(events) | expected["completion_error"] == error_of(events)
    if "log_contains" in expected:
        assert expected["log_contains"] in messages(events)
        assert not [text for text in expected["log_lacks"] if text in json.dumps(events)]


@task_cases("s-task-004")
def test_a_retry_keeps_the_log_and_forgets_secrets(case, runs):
    expected = case["expect"]
    runs.store("case", case["input"]["steps"])
    secrets = {name: Secret(text) for name, text in case["input"]["secrets"].items()}
    task_id = runs.create("case", secrets=secrets)
    runs.end(task_id)

    assert runs.client.post(f"{TASKS}/v2/tasks/{task_id}/retry", json={}).status_code == expected["retry_status"]
    eventually(lambda: runs.status(task_id) == "completed", "the second run")
    events = runs.service.events(task_id)
    kinds = [kind for kind, _ in groupby(events, key=lambda event: event["type"])]
    assert kinds == [kind.removesuffix("*") for kind in expected["event_types"]]
    (recovered,) = (event for event in events if event["type"] == "recovered")
    assert recovered["body"] | expected["recovered_body"] == recovered["body"]
    second = events[events.index(recovered) :]
    assert expected["second_run_message"] in messages(second).splitlines()


@task_cases("s-task-005")
def test_a_retry_goes_on_from_what_failed(case, runs):
    runs.store("case", case["input"]["steps"])
    task_id = runs.create("case")
    first = runs.end(task_id)
    runs.service.retry(task_id)
    second = list(runs.service.event_stream(task_id, after=first[-1]["id"]))

    done, failed = case["expect"]["second_run"]
    told = statuses(second)
    assert [[step, told.get(step, done[1])] for step in ("a", "b")] == [done[:2], failed]
    assert not [
        event for event in second if event["body"].get("status") == "processing" and event["body"]["stepId"] == "a"
    ]


@task_cases("s-task-006")
def test_a_task_that_starts_over_shows_its_last_run(case, runs):
    runs.store("case", [{"id": "a", "action": "test:fail"}], **case["input"]["spec"])
    task_id = runs.create("case")
    runs.end(task_id)
    runs.service.retry(task_id)
    eventually(lambda: runs.status(task_id) == "failed", "the second run")

    first = runs.service.events(task_id)[0]
    assert first["type"] == case["expect"]["first_event_type"]
    assert first["isTaskRecoverable"] is case["expect"]["isTaskRecoverable"]


@task_cases("s-task-007")
def test_a_task_that_is_cancelled_before_it_runs_fails_when_its_turn_comes(case, runs, tmp_path):
    expected = case["expect"]
    runs.running()
    runs.store("case", [{"id": "a", "action": "test:echo"}])
    task_id = runs.create("case")

    answer = runs.client.post(f"{TASKS}/v2/tasks/{task_id}/cancel")
    assert answer.status_code == expected["cancel_status"]
    assert runs.status(task_id) == expected["status_right_after"]
    (tmp_path / "data" / "open-gate").touch()
    kinds = {event["type"] for event in runs.end(task_id)}
    assert runs.status(task_id) == expected["final_status"]
    assert kinds >= {*expected["event_types_include"]}


@task_cases("s-task-009")
def test_an_input_that_the_action_does_not_know_fails_a_strict_step(case, tmp_path, repo):
    with opened_runs(tmp_path, repo, strict=True) as runs:
        actions = shipped(runs.portal.engine, tmp_path / "repositories")
        runs.portal.actions["publish:github"] = actions["publish:github"]
        runs.store("case", case["input"]["steps"])
        task_id = runs.create("case")
        error = error_of(runs.end(task_id))

        assert runs.status(task_id) == case["expect"]["task_status"]
        assert error | case["expect"]["completion_error"] == error
        told = 'publish:github, instance is not allowed to have the additional property "allowedHosts"'
        assert error["message"] == f"Invalid input passed to action {told}"


def test_each_recorded_task_is_run():
    found = {case.id for case in cases("scaffolder-cases.json", kinds={"task"})} - {"absent"}
    assert found <= {f"s-task-{number:03}" for number in range(1, 10)}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(*case.values, id=case.id, marks=[*case.marks, pytest.mark.slow] if case.id in SLOW else case.marks)
        for case in cases("scaffolder-cases.json", kinds={"http"})
    ],
)
def test_routes_answer_as_recorded(case, runs, tmp_path):
    asked, expected = case["input"], case["expect"]
    runs.store("any", [{"id": "a", "action": "test:echo"}])
    path, task_id = asked["path"], None
    if ":id" in path:
        if asked.get("task_status") == "completed":
            task_id = runs.create("any")
            runs.end(task_id)
        else:
            task_id = runs.running()
            eventually(lambda: "Beginning" in messages(runs.service.events(task_id)), "the step")
        last = (runs.service.events(task_id) or [{"id": 0}])[-1]["id"]
        path = path.replace(":id", task_id).replace("<last id of a running task>", str(last))
    began = time.monotonic()
    answer = runs.client.open(f"{TASKS}{path}", method=asked["method"], json=asked.get("body"))

    assert answer.status_code == expected["status"], answer.text
    if "error" in expected:
        assert answer.json["error"]["name"] == expected["error"]
    if "body" in expected:
        assert answer.json == expected["body"]
    if "tasks_length" in expected:
        assert len(answer.json["tasks"]) == expected["tasks_length"]
        assert isinstance(answer.json["totalTasks"], int)
    if "after_seconds" in expected:
        assert time.monotonic() - began >= expected["after_seconds"]
    if "task_status_after" in expected:
        eventually(lambda: runs.status(task_id) == expected["task_status_after"], "the task's state")
    if "event_types_include" in expected:
        assert {event["type"] for event in runs.end(task_id)} >= {*expected["event_types_include"]}


@pytest.mark.parametrize("case", cases("scaffolder-cases.json", kinds={"yaml"}))
def test_yaml_means_what_was_recorded(case):
    found = parse(case["input"]["text"].encode(), location="file")

    if case["expect"].get("error"):
        assert [document for document in found if document.problem is not None]
    else:
        assert [document.problem for document in found] == [None] * len(found)
        assert [document.value for document in found] == case["expect"]["documents"]
