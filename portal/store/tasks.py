"""Keeps scaffolder tasks with their events."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from portal.model.permission import Condition, Criteria, EveryOf, NoneOf, SomeOf
from portal.model.permission_names import SCAFFOLDER_TASK
from portal.model.resource_rules import resource_test
from portal.store.tables import task_events, tasks

#: The states in which a task is not over.
LIVE = ("open", "processing")
STATUSES = (*LIVE, "completed", "failed", "cancelled", "skipped")
_ORDERS = {"created_at": tasks.c.created_at_ms, "status": tasks.c.status, "created_by": tasks.c.created_by}
#: What a list of tasks may be ordered by.
ORDER_FIELDS = frozenset(_ORDERS)


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as stored; `spec` holds no secrets, `template_commit` is known when it has ended."""

    id: str
    status: str
    spec: dict[str, Any]
    created_by: str | None
    created_at_ms: int
    last_heartbeat_at_ms: int | None
    template_commit: str | None = None


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as stored; ids grow over all tasks."""

    id: int
    task_id: str
    type: str
    body: dict[str, Any]
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks a list holds, in which order. An empty collection lets every task through, no criteria too."""

    created_by: Collection[str] = ()
    statuses: Collection[str] = ()
    templates: Collection[str] = ()
    order: Sequence[tuple[str, bool]] = ()
    limit: int | None = None
    offset: int = 0
    permitted: Criteria | None = None


# What every task writes a few times is put together once: that takes ten times as long as running it (measured).
_TOUCH = update(tasks).where(tasks.c.id == bindparam("task")).values(last_heartbeat_at_ms=bindparam("now_ms"))
_APPEND = insert(task_events)
_CREATE = insert(tasks)


@cache
def _change(previous: frozenset[str], given: frozenset[str], *, is_over: bool) -> Update:
    """Return the statement that changes a task's status, with those of its parameters that are `given`."""
    conditions = [tasks.c.id == bindparam("task"), or_(*(tasks.c.status == status for status in sorted(previous)))]
    values: dict[str, Any] = {"status": bindparam("new"), "last_heartbeat_at_ms": bindparam("now_ms")}
    if "attempt" in given:
        recovered = task_events.c.task_id == tasks.c.id, task_events.c.type == "recovered"
        conditions.append(select(func.count()).where(*recovered).scalar_subquery() == bindparam("attempt"))
    if "commit" in given:
        values["template_commit"] = bindparam("commit")
    if is_over:
        values["secrets"] = None
    return update(tasks).where(*conditions).values(values)


def create_task(
    connection: Connection,
    task_id: str,
    *,
    spec: Mapping[str, Any],
    secrets: str | None,
    created_by: str | None,
    now_ms: int,
) -> None:
    """Insert an open task. `secrets` is ciphertext."""
    row = {
        "id": task_id,
        "status": "open",
        "spec": orjson.dumps(spec).decode(),
        "secrets": secrets,
        "created_by": created_by,
        "created_at_ms": now_ms,
        "last_heartbeat_at_ms": None,
        "template_ref": (spec.get("templateInfo") or {}).get("entityRef"),
    }
    connection.execute(_CREATE, row)


def get_tasks(connection: Connection, ids: Collection[str]) -> dict[str, TaskRow]:
    """Return those of the tasks that exist, by id."""
    # No column can hold a NUL.
    wanted = [task for task in ids if "\0" not in task]
    rows = connection.execute(_BY_IDS, {"ids": wanted})
    return {row.id: _task(row) for row in rows}


