"""Traces, as a collector gets them by OTLP over HTTP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents
from collectors import Collector, collecting
from repositories import MakeRepository
from servers import ROOT
from sqlalchemy.exc import OperationalError
from waiting import eventually

from portal.app import build
from portal.app.traces import start_traces
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.model.trace import follow, traced

ENTITY = "/api/catalog/entities/by-name/component/default/a"
TEMPLATE = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: told}
spec:
  type: service
  owner: group:default/team
  parameters: []
  steps:
    - {id: one, name: One, action: debug:log, input: {message: hello}}
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def _told(span: Any) -> dict[str, Any]:
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


def test_requests_refreshes_and_tasks_are_traced(
    tmp_path: Path, database_url: str, repo: MakeRepository, collector: Collector
) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), TEMPLATE)})
    overrides = {"data": str(tmp_path / "data"), "database": database_url, "traces": collector.url}
    with build(load_settings(environment={}, overrides=overrides)) as portal:
        portal.migrate()
        app = create_app(portal)
        traces = start_traces(portal)
        traces.around(app)
        portal.start()
        portal.ingest([("url", made.url)])
        client = app.test_client()
        for path in (f"{ENTITY}?code=s3cret-word", ENTITY, "/api/catalog/entities?filter=kind=component", "/gone"):
            client.get(path, headers={"x-request-id": "mine", "cookie": "s3cret-word"})
        task = client.post(
            "/api/scaffolder/v2/tasks",
            json={"templateRef": "template:default/told", "values": {}, "secrets": {"K": "s3cret-word"}},
        ).json["id"]
        eventually(
            lambda: client.get(f"/api/scaffolder/v2/tasks/{task}").json["status"] == "completed", "the task to end"
        )
        portal.begin_to_stop()
        traces.stop()

    route = "GET /api/catalog/entities/by-name/<kind>/<namespace>/<name>"
    refused, answered = collector.named(route)
    assert [_told(span)["http.status_code"] for span in (refused, answered)] == [400, 200]
    assert _told(answered)["portal.request_id"] == "mine"
    (ingest,) = [span for span in collector.named("refresh") if span.trace_id == _writing(collector).trace_id]
    inside = {span.name for span in collector.spans if span.trace_id == ingest.trace_id}
    assert {"refresh: look for changes", "refresh: read", "refresh: write", "git fetch"} <= inside
    (job,) = collector.named("job")
    assert _told(job)["portal.id"] == task
    steps = [span for span in collector.named("job: step") if span.parent_span_id == job.span_id]
    assert [_told(span)["portal.step"] for span in steps] == ["1 one", "finish"]
    (listed,) = collector.named("GET /api/catalog/entities")
    statements = [span for span in collector.spans if span.parent_span_id == listed.span_id]
    assert {span.name for span in statements} >= {"sql SELECT"}
    assert all(_told(span)["portal.statement"] for span in statements)
    assert b"s3cret-word" not in collector.content


def _writing(collector: Collector) -> Any:
    (span,) = collector.named("refresh: write")
    return span


def test_a_stretch_that_fails_is_told_without_what_the_fault_says(tmp_path: Path, collector: Collector) -> None:
    overrides = {"data": str(tmp_path / "data"), "traces": collector.url}
    with build(load_settings(environment={}, overrides=overrides)) as portal:
        portal.migrate()
        traces = start_traces(portal)
        with pytest.raises(RuntimeError), traced("odd"):
            raise RuntimeError("s3cret-word")
        traces.stop()

    (span,) = collector.named("odd")
    assert (span.status.code, span.status.message) == (2, "RuntimeError")
    assert b"s3cret-word" not in collector.content


def test_a_statement_that_fails_ends_as_a_stretch(tmp_path: Path, collector: Collector) -> None:
    overrides = {"data": str(tmp_path / "data"), "traces": collector.url}
    with build(load_settings(environment={}, overrides=overrides)) as portal:
        portal.migrate()
        traces = start_traces(portal)
        with pytest.raises(OperationalError), portal.database.reading() as connection:
            connection.exec_driver_sql("SELECT gone FROM nowhere")
        with portal.database.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
        traces.stop()

    failed, followed = collector.named("sql SELECT")[-2:]
    assert (failed.status.code, followed.status.code) == (2, 0)
    assert followed.parent_span_id == b""


def test_nobody_follows_unless_told_so() -> None:
    seen: list[str] = []

    def follower(name: str, known: Any) -> Any:
        seen.append(f"{name} {known}")
        return nullcontext()

    end = follow(follower)
    with traced("a", b="c"):
        pass
    end()
    with traced("d"):
        pass

    assert seen == ["a {'b': 'c'}"]


def test_what_is_not_wanted_is_not_imported(tmp_path: Path) -> None:
    program = (
        "import sys; from portal.app import build; from portal.app.wsgi import create_app; "
        "from portal.config import load_settings; "
        f"portal = build(load_settings(environment={{}}, overrides={{'data': {str(tmp_path)!r}}})); portal.migrate(); "
        "create_app(portal); portal.tasks; portal.close(); "
        "print([name for name in sys.modules if name.split('.')[0] in "
        "{'opentelemetry', 'pythonjsonlogger', 'requests'}])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
