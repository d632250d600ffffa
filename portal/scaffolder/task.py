"""Says what a template's steps mean for given values: what runs, with which input, what is told about it.

Pure: whoever runs a task carries out what is decided here. Rules: scaffolder-backend 4.2 `NunjucksWorkflowRunner`, in
the reference 2.1 to 2.3, 2.8, 2.9, 4.4, 4.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from portal.errors import InputError
from portal.model.secret import MASK, forms_of
from portal.scaffolder.engine import Engine, Rendered
from portal.scaffolder.values import UNDEFINED, is_truthy

API_VERSION = "scaffolder.backstage.io/v1beta3"
StepStatus = Literal["processing", "completed", "failed", "skipped", "cancelled"]
EventType = Literal["log", "completion", "cancelled", "recovered"]
#: How often a step may run at most: the inputs of all its runs are rendered before the first.
MOST_ROUNDS = 10_000


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """Something that happened in a task, to be stored; `body` as the reference 4.5 has it."""

    type: EventType
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of a step. One that fails has no output, one that is skipped has one in a dry run alone."""

    status: StepStatus
    output: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON value."""
        return {"status": self.status, "output": dict(self.output), "error": self.error}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> StepResult:
        """Return the result that `to_json` gave."""
        return cls(value["status"], value["output"], value["error"])


@dataclass(slots=True)
class Progress:
    """How far a task is: the outputs of its finished steps by id, and the errors so far."""

    outputs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    errors: list[Mapping[str, str]] = field(default_factory=list)

    def record(self, step_id: str, result: StepResult) -> None:
        """Take in the result of a step. A later step of the same id overwrites the output."""
        if result.status == "completed" or result.output:
            self.outputs[step_id] = result.output
        if result.error is not None:
            self.errors.append(result.error)

    @property
    def is_failed(self) -> bool:
        """Whether a step has failed."""
        return bool(self.errors)


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that the expressions of a task may use, without the steps' outputs."""

    parameters: Mapping[str, Any]
    user: Mapping[str, Any]
    context: Mapping[str, Any]
    environment: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    environment_secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_secrets(self) -> bool:
        """Whether there is anything that must not be seen."""
        return bool(self.secrets or self.environment_secrets)

    def open(self, progress: Progress) -> dict[str, Any]:
        """Return the names as a step's `if` and the output see them: no secrets."""
        return {
            "parameters": self.parameters,
            "steps": {step_id: {"output": output} for step_id, output in progress.outputs.items()},
            "user": self.user,
            "context": self.context,
            "environment": {"parameters": self.environment},
            "secrets": {},
        }

    def secret(self, progress: Progress, *, blank: bool = False) -> dict[str, Any]:
        """Return the names as a step's input sees them; `blank` puts the empty text for each secret."""
        secrets, environment = dict(self.secrets), dict(self.environment_secrets)
        if blank:
            secrets, environment = dict.fromkeys(secrets, ""), dict.fromkeys(environment, "")
        return self.open(progress) | {
            "secrets": secrets,
            "environment": {"parameters": self.environment, "secrets": environment},
        }


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of a step's action; `each` is None where the step has no `each`."""

    input: Any
    each: Mapping[str, Any] | None = None
    is_skipped: bool = False


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What a step does: `passes` is None for a step that is skipped as a whole.

    `hidden` are texts that must not be seen, for they were made with secrets.
    """

    passes: tuple[Pass, ...] | None
    warnings: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()


def task_spec(
    template: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    template_ref: str,
    base_url: str | None,
    user: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the spec of a task as it is stored: steps unrendered, with every id and name filled in."""
    spec = template.get("spec", {})
    steps = []
    for number, step in enumerate(spec.get("steps") or [], start=1):
        step_id = step.get("id") or f"step-{number}"
        steps.append({**step, "id": step_id, "name": step.get("name") or step.get("action")})
    about: dict[str, Any] = {"entityRef": template_ref}
    if base_url is not None:
        about["baseUrl"] = base_url
    about["entity"] = {"metadata": template.get("metadata", {})}
    return {
        "apiVersion": template.get("apiVersion", API_VERSION),
        "steps": steps,
        "output": spec.get("output") or {},
        "parameters": dict(values),
        "EXPERIMENTAL_recovery": spec.get("EXPERIMENTAL_recovery") or {},
        "user": dict(user),
        "templateInfo": about,
    }


