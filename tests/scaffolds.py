"""Real scaffolding for tests: real git, database, engine, actions, jobs; only who may own is a table of the test."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from portal.actions.catalog import CatalogRegister, CatalogWrite
from portal.actions.contract import Action, ActionContext
from portal.actions.debug import DebugLog, DebugWait
from portal.actions.fetch import FetchPlain, FetchTemplate
from portal.actions.publish import PublishGit
from portal.actions.schema import ActionSchema, Value
from portal.defaults.engine import build_engine
from portal.defaults.kinds import all_kinds
from portal.errors import ActionError, JobStoppedError
from portal.model.ref import EntityRef
from portal.providers.folder import FolderProvider
from portal.providers.git import GitProvider
from portal.scaffolder.filters import builtin_filters
from portal.services.dry_run import DryRuns
from portal.services.dry_run_surroundings import DryRunLimits
from portal.services.generated import GeneratedService
from portal.services.jobs import Jobs
from portal.services.kinds import KindsService
from portal.services.locations import LocationsService
from portal.services.refresh import RefreshService
from portal.services.scaffolding import ScaffoldingService
from portal.services.sources import SourcesService
from portal.services.task_checks import OwnershipInvariant
from portal.services.task_limits import TaskLimits
from portal.services.task_promises import Promises
from portal.services.templates import Templates
from portal.services.upgrades import UpgradesService
from portal.services.vault import Vault
from portal.services.workspace_archive import WorkspaceArchive
from portal.services.workspaces import Workspaces
from portal.store.database import Database
from portal.store.tables import entities, metadata
from portal.vcs.merging import Merges
from portal.vcs.mirror import Mirrors
from portal.vcs.policy import RemotePolicy


class StoredCatalog:
    """The catalog, read by sets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_refs(self, refs: Sequence[EntityRef]) -> dict[EntityRef, str]:
        with self._database.reading() as connection:
            rows = connection.execute(select(entities.c.ref, entities.c.body).where(entities.c.ref.in_(refs)))
            return {EntityRef(row.ref): row.body for row in rows}


@dataclass(frozen=True)
class Finding:
    rule: str
    message: str
    fix: str
    severity: str = "enforce"


class OwnerTable:
    """Which owners each layer allows."""

    def __init__(self, allowed: Mapping[str, Sequence[str]]) -> None:
        self._allowed = allowed

    def check_owner(self, owner_ref: EntityRef, layer: str) -> list[Finding]:
        allowed = self._allowed.get(layer, ())
        if owner_ref in allowed:
            return []
        fix = f"Owners of the layer are {', '.join(allowed)}"
        return [Finding("owner-role", f"{owner_ref} may not own in the layer {layer}", fix)]

    def default_layers(self) -> Mapping[str, str]:
        return {}


class EchoAction:
    """Outputs its input."""

    id = "test:echo"
    description = "Outputs its input."
    examples: Sequence[Any] = ()
    output_schema = None
    supports_dry_run = True

    class input_schema(ActionSchema):  # noqa: N801
        x = Value()

    def run(self, context: ActionContext) -> None:
        context.output("x", context.input["x"])


class FailAction:
    """Fails, with its message."""

    id = "test:fail"
    description = "Fails."
    examples: Sequence[Any] = ()
    output_schema = None
    supports_dry_run = True

    class input_schema(ActionSchema):  # noqa: N801
        message = Value(str, default="boom")

    def run(self, context: ActionContext) -> None:
        raise ActionError(context.input["message"])


class ToldAction:
    """Outputs whether it runs in a dry run."""

    id = "test:told"
    description = "Outputs whether it runs in a dry run."
    examples: Sequence[Any] = ()
    output_schema = None
    supports_dry_run = True
    input_schema = ActionSchema

    def run(self, context: ActionContext) -> None:
        context.output("is", context.is_dry_run)


class _NotingAction:
    """Writes notes into a folder, in which files tell it what to do."""

    examples: Sequence[Any] = ()
    output_schema = None

    class input_schema(ActionSchema):  # noqa: N801
        name = Value(str, required=True)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _note(self, line: str) -> None:
        with (self._folder / "notes").open("a") as file:
            file.write(f"{line}\n")


class FlakyAction(_NotingAction):
    """Notes that it runs, and fails until a file says that it is mended; outputs what is in the workspace."""

    id = "test:flaky"
    description = "Fails until a file is there."
    supports_dry_run = False

    def run(self, context: ActionContext) -> None:
        name = context.input["name"]
        context.workspace.resolve(f"made-{name}").write_text("made")
        self._note(f"run {name}")
        if not (self._folder / f"mend-{name}").exists():
            raise ActionError(f"{name} is broken")
        context.output("found", context.workspace.listing())


class GateAction(_NotingAction):
    """Says in a file that it has begun, then waits for another file before it says that it is done."""

    id = "test:gate"
    description = "Waits for a file."
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        name = context.input["name"]
        half = context.workspace.resolve(f"half-{name}")
        self._note(f"begin {name} {'dirty' if half.exists() else 'clean'}")
        half.write_text("half written")
        while not (self._folder / f"open-{name}").exists():
            if context.cancelled(0.02):
                return
        self._note(f"end {name}")


