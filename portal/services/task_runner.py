"""Carries out the tasks of the scaffolder, one durable step for each step of the template."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from portal.actions.contract import Action, ActionContext
from portal.actions.schema import load_input, unknown_members
from portal.actions.workspace import Workspace
from portal.errors import (
    ActionError,
    JobStoppedError,
    NotAllowedError,
    NotFoundError,
    PortalError,
    SettingsError,
    TaskCancelledError,
)
from portal.model.ref import EntityRef
from portal.model.secret import Secret
from portal.scaffolder.engine import Engine
from portal.scaffolder.task import (
    Progress,
    Scope,
    StepPlan,
    StepResult,
    StepStatus,
    TaskEvent,
    cancelled_message,
    completion,
    log,
    merge_outputs,
    plan_step,
    task_output,
)
from portal.services.attempts import BEGUN, parse_run_id, record_name
from portal.services.error_names import error_name
from portal.services.generation import Generation, keep_in, makes_repository, published_folder
from portal.services.jobs import StepRunner
from portal.services.task_beginning import Beginning, Begun, Recorded
from portal.services.task_limits import Deadline, TaskLimits
from portal.services.task_origin import location_of, scopes_of, template_of
from portal.services.task_promises import Promises, is_publishing
from portal.services.task_rights import is_permitted_action
from portal.services.task_step import Step, redactor
from portal.services.task_surroundings import Diary, Environment, Places, Sources, TaskSecrets
from portal.services.telling import Telling
from portal.services.workspaces import EMPTY, OLD
from portal.store import tasks
from portal.store.jobs import JobClaim
from portal.store.tasks import TaskRow

_LOG = logging.getLogger(__name__)
#: How long the files of a task that has failed are kept, so that it can be retried from the step that failed.
_KEPT_SECONDS = 7 * 24 * 3600.0
#: How long after a look at them the next comes.
_SWEEP_SECONDS = 600.0
#: Gives what stands in for the output of an action that is not run, None for one that is: by the id of its step, the
#: action, where it would work, the input of each of its runs.
StandIn = Callable[[str, Action, Workspace, Sequence[Any]], Mapping[str, Any] | None]


class TaskRunner:
    """Runs tasks whose ids it is given.

    With a `stand_in` it is a dry run: actions for which it has an output are skipped. Inputs that an action does not
    know are told in the step's log; where it is `strict`, they fail the step.
    """

    def __init__(
        self,
        journal: Diary,
        *,
        secrets: TaskSecrets,
        engine: Engine,
        actions: Mapping[str, Action],
        promises: Promises,
        templates: Sources,
        workspaces: Places,
        environment: Environment | None = None,
        recorded: Recorded = lambda _run: {},
        stand_in: StandIn | None = None,
        limits: TaskLimits | None = None,
        strict: bool = False,
    ) -> None:
        self._journal = journal
        self._secrets = secrets
        self._engine = engine
        self._actions = actions
        self._promises = promises
        self._templates = templates
        self._workspaces = workspaces
        self._environment = environment or Environment()
        self._beginning = Beginning(journal, templates=templates, workspaces=workspaces, recorded=recorded)
        self._stand_in = stand_in
        self._limits = limits or TaskLimits()
        self._strict = strict
        self._swept = -_SWEEP_SECONDS

    def run(self, run: str, step: StepRunner) -> None:
        """Carry out a task, `run` being the id of an attempt at it.

        It may be called again for one that was broken off, and for one that is over.
        """
        task_id, attempt = parse_run_id(run)
        task = self._journal.task(task_id)
        # A process can die when a task has ended, and before that is recorded; it may even be tried again by then.
        if task is None or task.status not in tasks.LIVE or self._journal.attempt(task_id) != attempt:
            return
        try:
            self._carry_out(task, attempt, step)
        except Exception as error:
            if self._stand_in is not None:
                raise
            # The job's outermost edge: a task always ends, and people see that it has.
            _LOG.exception("A task failed for no known reason", extra={"task": task_id})
            self.give_up(run, type(error).__name__, claim=step.claim)

    def give_up(self, run: str, reason: str, *, claim: JobClaim | None = None) -> None:
        """End the task of a run that will not go on, telling people so."""
        message = f"Portal could not carry the task out ({reason}); its log says more"
        told = [completion({}, [{"name": "Error", "message": message}])]
        task_id, attempt = parse_run_id(run)
        self._journal.change(task_id, "failed", attempt=attempt, previous=tasks.LIVE, events=told, claim=claim)

    def _carry_out(self, task: TaskRow, attempt: int, step: StepRunner) -> None:
        begun = self._beginning.found(task, attempt, step)
        progress = Progress()
        workspace = EMPTY
        hidden: set[Secret] = set()
        purpose = self._secrets.purpose(task.id)
        for index, declared in enumerate(task.spec["steps"]):
            told = self._telling(task, step)
            given = Step(task, index, begun, progress, step, workspace, purpose, told, hidden)
            record = step(record_name(index, declared), partial(self._recordable, given))
            begun = given.begun if given.begun.record else Begun(attempt, record[BEGUN])
            result, hidden = self._unsealed(given, record)
            progress.record(declared["id"], StepResult.from_json(result))
            # Recorded with the result: of several runs of a step one counts, and its workspace with it.
            workspace = result.get("workspace", OLD)
        # It does nothing a second time, and a record costs as much as a step.
        step.aside("finish", lambda: self._finish(task, begun, progress, step, hidden))

    def _recordable(self, step: Step) -> dict[str, Any]:
        """Return what is recorded of a step; the first takes the task up, which saves a record of its own."""
        if is_beginning := not step.begun.record:
            step.begun = self._beginning.take_up(step.task, step.begun.attempt, step.run)
        is_over = step.progress.is_failed  # what cleans up has time for it
        step.deadline = Deadline(self._limits, begun=None if is_over else step.begun.seconds)
        kept = step.begun.kept.get(record_name(step.index, step.declared))
        result = self._run_step(step) if kept is None else self._take_over(step, kept)
        return result | {BEGUN: step.begun.record} if is_beginning else result

    def _telling(self, task: TaskRow, run: StepRunner) -> Telling:
        """Return what writes the events of a step; those of a dry run are counted as they come."""

        def write(events: Sequence[TaskEvent]) -> None:
            self._journal.append(task.id, events, claim=run.claim)

        return Telling(write) if self._stand_in is None else Telling(write, seconds=0)

    def _take_over(self, step: Step, result: dict[str, Any]) -> dict[str, Any]:
        """Return the result that an earlier attempt has left, telling of it."""
        if result["status"] == "completed":
            self._tell(step, f"Step {step.declared['name']} is already completed", "completed")
        else:
            self._tell_result(step, StepResult.from_json(result))
        return result

    def _run_step(self, step: Step) -> dict[str, Any]:
        step.secrets = self._secrets.of(step.task.id)
        step.hidden |= {*step.secrets.values(), *self._environment.secrets.values()}
        step.redact = redactor(step.hidden)
        try:
            result = self._result(step)
            self._tell_result(step, result)
        finally:
            step.told.close()
        return self._sealed(step, result) | {"workspace": step.workspace}

    def _result(self, step: Step) -> StepResult:
        """Return what becomes of a step, whatever happens in it."""
        try:
            return self._attempt(step)
        except PortalError as error:
            return StepResult("failed", error={"name": error_name(error), "message": step.redact(error.message)})
        except Exception as error:  # noqa: BLE001  # the worker's outermost edge: a task always ends
            _LOG.exception("A step of a task failed for no known reason", extra={"task": step.task.id, "step": step.id})
            message = step.redact(f"{type(error).__name__}: {error}")
            return StepResult("failed", error={"name": "Error", "message": message})

    def _sealed(self, step: Step, result: StepResult) -> dict[str, Any]:
        """Return what is recorded of a step: what it made of secrets is for nobody to read."""
        if not step.hidden:
            return result.to_json()
        kept = {"output": result.output, "hidden": [secret.reveal() for secret in step.hidden]}
        sealed = self._secrets.seal(kept, purpose=step.purpose)
        return {"status": result.status, "error": result.error, "sealed": sealed}

    def _unsealed(self, step: Step, record: Mapping[str, Any]) -> tuple[dict[str, Any], set[Secret]]:
        """Return the result that was recorded of a step, with the texts to mask after it."""
        if "sealed" not in record:
            return dict(record), set()
        is_cancelled = self._journal.is_cancelled(step.task.id)
        try:
            kept = self._secrets.unseal(record["sealed"], purpose=step.purpose)
        except SettingsError:
            if not is_cancelled:
                raise
            # Its secrets have been cleared; nothing more is made of its outputs.
            kept = {"output": {}, "hidden": []}
        return {**record, "output": kept["output"]}, {Secret(text) for text in kept["hidden"]}

    def _attempt(self, step: Step) -> StepResult:
        if self._journal.is_cancelled(step.task.id):
            if step.progress.is_failed:
                return StepResult("skipped")
            raise TaskCancelledError(cancelled_message(step.id))
        plan = plan_step(step.declared, self._scope(step), step.progress, engine=self._engine)
        step.hide(plan.hidden)
        if plan.passes is None:
            return StepResult("skipped")
        step.told.tell(
            [log(f"Beginning step {step.declared['name']}", step_id=step.id, status="processing")]
            + [log(step.redact(warning), step_id=step.id) for warning in plan.warnings]
        )
        action = self._actions.get(step.declared["action"])
        before = step.workspace
        workspace, step.workspace, is_again = self._workspaces.prepare(
            step.task.id,
            step.index,
            before=before,
            run=step.run.token,
            keeps_earlier=step.progress.is_failed,
            reads_only=bool(getattr(action, "reads_only", False)),
        )
        if is_again:
            self._log(step, "This step was broken off and is run again")
        if action is None:
            raise NotFoundError(f"Template action with ID '{step.declared['action']}' is not registered.")
        if is_publishing(action):
            self._promises.require(step.task, workspace, [one.input for one in plan.passes if not one.is_skipped])
        skipped = None
        if self._stand_in is not None:
            skipped = self._skip(step, action, plan, partial(self._stand_in, step.id, action, workspace))
        try:
            return skipped or self._act(step, action, plan, workspace)
        finally:
            if step.workspace != before:
                self._workspaces.keep(step.task.id, step.workspace)

    def _skip(
        self, step: Step, action: Action, plan: StepPlan, stand_in: Callable[[Sequence[Any]], Mapping[str, Any] | None]
    ) -> StepResult | None:
        """Tell what an action would be given in a dry run; return what stands in for one that is not run."""
        for one in plan.passes or ():
            given = orjson.dumps(step.redact.value(one.input), option=orjson.OPT_INDENT_2).decode()
            self._log(step, f"Running {action.id} in dry-run mode with inputs (secrets redacted): {given}")
        output = stand_in([one.input for one in plan.passes or () if not one.is_skipped])
        if output is None:
            return None
        self._tell(step, f"Skipping because {action.id} does not support dry-run", "skipped")
        return StepResult("skipped", output)

    def _act(self, step: Step, action: Action, plan: StepPlan, workspace: Workspace) -> StepResult:
        passes = plan.passes or ()
        loaded = [
            None if one.is_skipped else load_input(action.id, action.input_schema, one.input, strict=self._strict)
            for one in passes
        ]
        for name in sorted({name for one in passes for name in unknown_members(action.input_schema, one.input)}):
            self._log(step, f'The action {action.id} knows no input "{name}"; it is ignored')
        permitted = step.task.spec.get("permittedActions")
        for one in passes:
            if not one.is_skipped and not is_permitted_action(permitted, action.id, one.input):
                raise NotAllowedError(
                    f"{step.task.created_by} may not use scaffolder.action.execute on {action.id} with this input"
                )
        outputs = []
        for one, given in zip(passes, loaded, strict=True):
            if one.each is not None:
                verb = "Skipping" if given is None else "Running"
                self._log(step, f"{verb} step each: {orjson.dumps(one.each).decode()}")
            if given is None:
                continue
            step.deadline.check()
            if makes_repository(action):
                keep_in(workspace, published_folder(given), _generation(step))
            output: dict[str, Any] = {}
            action.run(self._context(step, workspace, one.input, given=given, output=output))
            if self._journal.is_cancelled(step.task.id):
                raise TaskCancelledError(cancelled_message(step.id))
            outputs.append(output)
        return StepResult("completed", merge_outputs(outputs, is_each="each" in step.declared))

    def _context(
        self,
        step: Step,
        workspace: Workspace,
        said: Mapping[str, Any],
        *,
        given: Mapping[str, Any],
        output: dict[str, Any],
    ) -> ActionContext:
        """Return what an action may touch; `said` is its input as the template has it, `given` what was made of it."""

        def put(name: str, value: Any) -> None:
            try:
                output[name] = orjson.loads(orjson.dumps(value))
            except TypeError as error:
                raise ActionError(f'The output "{name}" of {step.declared["action"]} is no JSON: {error}') from error

        expected = step.task.spec.get("ownership")
        return ActionContext(
            input=given,
            workspace=workspace,
            reader=self._templates.reader(location_of(step.task), commit=step.begun.commit),
            catalog=self._promises.catalog_of(step.task, workspace, said, redact=step.redact_urls),
            secrets=step.secrets,
            log=lambda message: self._log(step, message),
            output=put,
            cancelled=lambda seconds: self._is_cancelled(step, seconds),
            task_id=step.task.id,
            step_id=step.id,
            user=step.task.spec["user"],
            template=template_of(step.task, step.begun.commit),
            is_dry_run=self._stand_in is not None,
            scopes=scopes_of(step.task),
            owner=EntityRef(expected["owner"]) if expected else None,
        )

    def _is_cancelled(self, step: Step, seconds: float) -> bool:
        """Return whether the task was cancelled, waiting for it. Raises `JobStoppedError` when Portal stops."""
        cancelled = self._journal.is_cancelled(step.task.id, seconds=step.deadline.within(seconds))
        if self._journal.is_closed and not cancelled:
            raise JobStoppedError
        if not cancelled:
            step.deadline.check()
        return cancelled

    def _finish(
        self, task: TaskRow, begun: Begun, progress: Progress, run: StepRunner, hidden: Collection[Secret]
    ) -> None:
        if not begun.record:  # it has no steps
            begun = self._beginning.take_up(task, begun.attempt, run)
        secrets = self._secrets.of(task.id)
        redact = redactor({*hidden, *secrets.values()})
        output: dict[str, Any] = {}
        if not progress.is_failed:
            told = self._telling(task, run)
            scope = self._scope(Step(task, len(task.spec["steps"]), begun, progress, run, EMPTY, "", told))
            try:
                output = redact.value(task_output(task.spec["output"], scope, progress, engine=self._engine))
            except PortalError as error:
                progress.errors.append({"name": error_name(error), "message": redact(error.message)})
        # A retry of one with secrets begins anew, and its files may hold them.
        is_done = secrets or not progress.is_failed
        if is_done and self._journal.attempt(task.id) == begun.attempt:
            self._workspaces.remove(task.id)
        self._sweep_at_times()
        self._journal.change(
            task.id,
            "failed" if progress.is_failed else "completed",
            attempt=begun.attempt,
            previous=tasks.LIVE,
            events=[completion(output, progress.errors)],
            claim=run.claim,
            template_commit=begun.commit,
        )

    def sweep(self) -> None:
        """Remove the files that failed tasks have left long ago, and what a killed process was removing."""
        self._workspaces.clear()
        for old in self._journal.over(self._workspaces.older_than(_KEPT_SECONDS)):
            self._workspaces.remove(old)

    def _sweep_at_times(self) -> None:
        now = time.monotonic()
        if now >= self._swept + _SWEEP_SECONDS:
            self._swept = now
            self.sweep()

    def _scope(self, step: Step) -> Scope:
        spec = step.task.spec
        template = template_of(step.task, step.begun.commit)
        return Scope(
            parameters=spec["parameters"],
            user=spec["user"],
            context={"task": {"id": step.task.id}, "template": {"ref": template.ref, "commit": template.commit}},
            environment=self._environment.parameters,
            secrets={name: secret.reveal() for name, secret in step.secrets.items()},
            environment_secrets={name: secret.reveal() for name, secret in self._environment.secrets.items()},
        )

    def _tell_result(self, step: Step, result: StepResult) -> None:
        """Say how a step ended."""
        if result.error is not None:
            message = f"{result.error['name']}: {result.error['message']}"
        else:
            message = f"{'Skipped' if result.status == 'skipped' else 'Finished'} step {step.declared['name']}"
        self._tell(step, message, result.status)

    def _tell(self, step: Step, message: str, status: StepStatus) -> None:
        """Say that a step has a status, once an attempt: a step that is run again may have said so before."""
        if step.begun.is_first or not self._has_said(step, status):
            step.told.tell([log(message, step_id=step.id, status=status)])
        step.told.flush()

    def _has_said(self, step: Step, status: StepStatus) -> bool:
        said: set[tuple[Any, Any]] = set()
        for event in self._journal.events(step.task.id, types=["log", "recovered"]):
            if event.type == "recovered":
                said.clear()
            said.add((event.body.get("stepId"), event.body.get("status")))
        return (step.id, status) in said

    @staticmethod
    def _log(step: Step, message: str) -> None:
        step.deadline.check()
        step.told.tell([log(step.redact(message), step_id=step.id)])


def _generation(step: Step) -> Generation:
    task = step.task
    return Generation.of_task(task.id, task.spec, step=step.id, commit=step.begun.commit, redacted=step.redact.value)
