"""Wires what tries or looks at templates of a folder, without a catalog or a database."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.actions.repository_mark import RepositoryMarks
from portal.actions.request import Answer, Question
from portal.config import Settings
from portal.defaults.actions import all_actions
from portal.defaults.extensions import all_extensions, engine_with
from portal.defaults.kinds import all_kinds
from portal.errors import ActionError
from portal.model.integration import Integrations
from portal.model.reading import ReadingRules
from portal.model.ref import EntityRef
from portal.services.dry_run import DryRuns
from portal.services.dry_run_surroundings import DryRunLimits
from portal.services.template_lint import TemplateLint
from portal.services.templates import Templates
from portal.vcs.mirror import Mirrors
from portal.vcs.policy import RemotePolicy

_LIMITS = DryRunLimits(seconds=300.0, size_bytes=256 * 1024 * 1024)


class _AnyOwner:
    def faults(
        self,
        owner: EntityRef,  # as rules that know a catalog have it
        layers: Sequence[str],
        *,
        user: EntityRef | None,
        scopes: frozenset[str] | None,
    ) -> list[str]:
        return []


class _NoPortal:
    def ask(self, question: Question, **_how: Any) -> Answer:  # as a Portal that is there has it
        raise ActionError("There is no Portal to ask where a template is tried in its folder")


class _NoCatalog:
    def by_refs(self, _refs: Sequence[EntityRef]) -> Mapping[EntityRef, str]:
        return {}


@dataclass(frozen=True, slots=True)
class Bench:
    """What an author works with: it tries templates, or finds what is wrong with them before they are tried."""

    runs: DryRuns
    lint: TemplateLint


@contextmanager
def dry_runs_alone(settings: Settings) -> Iterator[DryRuns]:
    """Open what tries templates, as `bench_alone` does."""
    with bench_alone(settings) as bench:
        yield bench.runs


@contextmanager
def bench_alone(settings: Settings) -> Iterator[Bench]:
    """Open what authors work with; owners are not checked, as there is no catalog that could know them."""
    integrations = Integrations(settings.integrations)
    policy = RemotePolicy(
        allowed_schemes=frozenset(settings.git_schemes),
        file_roots=(settings.repositories,),
        integrations=integrations,
        addresses=ReadingRules(settings.reading_hosts),
    )
    with (
        tempfile.TemporaryDirectory(prefix="portal-") as folder,
        engine_with(all_extensions(), {host.host: host.type for host in integrations}) as engine,
    ):
        runs = DryRuns(
            engine=engine,
            actions=all_actions(
                engine,
                repositories=settings.repositories,
                policy=policy,
                owners=_AnyOwner(),
                portal=_NoPortal(),
                marks=RepositoryMarks(bytes),  # a dry run makes nothing that it had to know again
            ),
            catalog=_NoCatalog(),
            ownership=None,
            templates=Templates(Mirrors(Path(folder) / "mirrors", policy), integrations=integrations),
            folder=Path(folder) / "workspaces",
            kinds=all_kinds,
            limits=_LIMITS,
            strict=settings.unknown_inputs == "strict",
        )
        yield Bench(runs, TemplateLint(engine=engine, actions=runs.actions, kinds=all_kinds()))
