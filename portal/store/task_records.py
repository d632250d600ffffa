"""Writes what happens in a task: in one statement on PostgreSQL, where each of several costs as much as all of it.

Connections are those of `Database.noting`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, TextClause, text

from portal.store import tasks
from portal.store.calls import CHANNEL
from portal.store.jobs import JobClaim

#: Events as (type, body).
Events = Sequence[tuple[str, Mapping[str, Any]]]
#: What has become of it: it is written, or was not to be, or another run of the job has the say now.
Outcome = Literal["written", "unchanged", "lost"]

#: The job's row is locked, so that nobody takes the job over before the events are written; the task's row comes
#: next, whose lock keeps the numbers of a task's events in the order of their commits.
_WRITE = """
WITH mine AS ({mine}),
touched AS (
    UPDATE tasks SET {values} WHERE id = :task AND {condition} AND EXISTS (SELECT 1 FROM mine) RETURNING id
),
told AS (
    INSERT INTO task_events (task_id, type, body, created_at_ms)
    SELECT touched.id, event.type, event.body, :now_ms
    FROM touched, unnest(CAST(:types AS text[]), CAST(:bodies AS text[])) WITH ORDINALITY AS event (type, body, place)
    ORDER BY event.place
)
SELECT EXISTS (SELECT 1 FROM mine), EXISTS (SELECT 1 FROM touched),
    CASE WHEN EXISTS (SELECT 1 FROM touched) THEN pg_notify(:channel, :call) END
"""
_MINE = "SELECT 1 FROM dbos.workflow_status WHERE workflow_uuid = :job AND owner_xid = :token FOR SHARE"
_CHANGED = """status = ANY(CAST(:previous AS text[]))
    AND (SELECT count(*) FROM task_events WHERE task_id = :task AND type = 'recovered') = :attempt"""


def append(
    connection: Connection, task_id: str, events: Events, *, now_ms: int, claim: JobClaim | None, call: str
) -> Outcome:
    """Append events to a task and say that it is being worked on; on PostgreSQL who listens for `call` hears of it."""
    if connection.dialect.name == "postgresql":
        statement = _statement("last_heartbeat_at_ms = :now_ms", "TRUE", is_claimed=claim is not None)
        return _write(connection, statement, {"task": task_id, "now_ms": now_ms, "call": call}, events, claim)
    tasks.touch_task(connection, task_id, now_ms=now_ms)
    tasks.append_events(connection, task_id, events, now_ms=now_ms)
    return "written"


def change(
    connection: Connection,
    task_id: str,
    status: str,
    events: Events,
    *,
    attempt: int,
    previous: Collection[str],
    now_ms: int,
    claim: JobClaim | None,
    call: str,
    template_commit: str = "",
) -> Outcome:
    """Set a task's status as `tasks.change_status` does, with events where it was; `call` as for `append`."""
    if connection.dialect.name == "postgresql":
        values = ["status = :new", "last_heartbeat_at_ms = :now_ms"]
        given: dict[str, Any] = {"task": task_id, "now_ms": now_ms, "call": call, "new": status, "attempt": attempt}
        if status not in tasks.LIVE:
            values.append("secrets = NULL")
        if template_commit:
            values.append("template_commit = :commit")
            given["commit"] = template_commit
        statement = _statement(", ".join(values), _CHANGED, is_claimed=claim is not None)
        return _write(connection, statement, given | {"previous": sorted(previous)}, events, claim)
    changed = tasks.change_status(
        connection,
        task_id,
        status,
        attempt=attempt,
        previous=previous,
        now_ms=now_ms,
        template_commit=template_commit,
    )
    if changed:
        tasks.append_events(connection, task_id, events, now_ms=now_ms)
    return "written" if changed else "unchanged"


@cache
def _statement(values: str, condition: str, *, is_claimed: bool) -> TextClause:
    return text(_WRITE.format(mine=_MINE if is_claimed else "SELECT 1", values=values, condition=condition))


def _write(
    connection: Connection, statement: TextClause, given: dict[str, Any], events: Events, claim: JobClaim | None
) -> Outcome:
    told = {"types": [kind for kind, _ in events], "bodies": [orjson.dumps(body).decode() for _, body in events]}
    mine = {} if claim is None else {"job": claim.job_id, "token": claim.token}
    is_mine, is_changed, _ = connection.execute(statement, given | told | mine | {"channel": CHANNEL}).one()
    if not is_mine:
        return "lost"
    return "written" if is_changed else "unchanged"
