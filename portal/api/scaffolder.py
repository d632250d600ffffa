"""The scaffolder's HTTP API, as Backstage's clients speak it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

import orjson
from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from portal.api.autocomplete import add_autocomplete_route
from portal.api.catalog_queries import body_of
from portal.api.dry_run import add_dry_run_route
from portal.api.generated import add_generated_routes
from portal.api.json_bodies import JsonParser
from portal.errors import InputError
from portal.model.secret import Secret
from portal.scaffolder.extensions import NO_EXTENSIONS, TemplateExtensions, templating_extensions
from portal.services.task_query import TaskQuery

if TYPE_CHECKING:
    from portal.model.permission import Criteria
    from portal.model.ref import EntityRef
    from portal.services.autocomplete import Autocomplete
    from portal.services.dry_run import DryRuns
    from portal.services.generated import GeneratedService
    from portal.services.scaffolding import ScaffoldingService
    from portal.services.task_rights import TaskAccess, TaskRights
    from portal.services.upgrades import UpgradesService

#: How long a question for new events waits for one. Rule: scaffolder-backend 4.2.
_LONG_POLL_SECONDS = 30.0
_EVENT_ID = re.compile(r"[0-9]{1,15}")
#: Whether the connection is kept is the server's to say (PEP 3333): a browser would send its next request on one that
#: is about to be closed.
_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


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


class RetryTask(Schema):
    """The body of a request to carry out a task once more, which may be missing."""

    class Meta:
        """Members that are not known are left alone, as Backstage does."""

        unknown = "exclude"

    secrets = fields.Dict(keys=fields.String(), values=fields.String())


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


class _Anybody:
    def user_ref(self) -> str | None:
        return None

    def rights(self) -> TaskRights | None:
        return None

    def readable(self) -> Criteria | None:
        return None

    def upgradable(self, refs: Collection[EntityRef]) -> frozenset[EntityRef]:
        return frozenset(refs)


def scaffolder_blueprint(
    service: ScaffoldingService,
    *,
    access: TaskAccess | None = None,
    dry_runs: DryRuns | None = None,
    autocompletes: Autocomplete | None = None,
    extensions: Callable[[], TemplateExtensions] = lambda: NO_EXTENSIONS,
    generated: GeneratedService | None = None,
    upgrades: UpgradesService | None = None,
) -> Blueprint:
    """Return the routes below /api/scaffolder; without `access` everybody may do everything, as nobody."""
    blueprint = Blueprint("scaffolder", __name__, url_prefix="/api/scaffolder", description="Runs templates")
    blueprint.ARGUMENTS_PARSER = JsonParser()
    asking = access or _Anybody()
    _add_tasks(blueprint, service, asking)
    _add_events(blueprint, service)
    _add_templates(blueprint, service, asking, extensions)
    if dry_runs is not None:
        add_dry_run_route(blueprint, dry_runs, asking)
    if autocompletes is not None:
        add_autocomplete_route(blueprint, autocompletes)
    if generated is not None and upgrades is not None:
        add_generated_routes(blueprint, generated, upgrades, asking)
    return blueprint


def _add_tasks(blueprint: Blueprint, service: ScaffoldingService, access: TaskAccess) -> None:
    @blueprint.post("/v2/tasks")
    @blueprint.arguments(CreateTask())  # made once: of the class one is made for each request
    @blueprint.response(201)
    def create_task(body: dict[str, Any]) -> Response:
        """Run a template."""
        task_id = service.create_task(
            body["templateRef"],
            body["values"],
            secrets=_secrets(body),
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

    @blueprint.post("/v2/tasks/<task_id>/retry")
    @blueprint.response(201)
    def retry_task(task_id: str) -> Response:
        """Carry out a task that is over once more, from its first step that failed."""
        service.retry(task_id, secrets=_secrets(RetryTask().load(body_of())))
        return _json({"id": task_id}, status=201)


def _add_events(blueprint: Blueprint, service: ScaffoldingService) -> None:
    @blueprint.get("/v2/tasks/<task_id>/eventstream")
    @blueprint.arguments(After, location="query")
    @blueprint.response(200, content_type="text/event-stream")
    def stream_events(query: dict[str, Any], task_id: str) -> Response:
        """Follow a task: its events as they come, from `Last-Event-ID` or `after` on, until its completion."""
        portions = service.follow(task_id, after=max(query["after"], _last_event_id()))
        return Response(_framed(portions), mimetype="text/event-stream", headers=_STREAM_HEADERS)

    @blueprint.get("/v2/tasks/<task_id>/events")
    @blueprint.arguments(After, location="query")
    @blueprint.response(200)
    def list_events(query: dict[str, Any], task_id: str) -> Response:
        """Return events; wait for the first for up to 30 seconds."""
        return _json(service.events(task_id, after=query["after"], wait_seconds=_LONG_POLL_SECONDS))


def _add_templates(
    blueprint: Blueprint, service: ScaffoldingService, access: TaskAccess, extensions: Callable[[], TemplateExtensions]
) -> None:
    @blueprint.get("/v2/actions")
    @blueprint.response(200)
    def list_actions() -> Response:
        """List the actions that a template's steps can use."""
        return _json(service.actions())

    @blueprint.get("/v2/templating-extensions")
    @blueprint.response(200)
    def list_templating_extensions() -> Response:
        """List the filters, functions, values that expressions can use beside the template language's own."""
        return _json(templating_extensions(extensions()))

    @blueprint.get("/v2/templates/<namespace>/<kind>/<name>/parameter-schema")
    @blueprint.response(200)
    def parameter_schema(namespace: str, kind: str, name: str) -> Response:
        """Return a template's form, whose pickers of owners offer those who may own what it creates."""
        ref = f"{kind}:{namespace}/{name}"
        return _json(service.parameter_schema(ref, rights=access.rights(), actor_ref=access.user_ref()))


def _secrets(body: dict[str, Any]) -> dict[str, Secret]:
    return {name: Secret(text) for name, text in (body.get("secrets") or {}).items()}


def _last_event_id() -> int:
    """Return the last event that a client which comes back was told, 0 without one."""
    text = request.headers.get("Last-Event-ID")
    if not text:
        return 0
    if not _EVENT_ID.fullmatch(text):
        raise InputError(f'Last-Event-ID "{text}" is none that this stream has given')
    return int(text)


def _framed(portions: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    """Yield events as EventSource reads them; a comment in silence finds out who has left."""
    for events in portions:
        yield b"".join(map(_frame, events)) or b": nothing new\n\n"


def _frame(event: dict[str, Any]) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event["id"], event["type"].encode(), orjson.dumps(event))


def _json(value: Any, *, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status=status, mimetype="application/json")
