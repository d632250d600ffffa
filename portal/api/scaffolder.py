"""The scaffolder's HTTP API, as Backstage's clients speak it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from portal.api.json_bodies import JsonParser
from portal.model.secret import Secret
from portal.services.task_query import TaskQuery

if TYPE_CHECKING:
    from portal.model.permission import Criteria
    from portal.services.scaffolding import ScaffoldingService
    from portal.services.task_rights import TaskRights

#: How long a question for new events waits for one. Rule: scaffolder-backend 4.2.
_LONG_POLL_SECONDS = 30.0
_STREAM_HEADERS = {"Cache-Control": "no-cache", "Connection": "keep-alive", "X-Accel-Buffering": "no"}


class CreateTask(Schema):
    """The body of a request for a task."""

    class Meta:
        """Members that are not known are left alone, as Backstage does."""

        unknown = "exclude"

    templateRef = fields.String(required=True, metadata={"description": "Reference of the template."})  # noqa: N815
    values = fields.Dict(keys=fields.String(), required=True, metadata={"description": "Values of its parameters."})
    secrets = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "Never stored plainly."}
    )


class ListTasks(Schema):
    """The query of a request for tasks."""

    created_by = fields.List(fields.String(), data_key="createdBy", load_default=list)
    status = fields.List(fields.String(), load_default=list)
    order = fields.List(fields.String(), load_default=list, metadata={"description": "asc:created_at and the like."})
    limit = fields.Integer(load_default=None, validate=validate.Range(min=0))
    offset = fields.Integer(load_default=0, validate=validate.Range(min=0))


class After(Schema):
    """The query of a request for events."""

    after = fields.Integer(load_default=0, metadata={"description": "Only events with a greater id."})


class TaskAccess(Protocol):
    """Who asks, and what they may."""

    def user_ref(self) -> str | None:
        """Return the reference of the user who asks."""
        ...

    def rights(self) -> TaskRights | None:
        """Return what who asks may have a template do; None: anything."""
        ...

    def readable(self) -> Criteria | None:
        """Return what the tasks must meet that who asks may list; None: nothing."""
        ...


class _Anybody:
    def user_ref(self) -> str | None:
        return None

    def rights(self) -> TaskRights | None:
        return None

    def readable(self) -> Criteria | None:
        return None


def scaffolder_blueprint(service: ScaffoldingService, *, access: TaskAccess | None = None) -> Blueprint:
    """Return the routes below /api/scaffolder; without `access` everybody may do everything, as nobody."""
    blueprint = Blueprint("scaffolder", __name__, url_prefix="/api/scaffolder", description="Runs templates")
    blueprint.ARGUMENTS_PARSER = JsonParser()
    asking = access or _Anybody()
    _add_tasks(blueprint, service, asking)
    _add_events(blueprint, service)
    _add_templates(blueprint, service, asking)
    return blueprint


def _add_tasks(blueprint: Blueprint, service: ScaffoldingService, access: TaskAccess) -> None:
    @blueprint.post("/v2/tasks")
    @blueprint.arguments(CreateTask)
    @blueprint.response(201)
    def create_task(body: dict[str, Any]) -> Response:
        """Run a template."""
        secrets = {name: Secret(text) for name, text in (body.get("secrets") or {}).items()}
        task_id = service.create_task(
            body["templateRef"],
            body["values"],
            secrets=secrets,
            actor_ref=access.user_ref(),
            rights=access.rights(),
        )
        return _json({"id": task_id}, status=201)

    @blueprint.get("/v2/tasks")
    @blueprint.arguments(ListTasks, location="query")
    @blueprint.response(200)
    def list_tasks(query: dict[str, Any]) -> Response:
        """List tasks, the newest first."""
        found, total = service.list_tasks(
            TaskQuery(
                created_by=query["created_by"],
                statuses=query["status"],
                order=query["order"],
                limit=query["limit"],
                offset=query["offset"],
                permitted=access.readable(),
            )
        )
        return _json({"tasks": found, "totalTasks": total})

    @blueprint.get("/v2/tasks/<task_id>")
    @blueprint.response(200)
    def get_task(task_id: str) -> Response:
        """Return a task."""
        return _json(service.get_task(task_id))

    @blueprint.post("/v2/tasks/<task_id>/cancel")
    @blueprint.response(200)
    def cancel_task(task_id: str) -> Response:
        """Cancel a task."""
        service.cancel(task_id)
        return _json({"status": "cancelled"})


def _add_events(blueprint: Blueprint, service: ScaffoldingService) -> None:
    @blueprint.get("/v2/tasks/<task_id>/eventstream")
    @blueprint.arguments(After, location="query")
    @blueprint.response(200, content_type="text/event-stream")
    def stream_events(query: dict[str, Any], task_id: str) -> Response:
        """Follow a task: its events as they come, until its completion."""
        events = service.event_stream(task_id, after=query["after"])
        return Response(_framed(events), mimetype="text/event-stream", headers=_STREAM_HEADERS)

    @blueprint.get("/v2/tasks/<task_id>/events")
    @blueprint.arguments(After, location="query")
    @blueprint.response(200)
    def list_events(query: dict[str, Any], task_id: str) -> Response:
        """Return events; wait for the first for up to 30 seconds."""
        return _json(service.events(task_id, after=query["after"], wait_seconds=_LONG_POLL_SECONDS))


def _add_templates(blueprint: Blueprint, service: ScaffoldingService, access: TaskAccess) -> None:
    @blueprint.get("/v2/actions")
    @blueprint.response(200)
    def list_actions() -> Response:
        """List the actions that a template's steps can use."""
        return _json(service.actions())

    @blueprint.get("/v2/templates/<namespace>/<kind>/<name>/parameter-schema")
    @blueprint.response(200)
    def parameter_schema(namespace: str, kind: str, name: str) -> Response:
        """Return a template's form."""
        return _json(service.parameter_schema(f"{kind}:{namespace}/{name}", rights=access.rights()))


def _framed(events: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for event in events:
        yield b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"


def _json(value: Any, *, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status=status, mimetype="application/json")
