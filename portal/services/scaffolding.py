"""Scaffolder tasks as their users see them: started, watched, cancelled."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

import orjson

from portal.actions.contract import Action
from portal.actions.schema import json_schema
from portal.errors import InputError, NotFoundError, ValuesError
from portal.ingest.yaml_text import to_yaml
from portal.model.entity import LOCATION_ANNOTATION
from portal.model.moment import shown_time
from portal.model.ref import PEOPLE, EntityRef
from portal.model.secret import Secret
from portal.scaffolder.engine import Engine
from portal.scaffolder.parameters import owner_parameters, pages, parameter_schema, values_errors
from portal.scaffolder.task import API_VERSION, cancellation, task_spec
from portal.services.jobs import Jobs
from portal.services.journal import Journal
from portal.services.task_catalog import CatalogReader, ExpectedOwnership, Registrar
from portal.services.task_query import TaskQuery
from portal.services.task_rights import TaskRights
from portal.services.task_runner import Environment, SightOf, TaskRunner
from portal.services.templates import Templates
from portal.services.vault import Vault
from portal.services.workspaces import Workspaces
from portal.store import tasks
from portal.store.database import Database
from portal.store.tasks import ORDER_FIELDS, EventRow, TaskFilter, TaskRow

JOB = "scaffolder-task"
#: What a task's spec holds beside what Backstage's has.
_OF_PORTAL = frozenset({"ownership", "permittedActions", "scopes"})


class Finding(Protocol):
    """A policy's verdict, as `portal.graph` gives it."""

    @property
    def rule(self) -> str:
        """The rule that speaks."""
        ...

    @property
    def message(self) -> str:
        """What is wrong."""
        ...

    @property
    def fix(self) -> str:
        """What to do, such as who could own."""
        ...

    @property
    def severity(self) -> str:
        """`enforce` when it forbids."""
        ...


class OwnershipRules(Protocol):
    """Says who may own."""

    def check_owner(self, owner_ref: EntityRef, layer: str) -> Sequence[Finding]:
        """Return what speaks against an owner in a layer."""
        ...


