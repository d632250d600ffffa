"""The page of a task: what its steps do while they do it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.errors import ConflictError, InputError, NotAllowedError, NotFoundError, ValuesError
from portal.model.secret import Secret
from portal.services.catalog import CatalogService
from portal.services.ownership import OwnershipService
from portal.services.scaffolding import ScaffoldingService
from portal.services.task_rights import TaskAccess
from portal.web.log_text import plain
from portal.web.task_page import SECRET_PREFIX, TaskPages


def add_task(
    blueprint: Blueprint,
    scaffolding: ScaffoldingService,
    catalog: CatalogService,
    ownership: OwnershipService,
    access: TaskAccess,
) -> None:
    """Add the page with what can be done on it."""
    pages = TaskPages(scaffolding, catalog, ownership)

    @blueprint.get("/create/tasks/<task_id>")
    def task(task_id: str) -> Response:
        return pages.page(task_id)

    @blueprint.get("/create/tasks/<task_id>/log")
    def task_log(task_id: str) -> Response:
        response = Response(map(_log_line, scaffolding.events(task_id)), mimetype="text/plain")
        response.headers["Content-Disposition"] = f'attachment; filename="task-{task_id}.log"'
        return response

    @blueprint.post("/create/tasks/<task_id>/cancel")
    def cancel_task(task_id: str) -> ResponseReturnValue:
        scaffolding.cancel(task_id)
        return redirect(url_for("web.task", task_id=task_id), 303)

    @blueprint.post("/create/tasks/<task_id>/retry")
    def retry_task(task_id: str) -> ResponseReturnValue:
        try:
            scaffolding.retry(task_id, secrets=_given_secrets())
        except ConflictError as error:
            return pages.page(task_id, fault=error.message, status=409)
        except (InputError, NotFoundError) as error:
            return pages.page(task_id, fault=error.message, status=422)
        return redirect(url_for("web.task", task_id=task_id), 303)

    @blueprint.post("/create/tasks/<task_id>/again")
    def start_task_over(task_id: str) -> ResponseReturnValue:
        spec = scaffolding.get_task(task_id)["spec"]
        try:
            begun = scaffolding.create_task(
                spec["templateInfo"]["entityRef"],
                spec["parameters"],
                secrets=_given_secrets(),
                actor_ref=access.user_ref(),
                rights=access.rights(),
            )
        except (InputError, ValuesError, NotFoundError, NotAllowedError) as error:
            return pages.page(task_id, fault=error.message, status=403 if isinstance(error, NotAllowedError) else 422)
        return redirect(url_for("web.task", task_id=begun), 303)


def _log_line(event: Mapping[str, Any]) -> str:
    body = event["body"]
    return f"{event['createdAt']} {body.get('stepId') or '-'} {plain(str(body.get('message', '')))}\n"


def _given_secrets() -> dict[str, Secret]:
    return {
        name.removeprefix(SECRET_PREFIX): Secret(text)
        for name, text in request.form.items()
        if name.startswith(SECRET_PREFIX) and text
    }
