"""Attempts at tasks that are run again after their process died, by this Portal or an older one."""

from __future__ import annotations

import json

import pytest
from catalogs import documents, group
from scaffolds import Recorded, messages, scaffold, statuses, template
from waiting import eventually

from portal.errors import JobStoppedError
from portal.scaffolder.task import recovery
from portal.services.task_runner import TaskRunner
from portal.store.tasks import LIVE

T = template(
    "t",
    [
        {"id": "one", "action": "test:echo", "input": {"x": "${{ context.template.commit }}"}},
        {"id": "two", "action": "test:flaky", "input": {"name": "two"}},
    ],
    output={"x": "${{ steps.one.output.x }}"},
)
NONE = template("none", [])


def offer(opened, repo):
    texts = documents(*(json.dumps(item) + "\n" for item in (T, NONE)), group("team-a"))
    source = repo({"catalog-info.yaml": texts}, name="templates")
    opened.ingest(f"{source.url}#main:catalog-info.yaml")
    return source


def test_what_an_older_portal_has_begun_goes_on_in_the_order_of_its_record(database_url, tmp_path, repo, monkeypatch):
    def begin(self, task, attempt, step):
        step("begin", lambda: self._beginning.take_up(task, attempt, step).record)
        raise JobStoppedError

    monkeypatch.setattr(TaskRunner, "_carry_out", begin)
    with scaffold(database_url, tmp_path / "data") as dying:
        source = offer(dying, repo)
        task_id = dying.service.create_task("t", {})
        eventually(lambda: "begin" in dying.jobs.recorded(task_id), "the record")
    began = source.git("rev-parse", "HEAD").strip()
    source.commit({"later": ""})
    monkeypatch.undo()

    with scaffold(database_url, tmp_path / "data") as opened:
        events = list(opened.service.event_stream(task_id))
        assert list(opened.jobs.recorded(task_id)) == ["begin", "1 one", "2 two"]
        assert statuses(events) == {"one": "completed", "two": "failed"}
        (opened.folder / "mend-two").touch()
        opened.service.retry(task_id)
        events = list(opened.service.event_stream(task_id))
    assert events[-1]["body"]["output"] == {"x": began}
    assert messages(events).count("Starting up task") == 2


def test_an_attempt_that_is_run_again_when_there_is_a_newer_one_changes_nothing(portal):
    portal.jobs.hand_back()
    task_id = portal.service.create_task("t", {})
    run = Recorded()
    portal.service._runner.run(task_id, run)
    assert portal.service.get_task(task_id)["status"] == "failed"
    portal.service.retry(task_id)
    events = portal.service.events(task_id)

    for again in (run, Recorded()):
        portal.service._runner.run(task_id, again)
        assert portal.service.events(task_id) == events
        assert portal.service.get_task(task_id)["status"] == "open"
    portal.service._runner.give_up(task_id, "it broke off")
    assert portal.service.events(task_id) == events


def test_the_end_of_an_attempt_spares_a_newer_one(portal):
    class Woken(Recorded):
        """A process that was stopped before the end of the attempt, and wakes when the next has begun."""

        def aside(self, name, function):
            journal = portal.service.journal
            assert journal.change(task_id, "failed", attempt=0, previous=LIVE)
            assert journal.retry(task_id, secrets=None, recovered=recovery(None)) == 1
            return super().aside(name, function)

    portal.jobs.hand_back()
    (portal.folder / "mend-two").touch()
    task_id = portal.service.create_task("t", {})
    portal.service._runner.run(task_id, Woken())
    assert portal.service.get_task(task_id)["status"] == "open"
    assert portal.service.events(task_id)[-1]["type"] == "recovered"
    assert list((portal.folder / "workspaces" / task_id).iterdir())


def test_a_first_step_that_is_run_again_has_no_more_time_for_that(portal):
    class Broken(Recorded):
        """A process that dies as it records a step, once."""

        def __call__(self, name, function):
            result = super().__call__(name, function)
            self.records.append(self.results.pop(name))
            if len(self.records) == 1:
                raise JobStoppedError
            return result

    portal.jobs.hand_back()
    task_id = portal.service.create_task("t", {})
    run = Broken()
    run.records = []
    with pytest.raises(JobStoppedError):
        portal.service._runner.run(task_id, run)
    portal.service._runner.run(task_id, run)
    first, second = (record["begun"]["began"] for record in run.records[:2])
    assert second <= first
    assert messages(portal.service.events(task_id)).count("Starting up task") == 1


def test_a_task_without_steps_is_taken_up_when_it_ends(portal):
    task_id = portal.service.create_task("none", {})
    events = list(portal.service.event_stream(task_id))
    assert [event["type"] for event in events] == ["log", "completion"]
    assert portal.service.get_task(task_id)["status"] == "completed"


@pytest.fixture
def portal(database_url, tmp_path, repo):
    with scaffold(database_url, tmp_path / "data") as opened:
        offer(opened, repo)
        yield opened
