"""Two servers, two workers, one PostgreSQL, one address: whoever dies or stops, work is done once, reads agree."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from catalogs import component
from fleets import Fleet, fleet
from repositories import MakeRepository, Repository
from scaffolds import template
from servers import Server, free_port
from sqlalchemy import text
from waiting import eventually

from portal.store.database import Database
from portal.store.slots import living_slots

pytestmark = pytest.mark.slow

POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

#: What is stopped is stopped for longer than this; PORTAL_TEST_LEASE_SECONDS=30 makes it a real minute.
LEASE_SECONDS = int(os.environ.get("PORTAL_TEST_LEASE_SECONDS", "6"))
PATIENCE_SECONDS = 180.0 + 4 * LEASE_SECONDS
READINESS = "/.backstage/health/v1/readiness"
ENTITY = "/api/catalog/entities/by-name/component/default"
SLOW = template(
    "slow",
    [
        {"id": "fetch", "action": "fetch:template", "input": {"url": "./skeleton", "values": "${{ parameters }}"}},
        {"id": "wait", "action": "debug:wait", "input": {"seconds": 3}},
        {"id": "publish", "action": "publish:git", "input": {"name": "${{ parameters.name }}"}},
        {
            "id": "register",
            "action": "catalog:register",
            "input": {"repoContentsUrl": "${{ steps.publish.output.repoContentsUrl }}"},
        },
    ],
    parameters=[{"properties": {"name": {"type": "string"}}}],
)
STEPS = ("fetch", "wait", "publish", "register")


@pytest.fixture
def source(tmp_path: Path, repo: MakeRepository) -> Repository:
    """A catalog with a template, and settings that name it."""
    made = repo(
        {
            "template.yaml": json.dumps(SLOW),
            "skeleton/catalog-info.yaml": component("${{ values.name }}"),
            "one.yaml": said("first"),
        }
    )
    (tmp_path / "portal.toml").write_text(
        f'catalog = ["{made.url}#main:*.yaml"]\nrefresh_seconds = 1\nlease_seconds = {LEASE_SECONDS}\n'
    )
    return made


def said(what: str) -> str:
    """Return a component that says something."""
    return component("one").replace("name: one", f"name: one, description: {what}")


def submit(all_: Fleet, name: str) -> str:
    status, created = all_.address.ask(
        "/api/scaffolder/v2/tasks",
        method="POST",
        body={"templateRef": "template:default/slow", "values": {"name": name}},
    )
    assert status == 201, created
    return str(created["id"])


def events(all_: Fleet, task: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = all_.address.ask(f"/api/scaffolder/v2/tasks/{task}/events")[1]
    return found


def is_waiting(all_: Fleet, task: str) -> bool:
    return any(event["body"].get("stepId") == "wait" for event in events(all_, task))


def is_over(all_: Fleet, task: str) -> bool:
    return any(event["type"] == "completion" for event in events(all_, task))


def says(all_: Fleet, what: str) -> bool:
    return all(
        status == 200 and entity["metadata"].get("description") == what
        for status, entity in all_.ask_each(f"{ENTITY}/one")
    )


def assert_done_once(all_: Fleet, task: str, name: str) -> None:
    """Every step ended once, the task too; there is one repository with one commit, and its entity."""
    told = events(all_, task)
    ended = Counter(event["body"]["stepId"] for event in told if event["body"].get("status") == "completed")
    assert ended == Counter(STEPS), told
    assert [event["body"].get("error") for event in told if event["type"] == "completion"] == [None]
    folder = all_.folder / "data/repositories" / f"{name}.git"
    commits = subprocess.run(["git", "rev-list", "--count", "--all"], cwd=folder, check=True, capture_output=True)
    assert commits.stdout.strip() == b"1"
    assert all(status == 200 for status, _ in all_.ask_each(f"{ENTITY}/{name}"))


def number_at_work(database: Database, task: str) -> int:
    """Return the number of the worker that has a task."""
    with database.reading() as connection:
        statement = text("SELECT executor_id FROM dbos.workflow_status WHERE workflow_uuid = :id")
        return int(str(connection.execute(statement, {"id": task}).scalar_one()).rpartition("-")[2])


def living(database: Database) -> frozenset[int]:
    with database.reading() as connection:
        return living_slots(connection, own=0)


@POSTGRESQL
def test_work_is_done_once_whoever_is_killed_or_stopped(database_url: str, tmp_path: Path, source: Repository) -> None:
    with fleet(tmp_path, database_url) as all_, Database(database_url) as database:
        first = all_.work()
        dying = all_.serve()
        all_.serve()
        second = all_.work()
        eventually(lambda: says(all_, "first"), "the catalog", seconds=PATIENCE_SECONDS)

        tasks = {name: submit(all_, name) for name in ("a", "b", "c", "d")}
        eventually(lambda: all(is_waiting(all_, task) for task in tasks.values()), "the tasks to be under way")
        holder = number_at_work(database, tasks["a"])
        stopped, other = (first, second) if holder == first.number else (second, first)
        stopped.signal(signal.SIGSTOP)
        dying.kill()
        source.commit({"one.yaml": said("second")})
        eventually(lambda: living(database) == {other.number}, "the place to be lost", seconds=PATIENCE_SECONDS)
        all_.servers = {port: member for port, member in all_.servers.items() if member is not dying}
        for task in tasks.values():
            eventually(lambda: is_over(all_, task), "the task to end", seconds=PATIENCE_SECONDS)  # noqa: B023
        assert number_at_work(database, tasks["a"]) == other.number
        eventually(lambda: says(all_, "second"), "the refresh", seconds=PATIENCE_SECONDS)

        stopped.signal(signal.SIGCONT)
        eventually(lambda: stopped.number in living(database), "the worker to come back", seconds=PATIENCE_SECONDS)
        other.kill()
        source.commit({"one.yaml": said("third")})
        eventually(lambda: says(all_, "third"), "the refresh by who came back", seconds=PATIENCE_SECONDS)
        tasks["e"] = submit(all_, "e")
        eventually(lambda: is_over(all_, tasks["e"]), "a task of who came back", seconds=PATIENCE_SECONDS)

        for name, task in tasks.items():
            assert_done_once(all_, task, name)
        versions = all_.address.ask(f"{ENTITY}/one/history")[1]["items"]
        assert [version["change"] for version in versions] == ["changed", "changed", "added"]


def test_what_one_server_writes_all_read_and_what_is_wanted_a_worker_does_at_once(
    database_url: str, tmp_path: Path, source: Repository, repo: MakeRepository
) -> None:
    settings = tmp_path / "portal.toml"
    settings.write_text(settings.read_text().replace("refresh_seconds = 1", "refresh_seconds = 3600"))
    with fleet(tmp_path, database_url) as all_:
        all_.serve()
        all_.serve()
        first = all_.work("--health-port", str(port := free_port()))
        worker = Server(first.process, f"http://127.0.0.1:{port}", first.log)
        assert worker.ask(READINESS) == (200, {"status": "ok"})
        eventually(lambda: says(all_, "first"), "the catalog", seconds=PATIENCE_SECONDS)
        # Who looks at sources tells how far behind they are; who does not, does not know.
        lag = f'portal_source_lag_seconds{{source="url:{source.url}#main:*.yaml"}}'
        eventually(lambda: lag in worker.ask("/metrics")[1], "the figures of the look")
        assert not any("portal_source_lag_seconds{" in figures for _, figures in all_.ask_each("/metrics"))
        lists = "/api/catalog/entities/by-query?filter=kind=component&fields=metadata.name,metadata.description"
        facets = "/api/catalog/entity-facets?facet=metadata.description"
        for what in ("second", "third"):
            assert len({json.dumps(answer) for answer in all_.ask_each(lists)}) == 1
            assert len({json.dumps(answer) for answer in all_.ask_each(facets)}) == 1
            source.commit({"one.yaml": said(what)})
            wanted = all_.address.ask(
                "/api/catalog/refresh", method="POST", body={"entityRef": "component:default/one"}
            )
            assert wanted[0] == 200
            eventually(lambda: says(all_, what), "the refresh that was asked for")  # noqa: B023
            for status, answer in all_.ask_each(facets):
                assert (status, [item["value"] for item in answer["facets"]["metadata.description"]]) == (200, [what])

        refreshes = 'portal_refresh_duration_seconds_count{result="changed"} 2.0'
        eventually(lambda: refreshes in worker.ask("/metrics")[1], "the figures of both refreshes")

        made = repo({"catalog-info.yaml": component("late")}, name="../data/repositories/late")
        for _ in range(4):  # each server writes, each reads at once what the other has written
            added = all_.address.ask(
                "/api/catalog/locations",
                method="POST",
                body={"type": "url", "target": f"{made.url}#main:catalog-info.yaml"},
            )
            assert added[0] == 201, added
            assert [status for status, _ in all_.ask_each(f"{ENTITY}/late")] == [200, 200]
            assert [answer["totalItems"] for _, answer in all_.ask_each(lists)] == [2, 2]
            gone = all_.address.ask(f"/api/catalog/locations/{added[1]['location']['id']}", method="DELETE")
            assert gone[0] == 204
            assert [status for status, _ in all_.ask_each(f"{ENTITY}/late")] == [404, 404]
            assert [answer["totalItems"] for _, answer in all_.ask_each(lists)] == [1, 1]

        task = submit(all_, "asked-for")
        eventually(lambda: is_over(all_, task), "the task to end", seconds=PATIENCE_SECONDS)
        assert_done_once(all_, task, "asked-for")


@POSTGRESQL
def test_a_worker_that_is_asked_to_end_hands_its_task_back(
    database_url: str, tmp_path: Path, source: Repository
) -> None:
    with fleet(tmp_path, database_url) as all_, Database(database_url) as database:
        all_.serve()
        first = all_.work()
        task = submit(all_, "handed")
        eventually(lambda: is_waiting(all_, task), "the task to be under way")
        first.process.send_signal(signal.SIGTERM)
        second = all_.work()
        assert first.process.wait(PATIENCE_SECONDS) == 0
        eventually(lambda: is_over(all_, task), "the task to end", seconds=PATIENCE_SECONDS)
        assert number_at_work(database, task) == second.number
        assert_done_once(all_, task, "handed")
