"""Tasks that are carried out once more."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest
from catalogs import documents, group
from scaffolds import messages, scaffold, statuses, template
from waiting import eventually

from portal.errors import ConflictError, NotFoundError, ValuesError
from portal.model.secret import Secret
from portal.scaffolder.task import recovery

STEPS = [
    {"id": "one", "action": "test:flaky", "input": {"name": "one"}},
    {"id": "two", "if": False, "action": "test:echo", "input": {"x": 2}},
    {"id": "three", "action": "test:flaky", "input": {"name": "three"}},
    {"id": "four", "action": "test:flaky", "input": {"name": "four"}},
    {"id": "clean", "if": "${{ always() }}", "action": "test:echo", "input": {"x": "clean"}},
]
OUTPUT = {"found": "${{ steps.four.output.found }}", "first": "${{ steps.one.output.found }}"}
T = template("t", STEPS, output=OUTPUT)
SECRET = template(
    "s",
    [
        {"id": "say", "action": "debug:log", "input": {"message": "k=${{ secrets.K }}."}},
        {"id": "length", "action": "test:echo", "input": {"x": "${{ secrets.K | length }}"}},
        {"id": "fail", "action": "test:fail"},
    ],
    secrets={"schema": {"properties": {"K": {"minLength": 3}}}},
)
OVER = template("o", [{"id": "f", "action": "test:fail"}], EXPERIMENTAL_recovery={"EXPERIMENTAL_strategy": "startOver"})
GATED = template("g", [{"id": "g", "action": "test:gate", "input": {"name": "g"}}])


@pytest.fixture
def portal(database_url, tmp_path, repo):
    with scaffold(database_url, tmp_path / "data") as opened:
        opened.source = offer(opened, repo)
        yield opened


def offer(opened, repo):
    texts = documents(*(json.dumps(item) + "\n" for item in (T, SECRET, OVER, GATED)), group("team-a"))
    source = repo({"catalog-info.yaml": texts}, name="templates")
    opened.ingest(f"{source.url}#main:catalog-info.yaml")
    return source


def mend(portal, *names):
    for name in names:
        (portal.folder / f"mend-{name}").touch()


def notes(portal):
    return (portal.folder / "notes").read_text().splitlines()


def events_of(portal, task_id):
    return list(portal.service.event_stream(task_id))


def since_recovery(events):
    last = max(index for index, event in enumerate(events) if event["type"] == "recovered")
    return events[last:]


def test_a_retry_goes_on_from_the_failed_step_with_the_files_that_were_there(portal):
    mend(portal, "one")
    task_id = portal.service.create_task("t", {})
    assert statuses(events_of(portal, task_id))["three"] == "failed"
    mend(portal, "three", "four")

    portal.service.retry(task_id)
    events = events_of(portal, task_id)

    assert notes(portal) == ["run one", "run three", "run three", "run four"]
    assert portal.service.get_task(task_id)["status"] == "completed"
    ends = {"one": "completed", "two": "skipped", "three": "completed", "four": "completed", "clean": "completed"}
    assert statuses(since_recovery(events)) == ends
    assert "Step test:flaky is already completed" in messages(since_recovery(events))
    assert events[-1]["body"]["output"] == {"found": ["made-four", "made-one", "made-three"], "first": ["made-one"]}
    eventually(lambda: not list((portal.folder / "workspaces").iterdir()), "the removal")


def test_the_log_before_is_kept_and_the_end_before_is_not(portal):
    task_id = portal.service.create_task("t", {})
    first = events_of(portal, task_id)
    portal.service.retry(task_id)
    events = events_of(portal, task_id)
    assert [event["type"] for event in events].count("completion") == 1
    assert events[: len(first) - 1] == first[:-1]
    (recovered,) = [event for event in events if event["type"] == "recovered"]
    assert recovered["body"] == {"recoverStrategy": "none"}
    # It has failed again, which is told again.
    assert statuses(since_recovery(events))["one"] == "failed"
    assert portal.service.get_task(task_id)["status"] == "failed"


def test_a_task_is_retried_as_often_as_is_wanted(portal):
    task_id = portal.service.create_task("t", {})
    events_of(portal, task_id)
    for name in ("one", "three", "four"):
        mend(portal, name)
        portal.service.retry(task_id)
        events_of(portal, task_id)
    assert notes(portal) == ["run one", "run one", "run three", "run three", "run four", "run four"]
    assert portal.service.get_task(task_id)["status"] == "completed"


def test_a_completed_task_that_is_retried_runs_nothing_again(portal):
    mend(portal, "one", "three", "four")
    task_id = portal.service.create_task("t", {})
    output = events_of(portal, task_id)[-1]["body"]["output"]
    portal.service.retry(task_id)
    assert events_of(portal, task_id)[-1]["body"]["output"] == output
    assert notes(portal) == ["run one", "run three", "run four"]


def test_without_its_files_every_step_runs_again(portal):
    mend(portal, "one")
    task_id = portal.service.create_task("t", {})
    events_of(portal, task_id)
    shutil.rmtree(portal.folder / "workspaces" / task_id)
    mend(portal, "three", "four")
    portal.service.retry(task_id)
    events = events_of(portal, task_id)
    assert "so that every step runs again" in messages(events)
    assert notes(portal) == ["run one", "run three", "run one", "run three", "run four"]
    assert events[-1]["body"]["output"]["found"] == ["made-four", "made-one", "made-three"]


def test_the_files_of_failed_tasks_are_kept_for_a_week(portal):
    ids = [portal.service.create_task("t", {}) for _ in range(2)]
    for task_id in ids:
        events_of(portal, task_id)
    gated = portal.service.create_task("g", {})
    eventually(lambda: "begin g clean" in notes(portal), "the gate")
    workspaces = portal.folder / "workspaces"
    (workspaces / "dry-run-of-a-killed-process").mkdir()
    (workspaces / ".removed-by-a-killed-process").mkdir()
    week = time.time() - 7 * 24 * 3600
    for name, moment in ((ids[0], week - 60), (ids[1], week + 3600), (gated, week - 60)):
        os.utime(workspaces / name, (moment, moment))
    os.utime(workspaces / "dry-run-of-a-killed-process", (week - 60, week - 60))
    portal.service.sweep()  # what a worker does now and then when a task has ended
    gone = {ids[0], "dry-run-of-a-killed-process", ".removed-by-a-killed-process"}
    eventually(lambda: gone.isdisjoint(path.name for path in workspaces.iterdir()), "the removal")
    assert {ids[1], gated} <= {path.name for path in workspaces.iterdir()}
    (portal.folder / "open-g").touch()
    events_of(portal, gated)


def test_secrets_are_those_of_the_retry_alone(portal):
    task_id = portal.service.create_task("s", {}, secrets={"K": Secret("first secret")})
    events_of(portal, task_id)
    portal.service.retry(task_id)  # from the step that failed
    events_of(portal, task_id)
    shutil.rmtree(portal.folder / "workspaces" / task_id)
    with pytest.raises(ValuesError) as refused:
        portal.service.retry(task_id, secrets={"K": Secret("x")})
    assert refused.value.errors[0]["property"] == "secrets.K"
    assert portal.service.get_task(task_id)["status"] == "failed"
    portal.service.retry(task_id)
    told = messages(since_recovery(events_of(portal, task_id)))
    assert "k=." in told
    shutil.rmtree(portal.folder / "workspaces" / task_id)
    portal.service.retry(task_id, secrets={"K": Secret("second secret")})
    told = messages(events_of(portal, task_id))
    assert "first secret" not in told
    assert "second secret" not in told


def test_only_a_task_that_is_over_and_whose_template_is_there_is_retried(portal):
    task_id = portal.service.create_task("g", {})
    eventually((portal.folder / "notes").exists, "the gate")
    with pytest.raises(ConflictError, match="only one that is over can be retried"):
        portal.service.retry(task_id)
    (portal.folder / "open-g").touch()
    events_of(portal, task_id)
    with pytest.raises(NotFoundError, match="No task"):
        portal.service.retry("absent")
    portal.source.commit({"catalog-info.yaml": group("team-a")})
    portal.refresh.refresh()
    with pytest.raises(NotFoundError, match="Template template:default/g not found"):
        portal.service.retry(task_id)
    assert portal.service.get_task(task_id)["status"] == "completed"


def test_a_cancelled_task_can_be_retried(portal):
    task_id = portal.service.create_task("g", {})
    eventually((portal.folder / "notes").exists, "the gate")
    portal.service.cancel(task_id)
    assert events_of(portal, task_id)[-1]["body"]["error"]["message"] == "Step g has been cancelled."
    (portal.folder / "open-g").touch()
    portal.service.retry(task_id)
    assert statuses(since_recovery(events_of(portal, task_id))) == {"g": "completed"}
    assert portal.service.get_task(task_id)["status"] == "completed"


def test_a_retry_that_was_never_handed_in_is_at_the_next_start(database_url, tmp_path, repo):
    with scaffold(database_url, tmp_path / "data") as opened:
        offer(opened, repo)
        mend(opened, "one")
        task_id = opened.service.create_task("t", {})
        events_of(opened, task_id)
    with scaffold(database_url, tmp_path / "data", worker=False) as dying:
        mend(dying, "three", "four")
        # All that a process has done that dies before it hands the retry in.
        assert dying.service.journal.retry(task_id, secrets=None, recovered=recovery(None)) == 1
    with scaffold(database_url, tmp_path / "data") as opened:
        events = events_of(opened, task_id)
        assert opened.service.get_task(task_id)["status"] == "completed", messages(events)
        assert notes(opened) == ["run one", "run three", "run three", "run four"]


def test_a_task_that_starts_over_hides_what_was_before_and_is_followed_beyond_its_end(portal):
    task_id = portal.service.create_task("o", {})
    followed = portal.service.follow(task_id)
    seen = []
    while not any(event["type"] == "completion" for event in seen):
        seen += next(followed)
    portal.service.retry(task_id)
    after = seen[-1]["id"]
    while not any(event["type"] == "completion" and event["id"] > after for event in seen):
        seen += next(followed)
    assert [event["type"] for event in seen].count("completion") == 2
    assert [event["type"] for event in seen].count("recovered") == 1
    events = portal.service.events(task_id)
    assert events[0]["type"] == "recovered"
    assert events[0]["body"] == {"recoverStrategy": "startOver"}
    assert all(event["isTaskRecoverable"] for event in events)
