"""Work that outlives its process: handed in, carried out once, gone on with after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import scaffolds
from scaffolds import messages, scaffold, statuses, template
from sqlalchemy import func, select, text
from waiting import eventually

from portal.errors import JobStoppedError
from portal.model.secret import Secret
from portal.scaffolder.task import TaskEvent
from portal.services.jobs import Jobs
from portal.services.journal import Journal
from portal.services.task_query import TaskQuery
from portal.services.workspaces import Workspaces
from portal.store import tasks
from portal.store.database import Database
from portal.store.tables import sources

ROOT = Path(scaffolds.__file__).resolve().parents[1]
DURABLE = template(
    "durable",
    [
        {"id": "write", "action": "fetch:template", "input": {"url": "./skeleton", "values": {"name": "kept"}}},
        {"id": "first", "action": "test:gate", "input": {"name": "first"}},
        {"id": "publish", "action": "publish:git", "input": {"name": "kept"}},
        {
            "id": "register",
            "action": "catalog:register",
            "input": {"repoContentsUrl": "${{ steps.publish.output.repoContentsUrl }}"},
        },
        {"id": "second", "action": "test:gate", "input": {"name": "second ${{ secrets.K }}"}},
    ],
    output={"commit": "${{ steps.publish.output.commitHash }}", "ref": "${{ steps.register.output.entityRef }}"},
)
ENTITY = (
    "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: '${{ values.name }}'}\n"
    "spec: {type: service, lifecycle: experimental, owner: team-a}\n"
)


@contextmanager
def jobs(database, run, *, unfinished=(), **more):
    """Start jobs of one kind, `work`."""
    made = Jobs(database, polling_seconds=0.02)
    made.register("work", run, unfinished=lambda: unfinished)
    try:
        made.start(**more)
        yield made
    finally:
        made.stop()


@contextmanager
def worker_process(url, folder, *, lease_seconds=30.0):
    """A process of its own that works on tasks; killed at the end if it still lives."""
    (folder / "up").unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    process = subprocess.Popen(
        [sys.executable, scaffolds.__file__, url, str(folder), str(lease_seconds)], env=environment
    )
    try:
        eventually((folder / "up").exists, "the worker process")
        yield process
    finally:
        process.kill()
        process.wait()


def notes(folder):
    file = folder / "notes"
    return file.read_text().splitlines() if file.exists() else []


def open_gate(folder, name):
    (folder / f"open-{name}").touch()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_job_runs_its_steps_in_order_once(database):
    done, seen = threading.Event(), []

    def run(job_id, step):
        seen.append((job_id, step("one", lambda: {"n": 1}), step("two", lambda: [2])))
        done.set()

    with jobs(database, run) as working:
        working.enqueue("work", ["a"])
        assert done.wait(10)
        working.enqueue("work", ["a"])
    assert seen == [("a", {"n": 1}, [2])]


def test_jobs_wait_for_no_look_at_the_queue(database):
    done = []
    made = Jobs(database, polling_seconds=600)
    made.register("work", lambda job_id, step: done.append(job_id), unfinished=list)
    made.start()
    try:
        for name in "ab":
            made.enqueue("work", [name])
            eventually(lambda: done[-1:] == [name], "the job")  # noqa: B023
    finally:
        made.stop()


def test_the_stop_waits_until_the_ends_of_jobs_are_recorded(database):
    together = threading.Barrier(11)
    with jobs(database, lambda job_id, step: together.wait(10)) as working:
        working.enqueue("work", [str(number) for number in range(10)])
        together.wait(10)
    assert not [thread.name for thread in threading.enumerate() if "executor" in thread.name]
    with jobs(database, lambda job_id, step: pytest.fail("run again")) as working:
        assert not working._client.list_workflows(status="PENDING")


def test_finished_steps_of_a_stopped_job_are_not_run_again(database):
    reached, hold, done, ran = threading.Event(), threading.Event(), threading.Event(), []

    def first(job_id, step):
        step("one", lambda: ran.append("one"))
        reached.set()
        hold.wait(10)
        step("two", lambda: ran.append("never"))

    def second(job_id, step):
        step("one", lambda: ran.append("again"))
        step("two", lambda: ran.append("two"))
        done.set()

    with jobs(database, first) as working:
        working.enqueue("work", ["a"])
        assert reached.wait(10)
        stopping = threading.Thread(target=working.stop)
        stopping.start()
        eventually(working._stopping.is_set, "the stop")
        hold.set()
        stopping.join()
    with jobs(database, second):
        assert done.wait(10)
    assert ran == ["one", "two"]


def test_a_process_without_worker_only_hands_in(database):
    done = threading.Event()
    with jobs(database, lambda job_id, step: done.set(), worker=False) as handing:
        assert not handing.is_worker
        handing.enqueue("work", ["a"])
        assert not done.is_set()
    with jobs(database, lambda job_id, step: done.set()) as working:
        assert working.is_worker
        with jobs(database, lambda job_id, step: None) as other:
            assert not other.is_worker
        assert done.wait(10)


def test_jobs_that_were_stored_but_never_handed_in_are_handed_in_at_the_start(database):
    done = threading.Event()
    with jobs(database, lambda job_id, step: done.set(), unfinished=["lost"]):
        assert done.wait(10)


def test_nothing_is_printed(database, capfd):
    with jobs(database, lambda job_id, step: None):
        pass
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def offered(database_url, tmp_path, repo):
    """A folder whose database holds the durable template, with a task that waits for a worker."""
    folder = tmp_path / "data"
    with scaffold(database_url, folder, worker=False) as waiting:
        source = repo({"catalog-info.yaml": json.dumps(DURABLE), "skeleton/catalog-info.yaml": ENTITY})
        waiting.ingest(f"{source.url}#main:catalog-info.yaml")
        secrets = {"K": Secret("hidden-word")}
        task_id = waiting.service.create_task("durable", {}, secrets=secrets)
    return folder, task_id


def test_a_task_killed_in_the_middle_goes_on_and_everything_happens_once(database_url, offered):
    folder, task_id = offered
    with worker_process(database_url, folder) as process:
        eventually(lambda: "begin first clean" in notes(folder), "the first gate")
        kill(process)
    with worker_process(database_url, folder) as process:
        eventually(lambda: notes(folder).count("begin first clean") == 2, "the first gate again")
        open_gate(folder, "first")
        eventually(lambda: "begin second hidden-word clean" in notes(folder), "the second gate")
        kill(process)
    open_gate(folder, "second hidden-word")
    with scaffold(database_url, folder) as opened:
        events = list(opened.service.event_stream(task_id))
        tasks, _ = opened.service.list_tasks(TaskQuery())
        with opened.database.reading() as connection:
            registered = connection.execute(
                select(func.count()).select_from(sources).where(sources.c.registered)
            ).scalar_one()
    assert set(statuses(events).values()) == {"completed"}, messages(events)
    assert [task["status"] for task in tasks] == ["completed"]
    assert notes(folder) == [
        "begin first clean",
        "begin first clean",
        "end first",
        "begin second hidden-word clean",
        "begin second hidden-word clean",
        "end second hidden-word",
    ]
    log = ["git", "log", "--format=%H", "main"]
    commits = subprocess.run(log, cwd=folder / "repositories/kept.git", check=True, capture_output=True, text=True)
    completions = [event["body"]["output"] for event in events if event["type"] == "completion"]
    assert completions == [{"commit": commits.stdout.strip(), "ref": "component:default/kept"}]
    assert registered == 1
    ended = [event["body"]["stepId"] for event in events if event["body"].get("status") == "completed"]
    assert ended == ["write", "first", "publish", "register", "second"]
    assert messages(events).count("This step was broken off and is run again") == 2
    assert "hidden-word" not in json.dumps(events)


def test_a_wait_is_broken_off_by_the_stop_and_goes_on_at_the_next_start(database_url, tmp_path, repo):
    folder = tmp_path / "data"
    steps = [
        {"id": "a", "action": "test:echo", "input": {"x": 1}},
        {"id": "wait", "action": "test:gate", "input": {"name": "g"}},
    ]
    with scaffold(database_url, folder) as opened:
        source = repo({"catalog-info.yaml": json.dumps(template("t", steps, output={"x": "${{ steps.a.output.x }}"}))})
        opened.ingest(f"{source.url}#main:catalog-info.yaml")
        task_id = opened.service.create_task("t", {})
        eventually(lambda: notes(folder), "the gate")
    open_gate(folder, "g")
    with scaffold(database_url, folder) as opened:
        events = list(opened.service.event_stream(task_id))
    assert statuses(events) == {"a": "completed", "wait": "completed"}
    assert events[-1]["body"]["output"] == {"x": 1}
    assert notes(folder) == ["begin g clean", "begin g clean", "end g"]


def test_a_living_worker_takes_over_from_a_dead_one(database_url, offered):
    folder, task_id = offered
    if not database_url.startswith("postgresql"):
        pytest.skip("on SQLite one process works at a time, and the next to start goes on")
    with worker_process(database_url, folder) as process:
        eventually(lambda: "begin first clean" in notes(folder), "the first gate")
        with scaffold(database_url, folder) as living:
            assert living.jobs.is_worker
            living.jobs.adopt()
            kill(process)
            for name in ("first", "second hidden-word"):
                open_gate(folder, name)
            eventually(
                lambda: living.jobs.adopt() or living.service.get_task(task_id)["status"] == "completed", "the takeover"
            )
            assert notes(folder).count("end first") == 1


def test_on_sqlite_a_second_process_leaves_the_work_to_the_first(tmp_path, repo):
    url, folder = f"sqlite:///{tmp_path / 'portal.db'}", tmp_path / "data"
    folder.mkdir()
    with Database(url), worker_process(url, folder), scaffold(url, folder) as second:
        assert not second.jobs.is_worker
        source = repo({"catalog-info.yaml": json.dumps(template("t", [{"action": "test:echo"}]))})
        second.ingest(f"{source.url}#main:catalog-info.yaml")
        assert second.run("t")[-1]["type"] == "completion"


def test_a_stopped_worker_that_wakes_changes_nothing(database_url, offered):
    folder, task_id = offered
    if not database_url.startswith("postgresql"):
        pytest.skip("on SQLite nobody takes over from a process that lives")
    with worker_process(database_url, folder, lease_seconds=3) as process:
        eventually(lambda: "begin first clean" in notes(folder), "the first gate")
        process.send_signal(signal.SIGSTOP)
        with scaffold(database_url, folder, lease_seconds=3) as living:
            eventually(lambda: notes(folder).count("begin first clean") == 2, "the takeover")
            process.send_signal(signal.SIGCONT)
            open_gate(folder, "first")
            # Both runs of the step go on, in a workspace of their own each; one of them counts.
            eventually(lambda: notes(folder).count("end first") == 2, "both to end")
            open_gate(folder, "second hidden-word")
            eventually(lambda: living.service.get_task(task_id)["status"] == "completed", "the end")
            events = list(living.service.event_stream(task_id))
    ended = [event["body"]["stepId"] for event in events if event["body"].get("status") == "completed"]
    assert ended == ["write", "first", "publish", "register", "second"]
    assert [event["type"] for event in events].count("completion") == 1
    assert messages(events).count("This step was broken off and is run again") == 1
    assert [note for note in notes(folder) if "second" in note] == [
        "begin second hidden-word clean",
        "end second hidden-word",
    ]


def test_a_run_that_was_taken_over_may_not_write(database):
    seen = []

    journal = Journal(database)
    log = TaskEvent("log", {"message": "said"})
    with database.recording() as connection:
        tasks.create_task(connection, "task", spec={}, secrets=None, created_by=None, now_ms=1)

    def write(step):
        journal.append("task", [log], claim=step.claim)
        return journal.change("task", "processing", attempt=0, previous=tasks.LIVE, events=[log], claim=step.claim)

    def run(job_id, step):
        seen.append(write(step))
        with database.recording() as connection:
            connection.execute(text("UPDATE dbos.workflow_status SET owner_xid = 'another'"))
        for attempt in (
            lambda: journal.append("task", [log], claim=step.claim),
            lambda: journal.change("task", "failed", attempt=0, previous=tasks.LIVE, events=[log], claim=step.claim),
        ):
            try:
                attempt()
            except JobStoppedError:
                seen.append("another's")
        raise JobStoppedError

    if database.engine.dialect.name == "sqlite":
        pytest.skip("on SQLite nobody takes over from a process that lives")
    with jobs(database, run) as working:
        working.enqueue("work", ["a"])
        eventually(lambda: len(seen) == 3, "the run")
    assert seen == [True, "another's", "another's"]
    assert journal.task("task").status == "processing"
    assert len(journal.events("task")) == 2


def test_what_was_never_handed_in_is_handed_in_by_a_living_worker(database):
    done, lost = threading.Event(), []
    made = Jobs(database, polling_seconds=0.02, lease_seconds=3)
    made.register("work", lambda job_id, step: done.set(), unfinished=lambda: lost)
    made.start()
    try:
        lost.append("a")
        assert done.wait(60)
    finally:
        made.stop()


def test_on_sqlite_a_second_process_works_when_the_first_has_gone(tmp_path):
    url, folder, done = f"sqlite:///{tmp_path / 'portal.db'}", tmp_path / "data", threading.Event()
    folder.mkdir()
    with Database(url) as database, worker_process(url, folder) as first:
        made = Jobs(database, polling_seconds=0.02, lease_seconds=3)
        made.register("work", lambda job_id, step: done.set(), unfinished=list)
        made.start()
        try:
            assert not made.is_worker
            made.enqueue("work", ["a"])
            kill(first)
            assert done.wait(60)
        finally:
            made.stop()


def test_a_job_that_broke_is_told_of_while_it_is_unfinished(database):
    broken = threading.Event()

    def fail(job_id, step):
        raise OSError("no space left")

    made = Jobs(database, polling_seconds=0.02, lease_seconds=0.6)
    made.register("work", fail, unfinished=lambda: ["a"], broken=lambda job_id: job_id == "a" and broken.set())
    made.start()
    try:
        assert broken.wait(60)
    finally:
        made.stop()


class BrokenWorkspaces(Workspaces):
    """Workspaces on a disk that breaks when a task has ended."""

    def remove(self, task_id):
        raise OSError("the disk is gone")


def test_a_task_ends_whatever_breaks(database_url, tmp_path, repo):
    folder = tmp_path / "data"
    steps = [{"id": "say", "action": "debug:log", "input": {"message": "hello"}}]
    source = repo({"catalog-info.yaml": json.dumps(template("simple", steps))})
    with scaffold(database_url, folder, workspaces=BrokenWorkspaces(folder / "workspaces")) as running:
        running.ingest(f"{source.url}#main:catalog-info.yaml")
        events = running.run("simple")
        assert statuses(events) == {"say": "completed"}
        assert events[-1]["body"]["error"]["message"] == (
            "Portal could not carry the task out (OSError); its log says more"
        )
        assert running.service.get_task(events[-1]["taskId"])["status"] == "failed"
