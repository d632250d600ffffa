"""Wires the services of one Portal from its settings."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from portal.app.targets import hosts_of, target_of
from portal.config import Settings, make_data_folder
from portal.defaults.kinds import all_kinds
from portal.defaults.policies import rule_registry
from portal.defaults.reference import reference_catalog
from portal.model.integration import Integrations
from portal.model.reading import ReadingRules
from portal.services.catalog import CatalogService
from portal.services.duty import Duty
from portal.services.feed import ChangeFeed
from portal.services.kinds import KindsService
from portal.services.schedule import Schedule
from portal.services.sources import SourcesService
from portal.store import schema
from portal.store.database import Connection, Database

if TYPE_CHECKING:
    from flask import Flask

    from portal.app.access import AccessServices
    from portal.app.answers import AnswerServices
    from portal.app.owning import OwningServices
    from portal.app.reading import ReadingServices
    from portal.app.surveying import Surveying
    from portal.app.tasks import TaskServices
    from portal.graph.policies import Rule
    from portal.plugins import Registry
    from portal.providers.contract import TreeProvider
    from portal.services.accountability import AccountabilityService
    from portal.services.audit import AuditService
    from portal.services.events import EventsService
    from portal.services.history import HistoryService
    from portal.services.jobs import Jobs
    from portal.services.locations import LocationsService
    from portal.services.measures import RefreshMeasures
    from portal.services.ownership import OwnershipService
    from portal.services.problems import ProblemsService
    from portal.services.refresh import Progress, RefreshReport, RefreshService
    from portal.services.refresher import Refresher
    from portal.services.scaffolding import ScaffoldingService
    from portal.services.survey import SurveyService
    from portal.vcs.mirror import Mirrors
    from portal.vcs.policy import RemotePolicy


_log = logging.getLogger(__name__)
#: Which part of the time for stopping the steps of tasks have; the rest is for what they leave to be recorded.
_STEPS_SHARE = 0.8
#: How long the work beside requests leaves a server that starts to whoever waits for its first answer.
_GIVES_WAY_SECONDS = 1.0


@dataclass
class Portal:
    """The services of one Portal, wired; close it when done.

    What runs tasks is wired when it is first asked for: a command that reads or ingests spends nothing on it.
    """

    settings: Settings
    database: Database
    kinds: KindsService
    integrations: Integrations
    sources: SourcesService
    reading_rules: ReadingRules
    catalog: CatalogService
    feed: ChangeFeed
    known_rules: Registry[Rule]
    duty: Duty
    schedule: Schedule
    _reading: ReadingServices | None = None
    _surveying: Surveying | None = None
    _refreshers: tuple[Refresher, ...] = ()
    _starting: threading.Thread | None = None
    _answered: threading.Event = field(default_factory=threading.Event)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _wiring: threading.Lock = field(default_factory=threading.Lock)
    _ending: threading.Lock = field(default_factory=threading.Lock)

    @property
    def reading(self) -> ReadingServices:
        """What reads sources, wired once: refreshes take turns."""
        from portal.app.reading import wire_reading  # noqa: PLC0415  # the first answers need none of it

        with self._wiring:
            if self._reading is None:
                self._reading = wire_reading(
                    self.settings,
                    self.database.whole,
                    sources=self.sources,
                    kinds=self.kinds,
                    rules=self.reading_rules,
                    mirrors=self.mirrors,
                    measures=self.measures,
                )
            return self._reading

    @property
    def refresh(self) -> RefreshService:
        """What brings the catalog to what its sources hold."""
        return self.reading.refresh

    @property
    def providers(self) -> Mapping[str, TreeProvider]:
        """What reads trees of files, by type of tree."""
        return self.reading.providers

    @cached_property
    def policy(self) -> RemotePolicy:
        """Which remotes may be read."""
        from portal.vcs.policy import RemotePolicy  # noqa: PLC0415  # as `reading`

        return RemotePolicy(
            allowed_schemes=frozenset(self.settings.git_schemes),
            file_roots=(self.settings.repositories,),
            integrations=self.integrations,
            addresses=self.reading_rules,
            open_hosts=hosts_of(self.settings.catalog),
        )

    @cached_property
    def mirrors(self) -> Mirrors:
        """Copies of the repositories that are read."""
        from portal.vcs.mirror import Mirrors  # noqa: PLC0415  # as `reading`

        return Mirrors(self.settings.mirrors, self.policy)

    @cached_property
    def measures(self) -> RefreshMeasures:
        """What is counted of looks at sources."""
        from portal.services.measures import RefreshMeasures  # noqa: PLC0415  # as `reading`

        return RefreshMeasures()

    @cached_property
    def history(self) -> HistoryService:
        """What entities were."""
        from portal.services.history import HistoryService  # noqa: PLC0415  # as `reading`

        return HistoryService(self.database, self.kinds, integrations=self.integrations)

    @cached_property
    def owning(self) -> OwningServices:
        """What tells who owns what."""
        from portal.app.owning import wire_owning  # noqa: PLC0415  # as `reading`

        return wire_owning(self.database, kinds=self.kinds, rules=self.known_rules.values())

    @property
    def ownership(self) -> OwnershipService:
        """Who owns what, with the findings of rules."""
        return self.owning.ownership

    @property
    def accountability(self) -> AccountabilityService:
        """Who answers for what."""
        return self.owning.accountability

    @property
    def problems(self) -> ProblemsService:
        """What is wrong in the catalog."""
        return self.owning.problems

    @cached_property
    def locations(self) -> LocationsService:
        """Registered locations."""
        from portal.services.locations import LocationsService  # noqa: PLC0415  # as `reading`

        hand_over = None if self.settings.worker else self.schedule.want
        # Whoever registers or refreshes by hand does not wait for a look that a silent remote holds up.
        return LocationsService(
            self.database, self.sources, self.refresh.beside(), hand_over=hand_over, begin=self._begin_to_read
        )

    def _begin_to_read(self, wanted: Mapping[str, Collection[str]]) -> bool:
        """Have a worker look at sources; return False in a process that was to do it itself, and has not started."""
        if self.settings.worker and not self._refreshers:
            return False
        self.schedule.want(wanted)
        return True

    @cached_property
    def tasks(self) -> TaskServices:
        """What runs tasks."""
        from portal.app.tasks import wire_tasks  # noqa: PLC0415  # a third of all that is imported

        return wire_tasks(
            self.settings,
            self.database,
            catalog=self.catalog,
            ownership=self.ownership,
            locations=self.locations,
            mirrors=self.mirrors,
            policy=self.policy,
            integrations=self.integrations,
            duty=self.duty,
            sight_of=self.access.visibility.sight_of,
            explanation=self.access.explanation,
            application=self._application,
            kinds=self.kinds,
        )

    def _application(self) -> Flask:
        """Return an application of this Portal's own, for the steps of tasks that ask it something."""
        from portal.app.wsgi import create_app  # noqa: PLC0415  # a worker has none, and seldom needs one

        return create_app(self)

    @cached_property
    def answers(self) -> AnswerServices:
        """What answers questions on owners beyond one entity."""
        from portal.app.answers import wire_answers  # noqa: PLC0415  # an ingest asks nothing

        return wire_answers(
            self.settings,
            self.database,
            kinds=self.kinds,
            ownership=self.ownership,
            past=self.owning.past,
            known_rules=self.known_rules,
            providers=self.providers,
            mirrors=self.mirrors,
            policy=self.policy,
            integrations=self.integrations,
        )

    @cached_property
    def survey(self) -> SurveyService:
        """What keeps that which follows from a revision."""
        from portal.services.survey import SurveyService  # noqa: PLC0415  # as `reading`

        def lists(connection: Connection) -> dict[str, list[Any]]:
            # Asked for where there are layers alone: an ingest of what stands in none need not import it.
            answers = self.answers
            return (
                answers.layers.lists(connection)
                | answers.trend.lists(connection)
                | self.accountability.lists(connection)
            )

        return SurveyService(self.database.whole, self.ownership, lists=lists)

    @cached_property
    def access(self) -> AccessServices:
        """Who asks, and whether they may."""
        from portal.app.access import wire_access  # noqa: PLC0415  # only a server is asked by anybody

        return wire_access(self.settings, self.database, catalog=CatalogService(self.database.whole), kinds=self.kinds)

    @cached_property
    def audit(self) -> AuditService:
        """Who did what."""
        from portal.services.audit import AuditService  # noqa: PLC0415  # a command that reads does nothing

        return AuditService(self.database, days=self.settings.audit_days)

    @cached_property
    def events(self) -> EventsService:
        """What hears of changes."""
        from portal.services.events import EventsService  # noqa: PLC0415  # only a server is told anything

        return EventsService(
            self.database, self.schedule, webhooks=self.settings.webhooks, integrations=self.integrations
        )

    @property
    def jobs(self) -> Jobs:
        """The workflows."""
        return self.tasks.jobs

    @property
    def scaffolding(self) -> ScaffoldingService:
        """Templates and tasks."""
        return self.tasks.scaffolding

    def start(self, *, gives_way: bool = False) -> None:
        """Begin the work that goes on beside requests: a look at all sources now and then, and tasks.

        It returns at once: the first answers need none of it. `serving_tasks` waits until tasks can be handed in. Work
        that `gives_way` begins with the first answer (`has_answered`), or a moment later.
        """
        if self.settings.worker:
            self.duty.start()
        if not gives_way:
            self._answered.set()
        self._starting = threading.Thread(target=self._begin, name="portal-start", daemon=True)
        self._starting.start()

    def has_answered(self) -> None:
        """Say that a request has been answered."""
        self._answered.set()

    def await_answer(self) -> None:
        """Wait until a request has been answered, or none has come for a while."""
        self._answered.wait(_GIVES_WAY_SECONDS)

    def _begin(self) -> None:
        self.await_answer()
        if self._stopping.is_set():
            return
        if self.settings.worker:
            self._start_refreshers()
        try:
            self.jobs.start(worker=self.settings.worker)
            if self.jobs.is_worker:
                self.scaffolding.sweep()
        except Exception:  # noqa: BLE001  # the thread's edge: those who hand in a task are told that none runs
            _log.exception("background work did not start")

    def _start_refreshers(self) -> None:
        from portal.app.surveying import Surveying  # noqa: PLC0415  # which builds a Portal of its own
        from portal.services.refresher import Refresher  # noqa: PLC0415  # as `reading`

        surveying = self._surveying = Surveying(self.survey, self.settings)
        turns = ((self.refresh, self.schedule.regular), (self.refresh.beside(), self.schedule.wanted))
        self._refreshers = tuple(Refresher(refresh, looks, self.duty, after=surveying.want) for refresh, looks in turns)
        surveying.start()
        for refresher in self._refreshers:
            refresher.start()

    @property
    def serving_tasks(self) -> ScaffoldingService:
        """Templates and tasks of a server that has started."""
        self._wait_until_begun()
        return self.scaffolding

    @property
    def has_begun(self) -> bool:
        """Whether tasks can be handed in, and run where this process works; waits until that is known."""
        self._wait_until_begun()
        return self.jobs.has_begun

    def _wait_until_begun(self) -> None:
        self._answered.set()
        if self._starting is not None:
            self._starting.join()

    def migrate(self) -> tuple[str, str]:
        """Bring the database to the present shape; return its version before and after."""
        return schema.upgrade(self.database)

    @property
    def is_new(self) -> bool:
        """Whether nothing has been ingested yet."""
        return not any(source.revision for source in self.sources.list())

    def ingest(self, targets: Sequence[tuple[str, str]], *, progress: Progress | None = None) -> RefreshReport:
        """Add (type, target) locations as the operator's own, and refresh just those."""
        return self.refresh.refresh([source.id for source in self.sources.add(targets)], progress=progress)

    def default_targets(self) -> list[tuple[str, str]]:
        """Return the locations that the settings name, or the reference catalog."""
        return [target_of(text) for text in self.settings.catalog] or [reference_catalog()]

    def is_stopping(self) -> bool:
        """Whether this Portal has been asked to end."""
        return self._stopping.is_set()

    def begin_to_stop(self) -> None:
        """End what would go on by itself while requests are still answered: streams, looks at sources, tasks.

        The steps of tasks that are under way may end; what is left of a task goes on at another worker, or at the next
        start. What is known of the uses of tokens is written.
        """
        self._stopping.set()
        with self._ending:
            self.feed.close()
            if "access" in self.__dict__:
                self.access.close()
            self._wait_until_begun()
            if self._surveying is not None:
                self._surveying.ask_to_stop()
            for refresher in self._refreshers:
                refresher.ask_to_stop()
            if "tasks" in self.__dict__:
                self.jobs.hand_back(timeout_seconds=self.settings.stop_seconds * _STEPS_SHARE)

    def close(self) -> None:
        """End background work and close what is open."""
        self._stopping.set()
        with self._ending:
            self._wait_until_begun()
            if self._surveying is not None:
                self._surveying.ask_to_stop()
            for refresher in self._refreshers:
                refresher.ask_to_stop()
            for refresher in self._refreshers:
                refresher.stop()
            if self._surveying is not None:
                self._surveying.stop()
            if "tasks" in self.__dict__:
                self.tasks.close()
            if "tasks" not in self.__dict__ or not self.jobs.is_busy:
                self.duty.stop()
            if "access" in self.__dict__:
                self.access.close()
            if "audit" in self.__dict__:
                self.audit.close()
            self.feed.close()
            if self._reading is not None:
                self._reading.close()
            self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def build(settings: Settings, *, is_server: bool = False) -> Portal:
    """Return the services that these settings describe; the data folder is made where it is missing.

    A server's many connections share what they read of a database file.
    """
    make_data_folder(settings.data)
    database = Database(settings.database, maps_file=is_server, lease_seconds=settings.lease_seconds)
    schedule = Schedule(database, seconds=settings.refresh_seconds)
    kinds = KindsService(database, all_kinds())
    integrations = Integrations(settings.integrations)
    rules = ReadingRules(settings.reading_hosts)
    sources = SourcesService(database.whole, integrations=integrations)
    catalog = CatalogService(database, integrations=integrations)
    return Portal(
        settings=settings,
        database=database,
        kinds=kinds,
        integrations=integrations,
        sources=sources,
        reading_rules=rules,
        catalog=catalog,
        feed=ChangeFeed(database, most=settings.followers),
        known_rules=rule_registry(),
        duty=Duty(database, lease_seconds=settings.lease_seconds),
        schedule=schedule,
    )