class Scaffold:
    """A Portal's scaffolding, over a database and a folder."""

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        owners: Mapping[str, Sequence[str]] | None = None,
        lease_seconds: float = 30.0,
        dry_run_seconds: float = 120.0,
        tasks_at_once: int = 10,
        limits: TaskLimits | None = None,
        workspace_url: str = "",
        key: Path | None = None,
        workspaces: Workspaces | None = None,
        strict: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.repositories = folder / "repositories"
        self.database = Database(url)
        metadata.create_all(self.database.engine)
        policy = RemotePolicy(allowed_schemes=frozenset({"https"}), file_roots=(self.repositories,))
        mirrors = Mirrors(folder / "mirrors", policy)
        self.sources = SourcesService(self.database)
        self.refresh = RefreshService(
            self.database,
            self.sources,
            providers={"git": GitProvider(mirrors), "folder": FolderProvider()},
            kinds=KindsService(self.database, all_kinds()),
        )
        self.catalog = StoredCatalog(self.database)
        self.engine = build_engine(builtin_filters({}))
        self.jobs = Jobs(self.database, concurrency=tasks_at_once, polling_seconds=0.02, lease_seconds=lease_seconds)
        found: list[Action] = [
            FetchTemplate(self.engine),
            FetchPlain(),
            PublishGit(repositories=self.repositories, policy=policy),
            CatalogRegister(),
            CatalogWrite(),
            DebugLog(),
            DebugWait(),
            EchoAction(),
            FailAction(),
            GateAction(folder),
            FlakyAction(folder),
            ToldAction(),
        ]
        self.actions = {action.id: action for action in found}
        rules = OwnerTable(owners or {})
        templates = Templates(mirrors)
        vault = Vault(key or folder / "instance.key")
        self.dry_runs = DryRuns(
            engine=self.engine,
            actions=self.actions,
            catalog=self.catalog,
            ownership=OwnershipInvariant(self.catalog, rules, self.engine),
            templates=templates,
            folder=folder / "workspaces",
            kinds=all_kinds,
            limits=DryRunLimits(seconds=dry_run_seconds, size_bytes=100_000, files=100, lines=500),
        )
        self.generated = GeneratedService(self.database, templates)
        self.upgrades = UpgradesService(
            self.database, self.generated, templates, runs=self.dry_runs, merges=Merges(policy)
        )
        self.service = ScaffoldingService(
            self.database,
            catalog=self.catalog,
            ownership=rules,
            promises=Promises(self.catalog, LocationsService(self.database, self.sources, self.refresh)),
            jobs=self.jobs,
            engine=self.engine,
            actions=self.actions,
            templates=templates,
            workspaces=workspaces
            or Workspaces(
                folder / "workspaces", archive=WorkspaceArchive(workspace_url, vault=vault) if workspace_url else None
            ),
            vault=vault,
            limits=limits,
            strict=strict,
        )

    def ingest(self, target: str) -> None:
        """Add an operator's location and refresh."""
        self.sources.add([("file" if target.startswith("/") else "url", target)])
        self.refresh.refresh()

    def run(self, template: str, values: Mapping[str, Any] | None = None, **more: Any) -> list[dict[str, Any]]:
        """Run a template to its end and return its events."""
        return list(self.service.event_stream(self.service.create_task(template, values or {}, **more)))

    def close(self) -> None:
        self.jobs.stop()
        self.engine.close()
        self.database.close()


@contextmanager
def scaffold(url: str, folder: Path, *, worker: bool = True, **more: Any):
    """Open a scaffolding whose jobs have started."""
    opened = Scaffold(url, folder, **more)
    try:
        opened.jobs.start(worker=worker)
        yield opened
    finally:
        opened.close()


class Asker:
    """Somebody who asks over HTTP, and may do everything."""

    def __init__(self, name: str) -> None:
        self._name = name

    def user_ref(self) -> str:
        return f"user:default/{self._name}"

    def rights(self) -> None:
        return None

    def readable(self) -> None:
        return None


def template(name: str, steps: Sequence[Mapping[str, Any]], **spec: Any) -> dict[str, Any]:
    """Return a Template entity."""
    return {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": name},
        "spec": {"type": "service", "owner": "group:default/team-a", "steps": list(steps), **spec},
    }


def statuses(events: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the last state of each step."""
    found = {}
    for event in events:
        body = event["body"]
        if event["type"] == "log" and body.get("status"):
            found[body["stepId"]] = body["status"]
    return found


def messages(events: Sequence[Mapping[str, Any]]) -> str:
    """Return all that a task told, one line each."""
    return "\n".join(str(event["body"].get("message", "")) for event in events)


def main(url: str, folder: str, lease_seconds: str) -> None:
    """Work on the tasks of a database until killed; the parent process watches the notes."""
    with scaffold(url, Path(folder), lease_seconds=float(lease_seconds)):
        (Path(folder) / "up").touch()
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])


class Recorded:
    """Steps that give again what they gave, as those of a job that is run again."""

    token = "again"

    def __init__(self, breaks_off: str = "") -> None:
        self.results: dict[str, Any] = {}
        self.breaks_off = breaks_off

    def __call__(self, name: str, function: Callable[[], Any]) -> Any:
        if name == self.breaks_off:
            raise JobStoppedError
        if name not in self.results:
            self.results[name] = function()
        return self.results[name]

    def aside(self, name: str, function: Callable[[], Any]) -> Any:
        return function()

    @property
    def claim(self) -> None:
        """Let it write."""