def plan_step(step: Mapping[str, Any], scope: Scope, progress: Progress, *, engine: Engine) -> StepPlan:
    """Return what a step does now.

    After a failure a step runs only where its `if` calls always() or failure(). All inputs of a step with `each` are
    rendered before any of its runs. Raises `InputError` for an `each` that gives neither list nor mapping.
    """
    condition = step.get("if", True)
    if condition is False or (progress.is_failed and not isinstance(condition, str)):
        return StepPlan(None)
    warnings: list[str] = []
    if "each" not in step:
        runs, notes = _runs(condition, scope.open(progress), progress, engine=engine)
        if not runs:
            return StepPlan(None, tuple(notes))
        rendered = _render_inputs(step, scope, progress, engine=engine, rounds=[None])
        return StepPlan(tuple(Pass(value) for value in rendered.values), (*notes, *rendered.warnings), rendered.hidden)
    rounds, hidden = _rounds(step, scope, progress, engine=engine)
    runs_of = []
    if len(rounds) > MOST_ROUNDS:
        raise InputError(f'Step "{step["id"]}" each: found {len(rounds)} items; expected at most {MOST_ROUNDS}')
    for each in rounds:
        runs, notes = _runs(
            condition if condition != "" else True,
            scope.secret(progress) | {"each": each},
            progress,
            engine=engine,
        )
        runs_of.append(runs)
        warnings += notes
    if progress.is_failed and not any(runs_of):
        return StepPlan(None, tuple(warnings))
    wanted: list[Mapping[str, Any] | None] = [each for each, runs in zip(rounds, runs_of, strict=True) if runs]
    rendered = _render_inputs(step, scope, progress, engine=engine, rounds=wanted)
    inputs = iter(rendered.values)
    passes = tuple(
        Pass(next(inputs), each) if runs else Pass({}, each, is_skipped=True)
        for each, runs in zip(rounds, runs_of, strict=True)
    )
    return StepPlan(passes, (*warnings, *rendered.warnings), rendered.hidden | hidden)


def merge_outputs(outputs: Sequence[Mapping[str, Any]], *, is_each: bool) -> dict[str, Any]:
    """Return a step's output: of one run as it is, of a step with `each` a list of values for each name."""
    if not is_each:
        return dict(outputs[0]) if outputs else {}
    merged: dict[str, Any] = {}
    for output in outputs:
        for name, value in output.items():
            merged.setdefault(name, []).append(value)
    return merged


def task_output(output: Mapping[str, Any], scope: Scope, progress: Progress, *, engine: Engine) -> dict[str, Any]:
    """Return a task's output: rendered, with the links and texts left out whose `if` does not hold."""
    value = engine.render_value(dict(output), scope.open(progress), failed=progress.is_failed).value
    rendered: dict[str, Any] = value if isinstance(value, dict) else {}
    for name in ("links", "text"):
        items = rendered.get(name)
        if isinstance(items, list):
            rendered[name] = [_without_if(item) for item in items if _is_shown(item)]
    return rendered


class Redactor:
    """Puts `***` where texts that must not be seen stand in what a task tells."""

    def __init__(self, hidden: Iterable[str] = ()) -> None:
        self._hidden: set[str] = set()
        self.hide(hidden)

    def hide(self, texts: Iterable[str]) -> None:
        """Add texts that must not be seen, in whatever form; those of one character or none are ignored."""
        self._hidden.update(form for text in map(str.strip, texts) if len(text) > 1 for form in forms_of(text))

    def __call__(self, text: str) -> str:
        """Return the text with each hidden one masked, the longest first."""
        for hidden in sorted(self._hidden, key=lambda item: (-len(item), item)):
            text = text.replace(hidden, MASK)
        return text

    def value(self, value: Any) -> Any:
        """Return a JSON value with the hidden texts masked in all its texts and keys."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self(name): self.value(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return value


def log(message: str, *, step_id: str | None = None, status: StepStatus | None = None) -> TaskEvent:
    """Return a line of a task's log; with a `status` it changes its step."""
    body: dict[str, Any] = {"message": message}
    if step_id is not None:
        body["stepId"] = step_id
    if status is not None:
        body["status"] = status
    return TaskEvent("log", body)


