"""The page of the tasks that templates have begun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, render_template, request, url_for

from portal.model.ref import EntityRef
from portal.services.ownership import OwnershipService
from portal.services.scaffolding import ScaffoldingService
from portal.services.task_query import TaskQuery
from portal.services.task_rights import TaskAccess
from portal.web.task_story import is_live
from portal.web.task_words import ref_or_none, status_words, template_of, title_of, to_the_minute

_AT_ONCE = 25
#: Farther in nobody looks by turning pages.
_LAST_PAGE = 10_000
_ORDERS = {"newest": "desc:created_at", "oldest": "asc:created_at", "state": "asc:status", "creator": "asc:created_by"}
_STATES = ("processing", "open", "completed", "failed", "cancelled", "skipped")


@dataclass(frozen=True, slots=True)
class TaskFilters:
    """What a list of tasks is asked for; `creator` is `mine`, a reference, or empty for everybody."""

    state: str = ""
    template: str = ""
    creator: str = ""
    order: str = "newest"
    page: int = 1

    @classmethod
    def of_request(cls) -> TaskFilters:
        """Return what the url says; what it says wrongly is left out."""
        asked = request.args
        page = asked.get("page", 1, type=int)
        return cls(
            asked.get("state", ""),
            asked.get("template", ""),
            asked.get("creator", ""),
            asked["order"] if asked.get("order") in _ORDERS else "newest",
            min(max(page, 1), _LAST_PAGE),
        )

    def url(self, **changes: Any) -> str:
        """Return the address of a list that differs from this one; another filter begins at the first page."""
        wanted = replace(self, **({"page": 1} | changes))
        given: dict[str, Any] = {
            "state": wanted.state,
            "template": wanted.template,
            "creator": wanted.creator,
            "order": wanted.order if wanted.order != "newest" else "",
            "page": wanted.page if wanted.page > 1 else "",
        }
        return url_for("web.tasks", **{name: value for name, value in given.items() if value})


@dataclass(frozen=True, slots=True)
class ShownTask:
    """A task as a row of the list."""

    id: str
    title: str
    template: EntityRef | None
    status: str
    creator: EntityRef | None
    began: str
    ended: str
    steps: int


def add_tasks(
    blueprint: Blueprint, scaffolding: ScaffoldingService, ownership: OwnershipService, access: TaskAccess
) -> None:
    """Add the page."""

    @blueprint.get("/create/tasks")
    def tasks() -> str:
        wanted, user = TaskFilters.of_request(), access.user_ref()
        creators = _creators(wanted.creator, user)
        query = TaskQuery(
            created_by=creators,
            statuses=[wanted.state] if wanted.state else (),
            templates=[wanted.template] if wanted.template else (),
            order=[_ORDERS[wanted.order]],
            limit=_AT_ONCE,
            offset=(wanted.page - 1) * _AT_ONCE,
            permitted=access.readable(),
        )
        found, total = scaffolding.list_tasks(query)
        counts = scaffolding.count_tasks(query)
        shown = [_shown(task) for task in found]
        templates = {ref for text, _ in counts if (ref := ref_or_none(text)) is not None}
        named = templates | {task.creator for task in shown if task.creator is not None}
        return render_template(
            "tasks.html",
            tasks=shown,
            total=total,
            first=(wanted.page - 1) * _AT_ONCE + 1,
            has_more=total > wanted.page * _AT_ONCE,
            wanted=wanted,
            user=user,
            states=_states(counts, wanted.template),
            live=sum(count for (_, status), count in counts.items() if is_live(status)),
            known=ownership.nodes(named),
            templates=sorted(templates),
            orders=tuple(_ORDERS),
            words_of=status_words(),
            to_the_minute=to_the_minute,
        )


def _creators(creator: str, user: str | None) -> list[str]:
    if creator == "mine":
        # Of nobody in particular nothing can be told apart as theirs.
        return [user] if user else []
    ref = ref_or_none(creator)
    return [str(ref)] if ref is not None else []


def _states(counts: Mapping[tuple[str, str], int], template: str) -> list[tuple[str, int]]:
    """Return the states that tasks are in, each with how many are, those that are not over first."""
    found: dict[str, int] = {}
    for (ref, status), count in counts.items():
        if not template or ref == template:
            found[status] = found.get(status, 0) + count
    return [(state, found[state]) for state in _STATES if state in found]


def _shown(task: Mapping[str, Any]) -> ShownTask:
    return ShownTask(
        task["id"],
        title_of(task),
        template_of(task),
        task["status"],
        ref_or_none(task.get("createdBy")),
        task["createdAt"],
        "" if is_live(task["status"]) else task.get("lastHeartbeatAt", ""),
        len(task["spec"].get("steps") or ()),
    )
