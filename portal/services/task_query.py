"""Which tasks are asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks to list. `order` holds `asc:FIELD` or `desc:FIELD`; the newest come first without it."""

    created_by: Collection[str] = ()
    statuses: Collection[str] = ()
    order: Sequence[str] = ()
    limit: int | None = None
    offset: int = 0