def completion(output: Mapping[str, Any], errors: Sequence[Mapping[str, str]]) -> TaskEvent:
    """Return the last event of a task: its output, or the first of its errors."""
    if errors:
        return TaskEvent("completion", {"message": "Run completed with status: failed", "error": dict(errors[0])})
    return TaskEvent("completion", {"message": "Run completed with status: completed", "output": dict(output)})


def cancellation(step_id: str | None) -> TaskEvent:
    """Return the event of a cancelled task; `step_id` is the step that runs, None before the first."""
    place: str | int = 0 if step_id is None else step_id
    body = {"message": cancelled_message(place), "stepId": place, "status": "cancelled"}
    return TaskEvent("cancelled", body)


def recovery(strategy: str | None) -> TaskEvent:
    """Return the event of a task that begins anew; `strategy` is what its template says of that."""
    return TaskEvent("recovered", {"recoverStrategy": strategy or "none"})


def cancelled_message(step_id: str | int) -> str:
    """Return the sentence that tells of a cancelled step."""
    return f"Step {step_id} has been cancelled."


@dataclass(frozen=True, slots=True)
class _Inputs:
    values: tuple[Any, ...]
    warnings: tuple[str, ...]
    hidden: frozenset[str]


def _runs(condition: Any, names: Mapping[str, Any], progress: Progress, *, engine: Engine) -> tuple[bool, list[str]]:
    if not isinstance(condition, str):
        return is_truthy(condition), []
    rendered = engine.render_value(condition, names, failed=progress.is_failed)
    allowed = not progress.is_failed or rendered.status_functions_called
    return allowed and is_truthy(rendered.value), _warnings("if", rendered)


def _rounds(
    step: Mapping[str, Any], scope: Scope, progress: Progress, *, engine: Engine
) -> tuple[list[dict[str, Any]], frozenset[str]]:
    """Return what a step with `each` is run for, with the texts in it that were made with secrets."""
    rendered = engine.render_value(step["each"], scope.secret(progress), failed=progress.is_failed).value
    hidden: frozenset[str] = frozenset()
    if scope.has_secrets:
        blank = engine.render_value(step["each"], scope.secret(progress, blank=True), failed=progress.is_failed).value
        hidden = frozenset(_different_texts(rendered, blank))
    if isinstance(rendered, list):
        return [{"key": str(index), "value": value} for index, value in enumerate(rendered)], hidden
    if isinstance(rendered, dict):
        return [{"key": key, "value": value} for key, value in rendered.items()], hidden
    shown = "nothing" if rendered is UNDEFINED else "a text made with a secret" if hidden else repr(rendered)
    raise InputError(f'Step "{step["id"]}" each: found {shown}; expected a list or a mapping')


def _render_inputs(
    step: Mapping[str, Any],
    scope: Scope,
    progress: Progress,
    *,
    engine: Engine,
    rounds: Sequence[Mapping[str, Any] | None],
) -> _Inputs:
    declared = step.get("input") or {}
    values: list[Any] = []
    warnings: list[str] = []
    hidden: set[str] = set()
    for each in rounds:
        names = {} if each is None else {"each": each}
        rendered = engine.render_value(declared, scope.secret(progress) | names, failed=progress.is_failed)
        values.append(rendered.value)
        warnings += _warnings("input", rendered)
        if scope.has_secrets:
            blank = engine.render_value(declared, scope.secret(progress, blank=True) | names, failed=progress.is_failed)
            hidden.update(_different_texts(rendered.value, blank.value))
    return _Inputs(tuple(values), tuple(dict.fromkeys(warnings)), frozenset(hidden))


def _warnings(place: str, rendered: Rendered) -> list[str]:
    return [f"{place}.{warning}" if warning.path else f"{place}: {warning}" for warning in rendered.warnings]


def _different_texts(value: Any, blank: Any) -> Iterator[str]:
    """Yield the texts of `value` that are not the same at their place in `blank`."""
    if isinstance(value, str):
        if value != blank:
            yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _different_texts(item, blank.get(name) if isinstance(blank, dict) else None)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            same = isinstance(blank, list) and index < len(blank)
            yield from _different_texts(item, blank[index] if same else None)


def _is_shown(item: Any) -> bool:
    return not isinstance(item, dict) or "if" not in item or is_truthy(item["if"])


def _without_if(item: Any) -> Any:
    return {name: value for name, value in item.items() if name != "if"} if isinstance(item, dict) else item