class ScaffoldingService:
    """Runs templates. Its job must be registered before `jobs.start`, so it is made before."""

    def __init__(
        self,
        database: Database,
        *,
        catalog: CatalogReader,
        ownership: OwnershipRules,
        locations: Registrar,
        jobs: Jobs,
        engine: Engine,
        actions: Mapping[str, Action],
        templates: Templates,
        workspaces: Workspaces,
        vault: Vault,
        environment: Environment | None = None,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        sight_of: SightOf = lambda _who: None,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._ownership = ownership
        self._jobs = jobs
        self._engine = engine
        self._actions = actions
        self._vault = vault
        self._new_id = new_id
        self.journal = Journal(database)
        self._runner = TaskRunner(
            database,
            journal=self.journal,
            engine=engine,
            actions=actions,
            catalog=catalog,
            locations=locations,
            templates=templates,
            workspaces=workspaces,
            vault=vault,
            environment=environment,
            sight_of=sight_of,
        )
        jobs.register(JOB, self._runner.run, unfinished=self._unfinished, interrupt=self.journal.close)

    def create_task(
        self,
        template_ref: str,
        values: Mapping[str, Any],
        *,
        secrets: Mapping[str, Secret] | None = None,
        actor_ref: str | None = None,
        rights: TaskRights | None = None,
    ) -> str:
        """Start a task and return its id.

        Checked first, so that no task exists otherwise: the template, the values against its form, the secrets, and
        that what the template creates gets an owner who exists and may own in its layer; with `rights`, that who asks
        may create for that owner and run these actions. Raises `InputError`, `ValuesError`, `NotFoundError` or
        `NotAllowedError`.
        """
        ref = _template_ref(template_ref)
        actor = EntityRef.parse(actor_ref, default_kind="user") if actor_ref else None
        found = self._catalog.by_refs([ref] if actor is None else [ref, actor])
        template = _usable(ref, found.get(ref))
        if rights is not None:
            template = rights.permitted(template)
        form = pages(template)
        _raise_for(values_errors(form, values))
        given = dict(secrets or {})
        _raise_for(_secrets_errors(template, given))
        expected = self._expected_ownership(template, form, values, rights)
        user: dict[str, Any] = {}
        if actor is not None:
            user = {"ref": str(actor)} | ({"entity": orjson.loads(found[actor])} if actor in found else {})
        spec = task_spec(template, values, template_ref=str(ref), base_url=_base_url(template), user=user)
        if expected is not None:
            spec["ownership"] = expected.to_json()
        actions = None if rights is None else rights.actions(template)
        if actions is not None:
            spec["permittedActions"] = actions.to_json()
        if rights is not None and (scopes := rights.scopes()) is not None:
            spec["scopes"] = sorted(scopes)
        task_id = self._new_id()
        with self._database.recording() as connection:
            tasks.create_task(
                connection,
                task_id,
                spec=spec,
                secrets=self._vault.seal(given),
                created_by=str(actor) if actor is not None else None,
                now_ms=self.journal.now_ms(),
            )
        self._jobs.enqueue(JOB, [task_id])
        return task_id

    def get_task(self, task_id: str) -> dict[str, Any]:
        """Return a task as clients read it. Raises `NotFoundError`."""
        return _shown(self._task(task_id))

    def list_tasks(self, query: TaskQuery) -> tuple[list[dict[str, Any]], int]:
        """Return tasks as clients read them, with their number when paging is left aside. Raises `InputError`."""
        wanted = TaskFilter(
            created_by=query.created_by,
            statuses=query.statuses,
            order=[_order(text) for text in query.order],
            limit=query.limit,
            offset=query.offset,
            permitted=query.permitted,
        )
        with self._database.reading() as connection:
            rows, total = tasks.list_tasks(connection, wanted)
        return [_shown(row) for row in rows], total

    def events(self, task_id: str, *, after: int = 0, wait_seconds: float = 0) -> list[dict[str, Any]]:
        """Return the events after an id, and the completion; wait for the first at most so long.

        Raises `NotFoundError`.
        """
        task = self._task(task_id)
        found = self.journal.wait_for_events(task_id, after=after, seconds=wait_seconds)
        return [_shown_event(event, task) for event in found]

    def event_stream(self, task_id: str, *, after: int = 0) -> Iterator[dict[str, Any]]:
        """Return the events after an id as they come, the completion being the last. Raises `NotFoundError`."""
        task = self._task(task_id)  # now, not when the first event is asked for
        return (_shown_event(event, task) for event in self.journal.stream(task_id, after=after))

    def cancel(self, task_id: str) -> None:
        """Cancel a task; it ends as failed once its step has noticed. Raises `NotFoundError`.

        A task that is over only gains the event. Rule: scaffolder-backend 4.2.
        """
        self._task(task_id)
        begun = [
            str(event.body["stepId"])
            for event in self.journal.events(task_id, types=["log"])
            if event.body.get("stepId") and event.body.get("status") == "processing"
        ]
        self.journal.cancel(task_id, cancellation(begun[-1] if begun else None))

    def actions(self) -> list[dict[str, Any]]:
        """Return all actions by id, with their schemas and examples."""
        return [_shown_action(self._actions[name]) for name in sorted(self._actions)]

    def parameter_schema(self, template_ref: str, *, rights: TaskRights | None = None) -> dict[str, Any]:
        """Return a template's form, with `rights` as who asks gets it. Raises `InputError` or `NotFoundError`."""
        ref = _template_ref(template_ref)
        template = _usable(ref, self._catalog.by_refs([ref]).get(ref))
        return parameter_schema(template if rights is None else rights.permitted(template))

    def _task(self, task_id: str) -> TaskRow:
        task = self.journal.task(task_id)
        if task is None:
            raise NotFoundError(f"No task with id '{task_id}' found")
        return task

    def _unfinished(self) -> list[str]:
        with self._database.reading() as connection:
            return tasks.live_tasks(connection)

    def _expected_ownership(
        self,
        template: Mapping[str, Any],
        form: Sequence[Mapping[str, Any]],
        values: Mapping[str, Any],
        rights: TaskRights | None,
    ) -> ExpectedOwnership | None:
        creates = template["spec"].get("creates") or []
        if not creates:
            return None
        names = owner_parameters(form)
        owners = _owners(names, values)
        if not owners:
            parameter = (names or ["owner"])[0]
            raise InputError(
                f'The template creates {_listed(creates)}, which needs an owner; give one as "{parameter}", such as '
                '"group:default/team"'
            )
        known = self._catalog.by_refs(list(owners.values()))
        faults = [
            f"{name}: found {owner}, which is not in the catalog; expected a Group or User that is"
            for name, owner in owners.items()
            if owner not in known or owner.kind not in PEOPLE
        ]
        if not faults:
            faults = self._forbidden(creates, owners, values)
        if faults:
            raise InputError("\n".join(faults), faults)
        if rights is not None:
            rights.require_owners(list(owners.values()))
        kinds = frozenset(str(item["kind"]).lower() for item in creates)
        return ExpectedOwnership(next(iter(owners.values())), kinds)

    def _forbidden(
        self, creates: Sequence[Mapping[str, Any]], owners: Mapping[str, EntityRef], values: Mapping[str, Any]
    ) -> list[str]:
        """Return what the layers' rules say against the owners, where they enforce it."""
        declared = [str(item["layer"]) for item in creates if item.get("layer")]
        rendered = self._engine.render_value(declared, {"parameters": values}).value
        named = [str(layer) for layer in dict.fromkeys(rendered if isinstance(rendered, list) else declared) if layer]
        return [
            f"{name}: {finding.message} (rule {finding.rule}). {finding.fix}"
            for name, owner in owners.items()
            for layer in named
            for finding in self._ownership.check_owner(owner, layer)
            if finding.severity == "enforce"
        ]


def _template_ref(text: str) -> EntityRef:
    ref = EntityRef.parse(text, default_kind="template")
    if ref.kind != "template":
        raise InputError(f'Only templates can be run; found a reference to the kind "{ref.kind}"')
    return ref


def _usable(ref: EntityRef, body: str | None) -> dict[str, Any]:
    if body is None:
        raise NotFoundError(f"Template {ref} not found")
    template: dict[str, Any] = orjson.loads(body)
    if template.get("apiVersion") != API_VERSION:
        raise InputError(f"Template {ref}: found apiVersion {template.get('apiVersion')}; expected {API_VERSION}")
    return template


def _raise_for(errors: Sequence[dict[str, Any]]) -> None:
    if errors:
        raise ValuesError("; ".join(str(error["stack"]) for error in errors), errors)


def _secrets_errors(template: Mapping[str, Any], secrets: Mapping[str, Secret]) -> list[dict[str, Any]]:
    """Return the faults of the secrets; none shows a value."""
    schema = (template["spec"].get("secrets") or {}).get("schema")
    if not isinstance(schema, dict):
        return []
    errors = values_errors([schema], {name: secret.reveal() for name, secret in secrets.items()})
    for error in errors:
        place = str(error["property"]).replace("instance", "secrets", 1)
        message = error["message"] if error["name"] == "required" else f"is not accepted by the keyword {error['name']}"
        if error["name"] == "required":
            message = f'requires secret "secrets.{error["argument"]}"'
        error.update(property=place, message=message, instance={}, stack=f"{place} {message}")
    return errors


def _owners(names: Sequence[str], values: Mapping[str, Any]) -> dict[str, EntityRef]:
    """Return the owners that were given, by parameter. Raises `InputError` for one that is no reference."""
    owners: dict[str, EntityRef] = {}
    for name in names:
        value = values.get(name)
        if value in (None, ""):
            continue
        if not isinstance(value, str):
            raise InputError(f'{name}: found {value!r}; expected a reference such as "group:default/team"')
        owners[name] = EntityRef.parse(value, default_kind="group")
    return owners


def _listed(creates: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(str(item.get("kind")) for item in creates)


def _base_url(template: Mapping[str, Any]) -> str | None:
    location = (template["metadata"].get("annotations") or {}).get(LOCATION_ANNOTATION, "")
    location_type, _, target = location.partition(":")
    if location_type == "file":
        return f"file://{quote(target)}"
    return target if location_type == "url" else None


def _order(text: str) -> tuple[str, bool]:
    direction, _, name = text.partition(":")
    if direction not in {"asc", "desc"} or name not in ORDER_FIELDS:
        fields = "|".join(sorted(ORDER_FIELDS))
        raise InputError(f'Invalid order parameter "{text}", expected "<asc or desc>:<{fields}>"')
    return name, direction == "desc"


def _shown(task: TaskRow) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": task.id,
        "spec": {name: value for name, value in task.spec.items() if name not in _OF_PORTAL},
        "status": task.status,
        "createdAt": shown_time(task.created_at_ms),
    }
    if task.last_heartbeat_at_ms is not None:
        shown["lastHeartbeatAt"] = shown_time(task.last_heartbeat_at_ms)
    if task.created_by is not None:
        shown["createdBy"] = task.created_by
    return shown


def _shown_event(event: EventRow, task: TaskRow) -> dict[str, Any]:
    recovery = task.spec.get("EXPERIMENTAL_recovery") or {}
    return {
        "id": event.id,
        "isTaskRecoverable": recovery.get("EXPERIMENTAL_strategy") == "startOver",
        "taskId": event.task_id,
        "body": event.body,
        "type": event.type,
        "createdAt": shown_time(event.created_at_ms),
    }


def _shown_action(action: Action) -> dict[str, Any]:
    schema = {"input": json_schema(action.input_schema)}
    if action.output_schema is not None:
        schema["output"] = json_schema(action.output_schema)
    return {
        "id": action.id,
        "description": action.description,
        "examples": [
            {"description": example.description, "example": to_yaml({"steps": [dict(example.step)]})}
            for example in action.examples
        ],
        "schema": schema,
    }
