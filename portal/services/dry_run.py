"""Runs templates without leaving anything behind, so that their authors see what they would make."""

from __future__ import annotations

import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from portal.actions.contract import Action
from portal.actions.schema import json_schema
from portal.actions.workspace import Workspace, read_folder
from portal.errors import InputError, ServiceUnavailableError
from portal.ingest.check import check, problem_of
from portal.model.entity import LOCATION_ANNOTATION
from portal.model.kind import Kinds
from portal.model.ref import EntityRef
from portal.model.secret import Secret
from portal.scaffolder.engine import Engine
from portal.scaffolder.parameters import pages, values_errors
from portal.scaffolder.skeleton import SkeletonEntry
from portal.scaffolder.task import API_VERSION, task_spec
from portal.services.dry_run_surroundings import AtOnce, DryRunLimits, GivenSecrets, NoLocations, Notebook, OnePlace
from portal.services.task_catalog import CatalogReader, TaskOwnerRules
from portal.services.task_checks import (
    OwnershipInvariant,
    base_url,
    of_portal,
    raise_for,
    secrets_errors,
    template_ref,
    usable,
)
from portal.services.task_promises import Promises, SightOf
from portal.services.task_rights import TaskRights
from portal.services.task_runner import StandIn, TaskRunner
from portal.services.task_surroundings import Environment, Sources
from portal.store.tasks import TaskRow

#: What the template of a dry run is called. Rule: scaffolder-backend 4.2 `createDryRunner`.
TEMPLATE_REF = EntityRef("template:default/dry-run")
_TEMPLATE_FILE = "template.yaml"
_EXAMPLES: Mapping[str, Any] = {"string": "<example>", "number": 0, "boolean": False}


@dataclass(frozen=True, slots=True)
class DryRun:
    """What is asked for.

    `files` stand beside the template. Instead of them `location` may name the template's own file, as the catalog's
    annotation does; the template is then known as `ref`.
    """

    template: Mapping[str, Any]
    values: Mapping[str, Any]
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    files: Sequence[SkeletonEntry] = ()
    location: str | None = None
    ref: EntityRef = TEMPLATE_REF
    actor_ref: str | None = None
    rights: TaskRights | None = None


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """What a dry run has made: the lines of its log, the steps as asked, the output, the files without `.git`.

    `error` is the first of its errors, `name` as Backstage's clients know it, with `message`; None where none failed.
    """

    log: Sequence[Mapping[str, Any]]
    steps: Sequence[Mapping[str, Any]]
    output: Mapping[str, Any]
    files: Sequence[SkeletonEntry]
    error: Mapping[str, str] | None = None


