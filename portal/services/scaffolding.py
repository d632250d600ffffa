"""Scaffolder tasks as their users see them: started, watched, cancelled, retried."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from portal.actions.contract import Action
from portal.actions.schema import json_schema
from portal.errors import ConflictError, InputError, NotFoundError
from portal.ingest.yaml_text import to_yaml
from portal.model.moment import shown_time
from portal.model.ref import EntityRef
from portal.model.secret import Secret
from portal.model.sentence import Sentence
from portal.scaffolder.engine import Engine
from portal.scaffolder.parameters import pages, parameter_schema, values_errors
from portal.scaffolder.task import cancellation, recovery, task_spec
from portal.services.attempts import run_id
from portal.services.jobs import Jobs
from portal.services.journal import Journal
from portal.services.owner_choice import OwnerChoice
from portal.services.task_catalog import CatalogReader
from portal.services.task_checks import (
    OwnershipInvariant,
    OwnershipRules,
    base_url,
    of_portal,
    raise_for,
    secrets_errors,
    template_ref,
    usable,
)
from portal.services.task_limits import TaskLimits
from portal.services.task_promises import Promises
from portal.services.task_query import TaskQuery
from portal.services.task_rights import TaskRights
from portal.services.task_runner import TaskRunner
from portal.services.task_secrets import StoredSecrets
from portal.services.task_surroundings import Environment
from portal.services.templates import Templates
from portal.services.vault import Vault
from portal.services.workspaces import Workspaces
from portal.store import tasks
from portal.store.database import Database
from portal.store.tasks import ORDER_FIELDS, EventRow, TaskFilter, TaskRow

JOB = "scaffolder-task"
#: What a task's spec holds beside what Backstage's has.
_OF_PORTAL = frozenset({"ownership", "permittedActions", "scopes"})


class ScaffoldingService:
    """Runs templates. Its job must be registered before `jobs.start`, so it is made before."""

    def __init__(
        self,
        database: Database,
        *,
        catalog: CatalogReader,
        ownership: OwnershipRules,
        promises: Promises,
        jobs: Jobs,
        engine: Engine,
        actions: Mapping[str, Action],
        templates: Templates,
        workspaces: Workspaces,
        vault: Vault,
        environment: Environment | None = None,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        choice: OwnerChoice | None = None,
        limits: TaskLimits | None = None,
        strict: bool = False,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._ownership = OwnershipInvariant(catalog, ownership, engine)
        self._choice = choice
        self._jobs = jobs
        self._actions = actions
        self._vault = vault
        self._new_id = new_id
        self.journal = Journal(database)
        self._runner = TaskRunner(
            self.journal,
            secrets=StoredSecrets(database, vault),
            engine=engine,
            actions=actions,
            promises=promises,
            templates=templates,
            workspaces=workspaces,
            environment=environment,
            recorded=jobs.recorded,
            limits=limits,
            strict=strict,
        )
        jobs.register(
            JOB,
            self._runner.run,
            unfinished=self._unfinished,
            interrupt=self.journal.close,
            broken=lambda run: self._runner.give_up(run, "it broke off"),
        )

    def create_task(
        self,
        template_name: str,
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
        ref = template_ref(template_name)
        actor = EntityRef.parse(actor_ref, default_kind="user") if actor_ref else None
        found = self._catalog.by_refs([ref] if actor is None else [ref, actor])
        template = usable(ref, found.get(ref))
        if rights is not None:
            template = rights.permitted(template)
        form = pages(template)
        raise_for(values_errors(form, values))
        given = dict(secrets or {})
        raise_for(secrets_errors(template, given))
        added = of_portal(self._ownership, template, form, values, rights)
        user: dict[str, Any] = {}
        if actor is not None:
            user = {"ref": str(actor)} | ({"entity": orjson.loads(found[actor])} if actor in found else {})
        spec = task_spec(template, values, template_ref=str(ref), base_url=base_url(template), user=user) | added
        task_id = self._new_id()
        with self._database.noting() as connection:
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
            templates=query.templates,
            order=[_order(text) for text in query.order],
            limit=query.limit,
            offset=query.offset,
            permitted=query.permitted,
        )
        with self._database.reading() as connection:
            rows, total = tasks.list_tasks(connection, wanted)
        return [_shown(row) for row in rows], total

    def count_tasks(self, query: TaskQuery) -> dict[tuple[str, str], int]:
        """Return how many tasks of the creators there are that are permitted, by (template, status)."""
        with self._database.reading() as connection:
            return tasks.count_by_template(connection, created_by=query.created_by, permitted=query.permitted)

    def events(self, task_id: str, *, after: int = 0, wait_seconds: float = 0) -> list[dict[str, Any]]:
        """Return the events after an id, and the completion; wait for the first at most so long.

        Raises `NotFoundError`.
        """
        task = self._task(task_id)
        found = self.journal.wait_for_events(
            task_id, after=after, seconds=wait_seconds, starts_over=_is_start_over(task)
        )
        return [_shown_event(event, task) for event in found]

    def event_stream(self, task_id: str, *, after: int = 0) -> Iterator[dict[str, Any]]:
        """Return the events after an id as they come, the completion being the last. Raises `NotFoundError`."""
        task = self._task(task_id)  # now, not when the first event is asked for
        return (_shown_event(event, task) for event in self.journal.stream(task_id, after=after))

    def follow(self, task_id: str, *, after: int = 0) -> Iterator[list[dict[str, Any]]]:
        """Return the events after an id as they come, in portions: an empty one where none has come for a while.

        A task whose template says that it starts over is followed beyond its completion. Raises `NotFoundError`.
        """
        task = self._task(task_id)  # now, as above
        portions = self.journal.follow(task_id, after=after, starts_over=_is_start_over(task))
        return ([_shown_event(event, task) for event in portion] for portion in portions)

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

    def retry(self, task_id: str, *, secrets: Mapping[str, Secret] | None = None) -> None:
        """Carry out a task that is over once more, from its first step that failed, with these secrets alone.

        What it was asked for stays: the steps, the values, the template's commit. Raises `NotFoundError` where the task
        or its template is not there, `ConflictError` while it is not over, `ValuesError` for secrets that do not fit.
        """
        task = self._task(task_id)
        ref = template_ref(task.spec["templateInfo"]["entityRef"])
        template = usable(ref, self._catalog.by_refs([ref]).get(ref))
        given = dict(secrets or {})
        raise_for(secrets_errors(template, given))
        attempt = self.journal.retry(task_id, secrets=self._vault.seal(given), recovered=recovery(_strategy(task)))
        if attempt is None:
            raise ConflictError(
                Sentence(
                    "Task %(task_id)s is %(status)s; only one that is over can be retried",
                    task_id=task_id,
                    status=task.status,
                )
            )
        self._jobs.enqueue(JOB, [run_id(task_id, attempt)])

    def sweep(self) -> None:
        """Remove the files that failed tasks have left long ago, which workers do by themselves now and then."""
        self._runner.sweep()

    def actions(self) -> list[dict[str, Any]]:
        """Return all actions by id, with their schemas and examples."""
        return [_shown_action(self._actions[name]) for name in sorted(self._actions)]

    def parameter_schema(
        self, template_name: str, *, rights: TaskRights | None = None, actor_ref: str | None = None
    ) -> dict[str, Any]:
        """Return a template's form, with `rights` as who asks gets it: owners are those who may own what it makes.

        Raises `InputError` or `NotFoundError`.
        """
        ref = template_ref(template_name)
        template = usable(ref, self._catalog.by_refs([ref]).get(ref))
        form = parameter_schema(template if rights is None else rights.permitted(template))
        return form if self._choice is None else self._choice.narrowed(template, form, rights, user=actor_ref)

    def _task(self, task_id: str) -> TaskRow:
        task = self.journal.task(task_id)
        if task is None:
            raise NotFoundError(Sentence("No task with id '%(task_id)s' found", task_id=task_id))
        return task

    def _unfinished(self) -> list[str]:
        with self._database.reading() as connection:
            live = tasks.live_tasks(connection)
            attempts = tasks.attempts_of(connection, live)
        return [run_id(task, attempts[task]) for task in live]


def _order(text: str) -> tuple[str, bool]:
    direction, _, name = text.partition(":")
    if direction not in {"asc", "desc"} or name not in ORDER_FIELDS:
        fields = "|".join(sorted(ORDER_FIELDS))
        raise InputError(
            Sentence(
                'Invalid order parameter "%(text)s", expected "<asc or desc>:<%(fields)s>"', text=text, fields=fields
            )
        )
    return name, direction == "desc"


def _shown(task: TaskRow) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": task.id,
        "spec": {name: value for name, value in task.spec.items() if name not in _OF_PORTAL},
        "status": task.status,
        "createdAt": shown_time(task.created_at_ms),
    }
    if task.template_commit is not None:
        shown["spec"]["templateInfo"] = task.spec["templateInfo"] | {"commit": task.template_commit}
    if task.last_heartbeat_at_ms is not None:
        shown["lastHeartbeatAt"] = shown_time(task.last_heartbeat_at_ms)
    if task.created_by is not None:
        shown["createdBy"] = task.created_by
    return shown


def _strategy(task: TaskRow) -> str | None:
    strategy = (task.spec.get("EXPERIMENTAL_recovery") or {}).get("EXPERIMENTAL_strategy")
    return strategy if isinstance(strategy, str) else None


def _is_start_over(task: TaskRow) -> bool:
    return _strategy(task) == "startOver"


def _shown_event(event: EventRow, task: TaskRow) -> dict[str, Any]:
    return {
        "id": event.id,
        "isTaskRecoverable": _is_start_over(task),
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
