"""The pages of tasks, as those who ask may read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogs import documents
from worlds import World, world

from portal.services.task_query import TaskQuery

STORY = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: story, title: A service with a story}
spec:
  type: service
  owner: team
  secrets: {schema: {required: [KEY], properties: {KEY: {type: string}}}}
  parameters:
    - properties: {name: {type: string}, PASS: {type: string, ui:field: Secret}}
  steps:
    - id: say
      name: Say it
      action: debug:log
      input: {message: "\\x1b[32minfo\\x1b[39m: <b>${{ parameters.name }}</b>"}
    - id: find
      name: Find it
      action: catalog:fetch
      input: {entityRef: "component:default/${{ parameters.name }}"}
  output:
    links:
      - {title: The thing, entityRef: "component:default/thing"}
      - {title: Bad, url: "javascript:alert(1)"}
      - {title: Odd, entityRef: "not a reference"}
    text:
      - {title: Next, content: "Do **this**. <script>alert(1)</script>"}
    note: "<i>plain</i>"
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("tasks"), extra=documents(STORY)) as made:
        made.portal.jobs.start(worker=True)
        yield made


def run(opened: World, user: str, **values: str) -> str:
    """Run the template to its end and return the task's id."""
    answer = opened.client.post(
        "/api/scaffolder/v2/tasks",
        json={"templateRef": "template:default/story", "values": values, "secrets": {"KEY": "hidden-key"}},
        headers=opened.as_user(user),
    )
    assert answer.status_code == 201, answer.json
    list(opened.portal.scaffolding.event_stream(answer.json["id"]))
    return str(answer.json["id"])


def page(opened: World, path: str, user: str = "member") -> str:
    answer = opened.client.get(path, headers=opened.as_user(user))
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_a_task_shows_what_its_steps_did_and_what_they_made(opened: World) -> None:
    task = run(opened, "member", name="thing", PASS="***")

    shown = page(opened, f"/create/tasks/{task}")

    assert "info: &lt;b&gt;thing&lt;/b&gt;" in shown
    assert "All steps are done." in shown
    assert 'href="/catalog/default/component/thing">The thing</a>' in shown
    assert "<strong>this</strong>" in shown
    assert "&lt;i&gt;plain&lt;/i&gt;" in shown
    assert "<dt>PASS</dt><dd>***</dd>" in shown
    for bad in ("<script>alert", 'href="javascript:', "hidden-key", "\x1b"):
        assert bad not in shown
    log = page(opened, f"/create/tasks/{task}/log")
    assert "say info: <b>thing</b>\n" in log


def test_a_task_that_failed_is_retried_with_its_secrets_or_started_over(opened: World) -> None:
    task = run(opened, "member", name="late")
    url, headers = f"/create/tasks/{task}", opened.as_user("member")
    shown = page(opened, url)
    assert "NotFoundError" not in shown
    assert "Entity component:default/late not found" in shown
    assert 'name="secret/KEY"' in shown

    refused = opened.client.post(f"{url}/retry", data={}, headers=headers)
    assert refused.status_code == 422
    assert "requires secret &#34;secrets.KEY&#34;" in refused.get_data(as_text=True)
    again = opened.client.post(f"{url}/retry", data={"secret/KEY": "hidden-key"}, headers=headers)
    assert (again.status_code, again.location) == (303, url)
    list(opened.portal.scaffolding.event_stream(task))
    assert "attempt 2" in page(opened, url)

    over = opened.client.post(f"{url}/again", data={"secret/KEY": "hidden-key"}, headers=headers)
    assert over.status_code == 303
    begun = opened.portal.scaffolding.get_task(over.location.rpartition("/")[2])
    assert begun["spec"]["parameters"] == {"name": "late"}
    assert begun["createdBy"] == "user:default/member"


def test_a_task_that_is_gone_is_told_on_a_page(opened: World) -> None:
    answer = opened.client.get("/create/tasks/none", headers=opened.as_user("member"))

    assert answer.status_code == 404
    assert "No task with id" in answer.get_data(as_text=True)


def test_the_list_holds_what_may_be_read_and_was_asked_for(opened: World) -> None:
    mine = run(opened, "member", name="thing")
    theirs = run(opened, "owner", name="thing")
    failed = run(opened, "member", name="gone")

    assert mine in page(opened, "/create/tasks")
    assert theirs not in page(opened, "/create/tasks")
    assert theirs in page(opened, "/create/tasks", "admin")
    assert theirs not in page(opened, "/create/tasks?creator=mine", "admin")
    assert theirs in page(opened, "/create/tasks?creator=user:default/owner", "admin")
    failures = page(opened, "/create/tasks?state=failed")
    assert failed in failures
    assert mine not in failures
    assert mine in page(opened, "/create/tasks?template=template:default/story")
    assert "No task is shown here." in page(opened, "/create/tasks?template=template:default/make")
    for odd in ("?page=-1", "?page=99999999999999999999", "?order=x&state=%00x&template=%00&creator=%00", "?page=2"):
        page(opened, f"/create/tasks{odd}")


def test_a_list_asks_as_often_however_many_tasks_there_are(opened: World) -> None:
    from sqlalchemy import event  # noqa: PLC0415  # to count

    asked: list[str] = []
    engine = opened.portal.database.engine
    run(opened, "member", name="thing")
    page(opened, "/create/tasks")
    counts = []
    for _ in range(2):
        asked.clear()
        listen = lambda *given: asked.append(given[2])  # noqa: E731
        event.listen(engine, "before_cursor_execute", listen)
        page(opened, "/create/tasks")
        event.remove(engine, "before_cursor_execute", listen)
        counts.append(len(asked))
        for _ in range(3):
            run(opened, "member", name="thing")

    assert counts[0] == counts[1]
    assert opened.portal.scaffolding.list_tasks(TaskQuery(templates=["template:default/story"]))[1] >= 4


def test_tasks_of_before_their_templates_were_told_are_found(tmp_path: Path) -> None:
    from old_schemas import make_old, rows_of  # noqa: PLC0415  # one test needs it

    from portal.store import schema  # noqa: PLC0415  # as above
    from portal.store.database import Database  # noqa: PLC0415  # as above
    from portal.store.tasks import TaskFilter, create_task, list_tasks  # noqa: PLC0415  # as above

    spec = {"templateInfo": {"entityRef": "template:default/t"}, "steps": []}
    with Database(f"sqlite:///{tmp_path / 'new.db'}") as new:
        schema.upgrade(new)
        with new.writing() as connection:
            create_task(connection, "one", spec=spec, secrets=None, created_by=None, now_ms=1)
        with new.reading() as connection:
            rows = rows_of(connection)
    with Database(f"sqlite:///{tmp_path / 'old.db'}") as old:
        with old.writing() as connection:
            make_old(connection, rows, "0019")
        schema.upgrade(old)
        with old.reading() as connection:
            found, total = list_tasks(connection, TaskFilter(templates=["template:default/t"]))

    assert ([task.id for task in found], total) == (["one"], 1)