def list_tasks(connection: Connection, wanted: TaskFilter) -> tuple[list[TaskRow], int]:
    """Return tasks, the newest first unless ordered otherwise, with their number when paging is left aside."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.created_by:
        conditions.append(tasks.c.created_by.in_(wanted.created_by))
    if wanted.statuses:
        conditions.append(tasks.c.status.in_(wanted.statuses))
    if wanted.templates:
        conditions.append(tasks.c.template_ref.in_(wanted.templates))
    if wanted.permitted is not None:
        conditions.append(_permitted(wanted.permitted))
    total = connection.execute(select(func.count()).select_from(tasks).where(*conditions)).scalar_one()
    if wanted.limit == 0:
        return [], total
    order = [_ORDERS[name].desc() if descending else _ORDERS[name].asc() for name, descending in wanted.order]
    statement = select(*_COLUMNS).where(*conditions).order_by(*(order or [tasks.c.created_at_ms.desc()]), tasks.c.id)
    statement = statement.limit(wanted.limit if wanted.limit is not None else total or 1).offset(wanted.offset)
    return [_task(row) for row in connection.execute(statement)], total


def live_tasks(connection: Connection) -> list[str]:
    """Return the ids of the tasks that are not over, the oldest first."""
    statement = select(tasks.c.id).where(tasks.c.status.in_(LIVE)).order_by(tasks.c.created_at_ms, tasks.c.id)
    return list(connection.execute(statement).scalars())


def count_by_status(connection: Connection) -> dict[str, int]:
    """Return how many tasks there are in each status that any has."""
    rows = connection.execute(select(tasks.c.status, func.count()).group_by(tasks.c.status))
    return {str(status): int(count) for status, count in rows}


def count_by_template(
    connection: Connection, *, created_by: Collection[str] = (), permitted: Criteria | None = None
) -> dict[tuple[str, str], int]:
    """Return how many tasks there are of each (template, status); both as in `TaskFilter`."""
    conditions: list[ColumnElement[bool]] = []
    if created_by:
        conditions.append(tasks.c.created_by.in_(created_by))
    if permitted is not None:
        conditions.append(_permitted(permitted))
    columns = tasks.c.template_ref, tasks.c.status
    statement = select(*columns, func.count()).where(*conditions).group_by(*columns)
    return {(str(ref or ""), str(status)): int(count) for ref, status, count in connection.execute(statement)}


def oldest_waiting_ms(connection: Connection) -> int | None:
    """Return when the oldest task was handed in that nobody has taken up; None where none waits."""
    statement = select(func.min(tasks.c.created_at_ms)).where(tasks.c.status == "open")
    found: int | None = connection.execute(statement).scalar_one()
    return found


def change_status(
    connection: Connection,
    task_id: str,
    status: str,
    *,
    previous: Collection[str],
    now_ms: int,
    attempt: int | None = None,
    template_commit: str = "",
) -> bool:
    """Set a task's status where it is one of `previous` now; return whether it was.

    With an `attempt` only if the task was opened again so often. The end of a task clears its secrets. A
    `template_commit` is kept with it.
    """
    given: dict[str, Any] = {"task": task_id, "new": status, "now_ms": now_ms}
    if attempt is not None:
        given["attempt"] = attempt
    if template_commit:
        given["commit"] = template_commit
    statement = _change(frozenset(previous), frozenset(given), is_over=status not in LIVE)
    return connection.execute(statement, given).rowcount > 0


def reopen_task(
    connection: Connection, task_id: str, *, secrets: str | None, event: tuple[str, Mapping[str, Any]], now_ms: int
) -> bool:
    """Make a task that is over open again, with other secrets (ciphertext); return whether it was over.

    The event, (type, body), says so in place of its end. Rule: scaffolder-backend 4.2 `retryTask`.
    """
    statement = (
        update(tasks)
        .where(tasks.c.id == task_id, tasks.c.status.not_in(LIVE))
        .values(status="open", secrets=secrets, last_heartbeat_at_ms=now_ms)
    )
    if not connection.execute(statement).rowcount:
        return False
    # Before the end goes: SQLite would give its number a second time, and who was told of it would miss this.
    append_events(connection, task_id, [event], now_ms=now_ms)
    ended = task_events.c.type.in_(("cancelled", "completion"))
    connection.execute(delete(task_events).where(task_events.c.task_id == task_id, ended))
    return True


def attempts_of(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """Return for each of some tasks how often it was opened again."""
    statement = (
        select(task_events.c.task_id, func.count())
        .where(task_events.c.task_id.in_(ids), task_events.c.type == "recovered")
        .group_by(task_events.c.task_id)
    )
    found = {str(task): int(count) for task, count in connection.execute(statement)}
    return {task: found.get(task, 0) for task in ids}


def touch_task(connection: Connection, task_id: str, *, now_ms: int) -> None:
    """Say that a task is being worked on."""
    connection.execute(_TOUCH, {"task": task_id, "now_ms": now_ms})


def clear_secrets(connection: Connection, ids: Collection[str]) -> None:
    """Forget the secrets of tasks."""
    connection.execute(update(tasks).where(tasks.c.id.in_(ids)).values(secrets=None))


def append_events(
    connection: Connection, task_id: str, events: Sequence[tuple[str, Mapping[str, Any]]], *, now_ms: int
) -> None:
    """Append events, each (type, body), in this order."""
    rows = [
        {"task_id": task_id, "type": kind, "body": orjson.dumps(body).decode(), "created_at_ms": now_ms}
        for kind, body in events
    ]
    if rows:
        connection.execute(_APPEND, rows)


def read_events(connection: Connection, task_id: str, *, after: int = 0, types: Collection[str] = ()) -> list[EventRow]:
    """Return a task's events with an id above `after`, and its completion whatever its id; the oldest first.

    `types` leaves out those of other types.
    """
    statement = select(task_events).where(
        task_events.c.task_id == task_id, (task_events.c.id > after) | (task_events.c.type == "completion")
    )
    if types:
        statement = statement.where(task_events.c.type.in_(types))
    return [
        EventRow(row.id, row.task_id, row.type, orjson.loads(row.body), row.created_at_ms)
        for row in connection.execute(statement.order_by(task_events.c.id))
    ]


def _permitted(criteria: Criteria) -> ColumnElement[bool]:
    """Return the condition on `tasks` that criteria make. Raises `InputError` for a rule that tasks do not have."""
    match criteria:
        case EveryOf():
            return and_(*map(_permitted, criteria.parts))
        case SomeOf():
            return or_(*map(_permitted, criteria.parts))
        case NoneOf():
            return not_(_permitted(criteria.part))
        case Condition():
            # Raises for what is no condition on tasks.
            resource_test(criteria, SCAFFOLDER_TASK)
            # A task of nobody is nobody's: NULL would be neither true nor false.
            return func.coalesce(tasks.c.created_by, "").in_(criteria.params["createdBy"])
    raise TypeError(f"not criteria: {criteria!r}")


_COLUMNS = (
    tasks.c.id,
    tasks.c.status,
    tasks.c.spec,
    tasks.c.created_by,
    tasks.c.created_at_ms,
    tasks.c.last_heartbeat_at_ms,
    tasks.c.template_commit,
)
_BY_IDS = select(*_COLUMNS).where(tasks.c.id.in_(bindparam("ids", expanding=True)))


def _task(row: Any) -> TaskRow:
    return TaskRow(
        row.id,
        row.status,
        orjson.loads(row.spec),
        row.created_by,
        row.created_at_ms,
        row.last_heartbeat_at_ms,
        row.template_commit,
    )
