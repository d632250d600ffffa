"""Wires what runs tasks: template engine, actions, workflows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portal.actions.repository_mark import RepositoryMarks
from portal.app.own_requests import OwnRequests
from portal.config import Settings
from portal.defaults.actions import all_actions
from portal.defaults.extensions import all_extensions, engine_with
from portal.model.integration import Integrations
from portal.scaffolder.engine import Engine
from portal.scaffolder.extensions import TemplateExtensions
from portal.services.autocomplete import Autocomplete
from portal.services.catalog import CatalogService
from portal.services.dry_run import DryRuns
from portal.services.duty import Duty
from portal.services.explanation import ExplanationService
from portal.services.generated import GeneratedService
from portal.services.jobs import Jobs
from portal.services.kinds import KindsService
from portal.services.locations import LocationsService
from portal.services.owner_choice import OwnerChoice
from portal.services.ownership import OwnershipService
from portal.services.repository_access import RepositoryAccessService
from portal.services.scaffolding import ScaffoldingService
from portal.services.task_checks import OwnershipInvariant
from portal.services.task_limits import TaskLimits
from portal.services.task_owners import TaskOwners
from portal.services.task_promises import Promises, SightOf
from portal.services.templates import Templates
from portal.services.upgrades import UpgradesService
from portal.services.vault import Vault
from portal.services.workspaces import Workspaces
from portal.store.database import Database
from portal.vcs.merging import Merges
from portal.vcs.mirror import Mirrors
from portal.vcs.policy import RemotePolicy

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from portal.services.workspace_archive import WorkspaceArchive


@dataclass(frozen=True, slots=True)
class TaskServices:
    """What runs tasks."""

    engine: Engine
    jobs: Jobs
    scaffolding: ScaffoldingService
    dry_runs: DryRuns
    autocompletes: Autocomplete
    extensions: TemplateExtensions
    generated: GeneratedService
    upgrades: UpgradesService

    def close(self) -> None:
        """End the workflows and close what is open."""
        self.jobs.stop()
        self.scaffolding.journal.close()
        self.engine.close()


def wire_tasks(
    settings: Settings,
    database: Database,
    *,
    catalog: CatalogService,
    ownership: OwnershipService,
    locations: LocationsService,
    mirrors: Mirrors,
    policy: RemotePolicy,
    integrations: Integrations,
    duty: Duty,
    sight_of: SightOf,
    explanation: ExplanationService,
    application: Callable[[], WSGIApplication],
    kinds: KindsService,
) -> TaskServices:
    """Return the services that run tasks."""
    extensions = all_extensions()
    engine = engine_with(extensions, {host.host: host.type for host in integrations})
    jobs = Jobs(database, concurrency=settings.tasks_at_once, lease_seconds=settings.lease_seconds, duty=duty)
    vault = Vault(settings.data / "instance.key")
    owners = TaskOwners(catalog, ownership, explanation, sight_of=sight_of)
    actions = all_actions(
        engine,
        repositories=settings.repositories,
        policy=policy,
        owners=owners,
        portal=OwnRequests(application, base_url=settings.base_url),
        marks=RepositoryMarks(lambda: vault.derived("repositories")),
    )
    templates = Templates(mirrors, integrations=integrations)
    scaffolding = ScaffoldingService(
        database,
        catalog=catalog,
        ownership=ownership,
        promises=Promises(
            catalog,
            locations,
            owners=owners,
            access=RepositoryAccessService(database, ownership, integrations=integrations),
            sight_of=sight_of,
        ),
        jobs=jobs,
        engine=engine,
        actions=actions,
        templates=templates,
        workspaces=Workspaces(settings.workspaces, archive=_archive(settings, vault)),
        vault=vault,
        choice=OwnerChoice(catalog, ownership),
        limits=TaskLimits(step_seconds=settings.step_seconds, task_seconds=settings.task_seconds),
        strict=settings.unknown_inputs == "strict",
    )
    dry_runs = DryRuns(
        engine=engine,
        actions=actions,
        catalog=catalog,
        ownership=OwnershipInvariant(catalog, ownership, engine),
        owners=owners,
        templates=templates,
        folder=settings.workspaces,
        kinds=kinds.current,
        sight_of=sight_of,
        strict=settings.unknown_inputs == "strict",
    )
    generated = GeneratedService(database, templates, integrations=integrations)
    upgrades = UpgradesService(database, generated, templates, runs=dry_runs, merges=Merges(policy))
    return TaskServices(
        engine, jobs, scaffolding, dry_runs, Autocomplete(integrations), extensions, generated, upgrades
    )


def _archive(settings: Settings, vault: Vault) -> WorkspaceArchive | None:
    """Return what keeps workspaces for other machines, None where their folder is for all of them."""
    if not settings.workspace_url:
        return None
    from portal.services.workspace_archive import WorkspaceArchive  # noqa: PLC0415  # fsspec is for those alone

    return WorkspaceArchive(settings.workspace_url, vault=vault)
