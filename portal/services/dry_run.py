"""Runs templates without leaving anything behind, so that their authors see what they would make."""

from __future__ import annotations

import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
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
from portal.services.task_checks import OwnershipInvariant, base_url, of_portal, raise_for, secrets_errors
from portal.services.task_promises import Promises, SightOf
from portal.services.task_rights import TaskRights
from portal.services.task_runner import TaskRunner
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
    annotation does.
    """

    template: Mapping[str, Any]
    values: Mapping[str, Any]
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    files: Sequence[SkeletonEntry] = ()
    location: str | None = None
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

    `ownership` None leaves the owners unchecked. Rule: scaffolder-backend 4.2 `createDryRunner`.
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
        self._slots = threading.BoundedSemaphore(self._limits.at_once)

    def run(self, asked: DryRun) -> DryRunResult:
        """Run a template to its end.

        Raises `InputError` for what is no template, `ValuesError` for values or secrets that do not fit,
        `NotAllowedError` for a file that would lead out of the folder, `ServiceUnavailableError` while too many run.
        """
        template, spec = self._checked(asked)
        if not self._slots.acquire(blocking=False):
            raise ServiceUnavailableError(f"{self._limits.at_once} dry runs are under way; ask again in a moment")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="dry-run-", dir=self._folder) as name:
                return self._run(asked, template, spec, Path(name).resolve())
        finally:
            self._slots.release()

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
        metadata = dict(template["metadata"])
        # Whatever the template says of itself: it is read beside the files that came with it.
        metadata["annotations"] = {**(metadata.get("annotations") or {}), LOCATION_ANNOTATION: location}
        placed = {**template, "metadata": metadata}
        spec = task_spec(
            placed,
            asked.values,
            template_ref=str(TEMPLATE_REF),
            base_url=base_url(placed),
            user=self._user(asked.actor_ref),
        )
        task = TaskRow(f"dry-run-{uuid.uuid4()}", "open", spec | dict(more), asked.actor_ref, 0, None)
        notebook = Notebook(task, self._limits)
        workspace = folder / "workspace"
        workspace.mkdir()
        TaskRunner(
            notebook,
            secrets=GivenSecrets(asked.secrets),
            engine=self._engine,
            actions=self._actions,
            promises=Promises(self._catalog, NoLocations(), owners=self._owners, sight_of=self._sight_of),
            templates=self._templates,
            workspaces=OnePlace(workspace),
            environment=self._environment,
            stand_in=_stand_in,
        ).run(task.id, AtOnce())
        *lines, last = notebook.bodies(hidden=str(folder))
        return DryRunResult(
            lines, spec["steps"], last.get("output", {}), self._files(workspace), error=last.get("error")
        )

    def _user(self, actor_ref: str | None) -> dict[str, Any]:
        if actor_ref is None:
            return {}
        ref = EntityRef.parse(actor_ref, default_kind="user")
        body = self._catalog.by_refs([ref]).get(ref)
        return {"ref": str(ref)} | ({} if body is None else {"entity": orjson.loads(body)})

    def _files(self, workspace: Path) -> list[SkeletonEntry]:
        sizes = {path: path.lstat().st_size for path in workspace.rglob("*") if not path.is_dir() or path.is_symlink()}
        most = self._limits
        if len(sizes) > most.files or sum(sizes.values()) > most.size_bytes:
            raise InputError(
                f"The dry run makes {len(sizes):,} files of {sum(sizes.values()):,} bytes; expected at most "
                f"{most.files:,} files of {most.size_bytes:,} bytes"
            )
        found = (entry for entry in read_folder(workspace) if entry.kind != "directory")
        return [entry for entry in found if ".git" not in entry.path.split("/")]


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


def _stand_in(action: Action) -> dict[str, Any]:
    if action.output_schema is None:
        return {}
    output: dict[str, Any] = example_output(json_schema(action.output_schema))
    return output


def _write(folder: Path, files: Sequence[SkeletonEntry]) -> None:
    """Write the files that came with a template."""
    try:
        Workspace(folder).write(files)
    except OSError as error:  # such as a name that the file system does not take
        raise InputError(f"directoryContents cannot be written: {error.strerror}") from error
