"""Which tasks are asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from portal.model.permission import Criteria
from portal.store import tasks
from portal.store.database import Database


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks to list. `order` holds `asc:FIELD` or `desc:FIELD`; the newest come first without it.

    `permitted` are criteria that they must meet, as a policy gives them.
    """

    created_by: Collection[str] = ()
    statuses: Collection[str] = ()
    templates: Collection[str] = ()
    order: Sequence[str] = ()
    limit: int | None = None
    offset: int = 0
    permitted: Criteria | None = None


def creators_of(database: Database, ids: Collection[str]) -> Mapping[str, str | None]:
    """Return who created those of some tasks that exist, by id; None: nobody in particular."""
    with database.reading() as connection:
        found = tasks.get_tasks(connection, ids)
    return {task: row.created_by for task, row in found.items()}