class DryRuns:
    """Runs templates in a folder that is removed afterwards; nothing is registered, published or stored.

    `ownership` None leaves the owners unchecked; `strict` is that of `TaskRunner`. Rule: scaffolder-backend 4.2
    `createDryRunner`.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        actions: Mapping[str, Action],
        catalog: CatalogReader,
        ownership: OwnershipInvariant | None,
        owners: TaskOwnerRules | None = None,
        templates: Sources,
        folder: Path,
        kinds: Callable[[], Kinds],
        environment: Environment | None = None,
        sight_of: SightOf = lambda _who: None,
        limits: DryRunLimits | None = None,
        strict: bool = False,
    ) -> None:
        self._engine = engine
        self._actions = actions
        self._catalog = catalog
        self._ownership = ownership
        self._owners = owners
        self._templates = templates
        self._folder = folder
        self._kinds = kinds
        # The operator's secrets are for templates that stand in the catalog. Rule: scaffolder-backend 4.2.
        self._environment = Environment(environment.parameters if environment else {})
        self._sight_of = sight_of
        self._limits = limits or DryRunLimits()
        self._strict = strict
        self._slots = threading.BoundedSemaphore(self._limits.at_once)

    @property
    def actions(self) -> Mapping[str, Action]:
        """The actions that templates may name."""
        return self._actions

    def run(self, asked: DryRun) -> DryRunResult:
        """Run a template to its end.

        Raises `InputError` for what is no template, `ValuesError` for values or secrets that do not fit,
        `NotAllowedError` for a file that would lead out of the folder, `ServiceUnavailableError` while too many run.
        """
        template, spec = self._checked(asked)
        with self.room() as folder:
            return self._run(asked, template, spec, folder)

    def run_stored(
        self,
        template_name: str,
        values: Mapping[str, Any],
        *,
        secrets: Mapping[str, Secret] | None = None,
        actor_ref: str | None = None,
        rights: TaskRights | None = None,
    ) -> DryRunResult:
        """Run a template of the catalog to its end, with what stands beside it there.

        Raises as `run` does, and `NotFoundError` for a template that is not there, or may not be read.
        """
        ref = template_ref(template_name)
        found = usable(ref, self._catalog.by_refs([ref]).get(ref))
        # What the catalog adds to it is no part of a template.
        template = {name: found[name] for name in ("apiVersion", "kind", "metadata", "spec")}
        location = template["metadata"]["annotations"][LOCATION_ANNOTATION]
        asked = DryRun(template, values, secrets or {}, location=location, ref=ref, actor_ref=actor_ref, rights=rights)
        return self.run(asked)

    @contextmanager
    def room(self) -> Iterator[Path]:
        """Give a folder that is removed afterwards. Raises `ServiceUnavailableError` while too many have one."""
        if not self._slots.acquire(blocking=False):
            raise ServiceUnavailableError(f"{self._limits.at_once} dry runs are under way; ask again in a moment")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="dry-run-", dir=self._folder) as name:
                yield Path(name).resolve()
        finally:
            self._slots.release()

    def carry_out(
        self,
        task: TaskRow,
        workspace: Path,
        *,
        secrets: Mapping[str, Secret] | None = None,
        templates: Sources | None = None,
        stand_in: StandIn | None = None,
    ) -> Notebook:
        """Carry out a task that is stored nowhere, in a folder that is made, and return what it has told.

        `stand_in` gives the outputs of actions that are not run; without it of those that do not support a dry run.
        Raises `InputError` where it takes too long, or tells or makes too much.
        """
        notebook = Notebook(task, self._limits)
        workspace.mkdir()
        TaskRunner(
            notebook,
            secrets=GivenSecrets(secrets or {}),
            engine=self._engine,
            actions=self._actions,
            promises=Promises(self._catalog, NoLocations(), owners=self._owners, sight_of=self._sight_of),
            templates=templates or self._templates,
            workspaces=OnePlace(workspace),
            environment=self._environment,
            stand_in=stand_in or _stand_in,
            strict=self._strict,
        ).run(task.id, AtOnce())
        self._require_small(workspace)
        return notebook

    def _checked(self, asked: DryRun) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the template with what of it the person gets, and what its task adds to Backstage's spec."""
        template = dict(asked.template)
        if template.get("apiVersion") != API_VERSION or template.get("kind") != "Template":
            found = f"{template.get('kind')} of {template.get('apiVersion')}"
            raise InputError(f"The template is none: found {found}; expected Template of {API_VERSION}")
        faults = check(template, kinds=self._kinds()).faults
        problems = [problem_of(fault) for fault in faults if not fault.lenient]
        if problems:
            raise InputError("\n".join(map(str, problems)), problems)
        if asked.rights is not None:
            template = asked.rights.permitted(template)
        form = pages(template)
        raise_for(values_errors(form, asked.values))
        raise_for(secrets_errors(template, asked.secrets))
        return template, of_portal(self._ownership, template, form, asked.values, asked.rights)

    def _run(self, asked: DryRun, template: dict[str, Any], more: Mapping[str, Any], folder: Path) -> DryRunResult:
        location = asked.location
        if location is None:
            beside = folder / "template"
            beside.mkdir()
            _write(beside, asked.files)
            location = f"file:{beside / _TEMPLATE_FILE}"
        placed = placed_at(template, location)
        spec = task_spec(
            placed,
            asked.values,
            template_ref=str(asked.ref),
            base_url=base_url(placed),
            user=self.user(asked.actor_ref),
        )
        task = TaskRow(f"dry-run-{uuid.uuid4()}", "open", spec | dict(more), asked.actor_ref, 0, None)
        workspace = folder / "workspace"
        notebook = self.carry_out(task, workspace, secrets=asked.secrets)
        *lines, last = notebook.bodies(hidden=str(folder))
        return DryRunResult(lines, spec["steps"], last.get("output", {}), _files(workspace), error=last.get("error"))

    def user(self, ref: str | None) -> dict[str, Any]:
        """Return a user as expressions know one, empty for nobody."""
        if ref is None:
            return {}
        user = EntityRef.parse(ref, default_kind="user")
        body = self._catalog.by_refs([user]).get(user)
        return {"ref": str(user)} | ({} if body is None else {"entity": orjson.loads(body)})

    def _require_small(self, workspace: Path) -> None:
        sizes = {path: path.lstat().st_size for path in workspace.rglob("*") if not path.is_dir() or path.is_symlink()}
        most = self._limits
        if len(sizes) > most.files or sum(sizes.values()) > most.size_bytes:
            raise InputError(
                f"The dry run makes {len(sizes):,} files of {sum(sizes.values()):,} bytes; expected at most "
                f"{most.files:,} files of {most.size_bytes:,} bytes"
            )


def example_output(schema: Mapping[str, Any]) -> Any:
    """Return a value that stands in for one of a JSON Schema. Rule: scaffolder-backend 4.2 `generateExampleOutput`."""
    examples = schema.get("examples")
    if isinstance(examples, list) and examples:
        return examples[0]
    kind = schema.get("type")
    if kind == "object":
        return {name: example_output(member) for name, member in (schema.get("properties") or {}).items()}
    if kind == "array":
        return [example_output(schema["items"])] if isinstance(schema.get("items"), dict) else []
    return _EXAMPLES.get(kind, "<unknown>") if isinstance(kind, str) else "<unknown>"


def placed_at(template: Mapping[str, Any], location: str) -> dict[str, Any]:
    """Return a template that says it is at a location, whatever it says of itself."""
    metadata = dict(template["metadata"])
    metadata["annotations"] = {**(metadata.get("annotations") or {}), LOCATION_ANNOTATION: location}
    return {**template, "metadata": metadata}


def made_up(action: Action) -> dict[str, Any]:
    """Return an output that an action could have."""
    if action.output_schema is None:
        return {}
    output: dict[str, Any] = example_output(json_schema(action.output_schema))
    return output


def _stand_in(_step: str, action: Action, _workspace: Workspace, _inputs: Sequence[Any]) -> dict[str, Any] | None:
    return None if action.supports_dry_run else made_up(action)


def _files(workspace: Path) -> list[SkeletonEntry]:
    found = (entry for entry in read_folder(workspace) if entry.kind != "directory")
    return [entry for entry in found if ".git" not in entry.path.split("/")]


def _write(folder: Path, files: Sequence[SkeletonEntry]) -> None:
    """Write the files that came with a template."""
    try:
        Workspace(folder).write(files)
    except OSError as error:  # such as a name that the file system does not take
        raise InputError(f"directoryContents cannot be written: {error.strerror}") from error
