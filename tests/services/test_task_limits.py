"""How long tasks may take, how many run at once, in which order, what cancels them, what becomes of their template."""

from __future__ import annotations

import json
import shutil

import pytest
from catalogs import documents, group
from scaffolds import messages, scaffold, statuses, template
from waiting import eventually

from portal.errors import ActionError, NotFoundError
from portal.services.task_limits import Deadline, TaskLimits

GATE = {"id": "gate", "action": "test:gate", "input": {"name": "${{ parameters.name }}"}}
CLEAN = {"id": "clean", "if": "${{ always() }}", "action": "test:gate", "input": {"name": "clean"}}
T = template("t", [GATE, CLEAN])
FETCHING = template("f", [GATE, {"id": "fetch", "action": "fetch:plain", "input": {"url": "./files"}}])


def offer(portal, repo, *found):
    source = repo({"catalog-info.yaml": documents(*(json.dumps(item) + "\n" for item in found), group("team-a"))})
    portal.ingest(f"{source.url}#main:catalog-info.yaml")
    return source


def notes(portal):
    file = portal.folder / "notes"
    return file.read_text().splitlines() if file.exists() else []


def open_gate(portal, *names):
    for name in names:
        (portal.folder / f"open-{name}").touch()


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (TaskLimits(step_seconds=0.3), "The step takes longer than 0.3 s"),
        (TaskLimits(step_seconds=600, task_seconds=0.3), "The task takes longer than 0.3 s"),
    ],
)
def test_a_step_that_takes_too_long_fails_and_what_cleans_up_runs(database_url, tmp_path, repo, limits, told):
    with scaffold(database_url, tmp_path / "data", limits=limits) as portal:
        offer(portal, repo, T)
        open_gate(portal, "clean")
        events = portal.run("t", {"name": "shut"})
    assert events[-1]["body"]["error"] == {"name": "Error", "message": told}
    assert statuses(events) == {"gate": "failed", "clean": "completed"}, messages(events)


def test_a_deadline_is_that_of_the_step_or_of_the_task_whichever_comes_first():
    moment = 100.0

    def deadline(begun=None, **limits):
        return Deadline(TaskLimits(**limits), begun=begun, clock=lambda: moment, now=lambda: 1000.0 + moment)

    none, step = deadline(), deadline(step_seconds=5)
    task, cleaning = deadline(begun=1098.0, step_seconds=5, task_seconds=4), deadline(step_seconds=5, task_seconds=1)
    assert [one.within(9) for one in (none, step, task, cleaning)] == [9, 5, 2, 5]
    moment = 102.0
    step.check()
    with pytest.raises(ActionError, match="The task takes longer than 4 s"):
        task.check()
    assert task.within(9) == 0


def test_so_many_run_at_once_and_the_others_wait_in_their_order(database_url, tmp_path, repo):
    names = [f"n{number}" for number in range(6)]
    with scaffold(database_url, tmp_path / "data", tasks_at_once=2) as portal:
        offer(portal, repo, template("t", [GATE]))
        tasks = {name: portal.service.create_task("t", {"name": name}) for name in names}
        for done, name in enumerate(names):
            under_way = names[: done + 2]
            eventually(lambda: len(notes(portal)) >= done + len(under_way), f"those beside {name}")  # noqa: B023
            begun = [line.split()[1] for line in notes(portal) if line.startswith("begin")]
            assert sorted(begun) == sorted(under_way)
            open_gate(portal, name)
            eventually(lambda: portal.service.get_task(tasks[name])["status"] == "completed", name)  # noqa: B023


def test_a_task_goes_on_whose_template_has_gone_and_cannot_be_begun_again(database_url, tmp_path, repo):
    with scaffold(database_url, tmp_path / "data") as portal:
        source = repo({"t.yaml": json.dumps(FETCHING), "files/a": "1", "other.yaml": group("team-a")})
        portal.ingest(f"{source.url}#main:*.yaml")
        task = portal.service.create_task("f", {"name": "g"})
        eventually(lambda: notes(portal), "the gate")
        source.commit({"t.yaml": None, "files/a": None})
        portal.refresh.refresh()
        with pytest.raises(NotFoundError, match="template:default/f"):
            portal.service.create_task("f", {"name": "g"})
        open_gate(portal, "g")
        # It reads the commit that it began with.
        events = list(portal.service.event_stream(task))
        assert statuses(events) == {"gate": "completed", "fetch": "completed"}, messages(events)
        with pytest.raises(NotFoundError, match="template:default/f"):
            portal.service.retry(task)


def test_a_task_whose_template_was_a_folder_that_has_gone_says_so(database_url, tmp_path):
    folder = tmp_path / "template"
    (folder / "files").mkdir(parents=True)
    (folder / "t.yaml").write_text(json.dumps(FETCHING))
    with scaffold(database_url, tmp_path / "data") as portal:
        portal.ingest(f"{folder}#:t.yaml")
        task = portal.service.create_task("f", {"name": "g"})
        eventually(lambda: notes(portal), "the gate")
        shutil.rmtree(folder)
        open_gate(portal, "g")
        error = list(portal.service.event_stream(task))[-1]["body"]["error"]
    assert error["name"] == "NotFoundError"
    assert '"./files" is not beside the template' in error["message"]
