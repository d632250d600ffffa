"""Runs work that outlives a request, step by step, so that a killed process goes on where it was.

The one module that knows of DBOS. A job is a registered function that is given an id and a `StepRunner`; each of its
steps runs once and its result is recorded, a step that was under way when the process died runs again. Whichever
process works on the same database goes on with what one has left that died or fell silent; DBOS records nothing more
of a run that was taken over, and `StepRunner.claim` keeps such a run from writing anything else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, error
from dbos._context import current_owner_xid
from dbos._queue import queue_worker_thread

from portal.errors import JobStoppedError, ServiceUnavailableError
from portal.model.sentence import Sentence
from portal.model.trace import traced
from portal.services.bell import Bell
from portal.services.duty import Duty
from portal.services.pace import Pace
from portal.store.database import Database
from portal.store.jobs import JobClaim, jobs_engine, prepare_jobs_database
from portal.store.slots import living_slots

_log = logging.getLogger(__name__)

_APPLICATION = "portal"
#: Changes when the steps of a job change so that half-done work of an older Portal cannot go on.
_VERSION = "1"
_QUEUE = "portal-jobs"
_CALL = "jobs"
#: How many looks at other workers come between two at jobs that were never handed in.
_LOOKS = 8
#: How often, and how long apart, to look whether DBOS has recorded that a job is over.
_RECORD_LOOKS, _RECORD_SECONDS = 100, 0.002
#: How long apart looks are for what was handed in while jobs run.
_GATHERING_SECONDS = 0.1
#: After so long without a call or a job a worker that hears calls looks so far apart: a call may be lost.
_QUIET_SECONDS, _REST_SECONDS = 2.0, 1.0
#: How a job has ended that will not go on by itself, though it has not done its work.
_BROKEN = frozenset({"ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
#: How DBOS names the threads that run jobs.
_RECORDERS = "dbos-executor-"
#: Held by the one `Jobs` of the process that works, as DBOS has one instance a process.
_WORKING = threading.Lock()


class StepRunner(Protocol):
    """Runs one step of a job: `function` gives a JSON value, which is recorded, and given again on a later run.

    The steps of a job must come in the same order each time it runs. `token` is another for each run of the job.
    """

    @property
    def token(self) -> str:
        """What tells this run of the job from all others."""
        ...

    def __call__(self, name: str, function: Callable[[], Any]) -> Any:
        """Return what the step gives now, or gave when it ran."""
        ...

    def aside(self, name: str, function: Callable[[], Any]) -> Any:
        """Return what a function gives that may be called again as often as the job runs: it is not recorded."""
        ...

    @property
    def claim(self) -> JobClaim | None:
        """What this run shows with all that it writes, which ends when it is taken over. None: nobody does that."""
        ...


@dataclass(frozen=True, slots=True)
class _Job:
    run: Callable[[str, StepRunner], None]
    unfinished: Callable[[], Collection[str]]
    interrupt: Callable[[], None]
    broken: Callable[[str], None]


class Jobs:
    """Jobs on one database. Of several in one process only the first works, the others hand in."""

    def __init__(
        self,
        database: Database,
        *,
        concurrency: int = 10,
        polling_seconds: float = 0.1,
        lease_seconds: float = 30.0,
        duty: Duty | None = None,
    ) -> None:
        self._database = database
        self._concurrency = concurrency
        self._polling_seconds = polling_seconds
        self._lease_seconds = lease_seconds
        self._duty = duty or Duty(database, lease_seconds=lease_seconds)
        self._keeps_duty = duty is None
        self._jobs: dict[str, _Job] = {}
        self._client: DBOSClient | None = None
        self._url = ""
        #: What DBOS works with.
        self._engine: Any = None
        self._may_work = False
        self._is_launched = False
        self._stopping = threading.Event()
        self._adopter: threading.Thread | None = None
        self._pace = Pace()
        self._idle = threading.Condition()
        self._bell = self._make_bell()
        #: When the last gathering ended.
        self._gathered = 0.0
        #: How many jobs DBOS counts as under way here.
        self._active: Callable[[], int] = lambda: 0
        #: Jobs that have been taken from the queue, and wait for others to end.
        self._line: list[str] = []
        self._running: set[str] = set()

    @property
    def is_worker(self) -> bool:
        """Whether this process works on jobs, rather than only handing them in."""
        return self._is_launched

    @property
    def has_begun(self) -> bool:
        """Whether jobs can be handed in."""
        return self._client is not None

    @property
    def is_busy(self) -> bool:
        """Whether a step is under way; at the end that is one which the stop has not waited for."""
        return bool(self._running)

    def register(
        self,
        name: str,
        run: Callable[[str, StepRunner], None],
        *,
        unfinished: Callable[[], Collection[str]],
        interrupt: Callable[[], None] = lambda: None,
        broken: Callable[[str], None] = lambda _job: None,
    ) -> None:
        """Make a kind of job known, before `start`.

        `unfinished` returns the ids of those that are not over; they are handed in again at the start and by workers
        now and then, which does nothing for those that have been: a process can die between storing a task and handing
        it in. `interrupt` is called at the stop; steps that wait raise `JobStoppedError` then. `broken` is told of an
        unfinished one that will not go on, as when the database was away for too long while it ran.
        """
        self._jobs[name] = _Job(run, unfinished, interrupt, broken)

    def start(self, *, worker: bool = True, alone: bool = False) -> None:
        """Begin: recover what dead processes left, and work on jobs if `worker`.

        `alone` works only where no other process does (for the command line). On SQLite one process works at a time;
        a further one hands its jobs in for it, and works when that has ended. Raises `ServiceUnavailableError` when the
        database does not answer.
        """
        if self._client is not None:
            return
        self._stopping.clear()
        _quieten()
        self._url = prepare_jobs_database(self._database, idle_seconds=self._lease_seconds / 2)
        try:
            DBOS.migrate(self._url)
            self._engine = jobs_engine(self._url)
            self._client = DBOSClient(
                system_database_url=self._url,
                system_database_engine=self._engine,
                serializer=DBOSPortableJSONSerializer(),
                application_name=_APPLICATION,
            )
            self._client.register_queue(
                _QUEUE, worker_concurrency=self._concurrency, polling_interval_sec=self._polling_seconds
            )
            if worker and not (alone and self._duty.others()) and _WORKING.acquire(blocking=False):
                self._may_work = True
                self._work()
        except Exception as fault:
            self.stop()
            if isinstance(fault, error.DBOSException):
                raise ServiceUnavailableError(
                    Sentence("Background work cannot start: %(fault)s", fault=str(fault))
                ) from fault
            raise
        self._hand_in()
        if self._may_work:
            self._adopter = threading.Thread(target=self._adopt, name="portal-jobs-adopter", daemon=True)
            self._adopter.start()

    def enqueue(self, name: str, ids: Collection[str]) -> None:
        """Hand in jobs; one whose id has been handed in before is left as it is."""
        if self._client is None:
            raise ServiceUnavailableError(Sentence("Background work has not started"))
        for job_id in ids:  # DBOS hands in one at a time
            self._client.enqueue(
                {
                    "workflow_name": name,
                    "queue_name": _QUEUE,
                    "workflow_id": job_id,
                    "app_version": _VERSION,
                },
                job_id,
            )
        self._bell.ring()
        if ids:
            self._database.calls.say(_CALL)  # another worker may have room

    def recorded(self, job_id: str) -> dict[str, Any]:
        """Return what the steps of a job have given so far, by name; nothing for one that is not known any more."""
        if self._client is None:
            raise ServiceUnavailableError(Sentence("Background work has not started"))
        return {str(step["function_name"]): step["output"] for step in self._client.list_workflow_steps(job_id)}

    def stop(self, *, timeout_seconds: float = 10.0) -> None:
        """End: no further step begins, steps under way have this long to finish; another worker does the rest.

        Whoever gave the `duty` ends it, unless `is_busy`: then the end of the process does, as nobody may take over a
        step that still runs.
        """
        self.hand_back(timeout_seconds=timeout_seconds)
        if self._client is not None:
            self._client.destroy()
            self._client = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def hand_back(self, *, timeout_seconds: float = 10.0) -> None:
        """Work no longer, as `stop` does, but go on handing in: a server answers requests until it has ended."""
        self._stopping.set()
        self._bell.set()  # nothing more is taken from the queue
        for job in self._jobs.values():
            job.interrupt()
        with self._idle:
            self._idle.notify_all()
            is_idle = self._idle.wait_for(lambda: not self._running, timeout_seconds)
        if self._adopter is not None:
            self._adopter.join()
            self._adopter = None
        if self._is_launched:
            DBOS.destroy(destroy_registry=True)
            self._is_launched = False
            if is_idle:
                _await_records(timeout_seconds)
        if self._keeps_duty and not self.is_busy:
            self._duty.stop()
        if self._may_work:
            self._may_work = False
            _WORKING.release()

    def _work(self) -> None:
        """Work on jobs, if this process may now."""
        if self._duty.hold():
            self._duty.start()
            self._launch()
            self.adopt()

    def _launch(self) -> None:
        config: DBOSConfig = {
            "name": _APPLICATION,
            "system_database_url": self._url,
            "system_database_engine": self._engine,
            "application_version": _VERSION,
            "executor_id": _executor(self._duty.number),
            "serializer": DBOSPortableJSONSerializer(),
            "notification_listener_polling_interval_sec": 0.1,  # what the stop has to wait for; it reads nothing
            "enable_otlp": False,
            "log_level": "WARNING",
        }
        instance = DBOS(config=config)
        # What DBOS itself would listen to the queue with looks ten times a second, and cannot be woken.
        DBOS.listen_queues([])
        self._active = lambda: instance._active_workflows_set.count_for_queue(_QUEUE)  # noqa: SLF001  # nothing tells
        self._is_launched = True
        for name, job in self._jobs.items():
            DBOS.workflow(name=name)(self._workflow(job))
        DBOS.launch()
        self._bell, self._gathered = self._make_bell(), time.monotonic()
        self._database.calls.hear(_CALL, lambda: self._bell.ring())  # noqa: PLW0108  # that of the day
        queue: Any = instance._sys_db.get_queue(_QUEUE)  # noqa: SLF001  # the public one is for handing in
        # How many jobs may run is this process's own setting, not of who started last; nor is it to be read each time.
        queue.database_backed_queue, queue._worker_concurrency = False, self._concurrency  # noqa: SLF001
        instance._registry.register_poller(self._bell, queue_worker_thread, self._bell, instance, queue)  # noqa: SLF001

    def _workflow(self, job: _Job) -> Callable[[str], None]:
        def work(job_id: str) -> None:
            self._await_turn(job_id)
            try:
                with traced("job", id=job_id):
                    job.run(job_id, _Steps(job_id, current_owner_xid(job_id) or "", self._before_step, self._pace))
            finally:
                with self._idle:
                    was_full = not self._has_room()
                    self._running.discard(job_id)
                    self._idle.notify_all()
                if was_full:
                    self._bell.ring()

        return work

    def _gather(self) -> None:
        """While jobs run, keep looks for those that were handed in some time apart, so that one takes several."""
        with self._idle:
            rest = self._gathered + _GATHERING_SECONDS - time.monotonic()
            self._idle.wait_for(lambda: self._stopping.is_set() or not self._running, max(0.0, rest))
            self._gathered = time.monotonic()

    def _rest(self) -> float:
        """Return how long not to look into the queue unless called: each look costs as much as a step that writes."""
        is_quiet = not self._running and time.monotonic() - self._gathered > _QUIET_SECONDS
        return _REST_SECONDS if is_quiet and self._database.calls.are_heard else 0.0

    def _make_bell(self) -> Bell:
        return Bell(gather=self._gather, await_room=self._await_room, rest_seconds=self._rest)

    def _await_room(self) -> None:
        """Wait until another job could run: to look for one before would find none that may be taken."""
        with self._idle:
            self._idle.wait_for(lambda: self._stopping.is_set() or self._has_room())
        # DBOS counts a job as over when it has recorded how it ended, and does not say when that is.
        for _ in range(_RECORD_LOOKS):
            if self._active() < self._concurrency or self._stopping.wait(_RECORD_SECONDS):
                break

    def _has_room(self) -> bool:
        return len(self._running) + len(self._line) < self._concurrency

    def _await_turn(self, job_id: str) -> None:
        """Wait until fewer jobs run than may, the first that came first.

        DBOS counts jobs a moment after it has begun them: one that looks again at once, as it is woken, takes too many.
        """
        with self._idle:
            self._line.append(job_id)
            self._idle.wait_for(
                lambda: self._stopping.is_set() or (self._line[0] == job_id and len(self._running) < self._concurrency)
            )
            self._line.remove(job_id)
            self._idle.notify_all()
            if self._stopping.is_set():
                raise JobStoppedError
            self._running.add(job_id)

    def _before_step(self) -> None:
        """Wait until this process is on duty: others take over from one that is not."""
        while not self._stopping.is_set() and not self._duty.hold():
            self._stopping.wait(self._duty.look_seconds)
        if self._stopping.is_set():
            raise JobStoppedError

    def _adopt(self) -> None:
        """Now and then see to what other processes have left undone."""
        looks = 0
        while not self._stopping.wait(self._duty.look_seconds):
            looks += 1
            try:
                if not self._is_launched:
                    self._work()
                elif self._duty.hold():
                    self.adopt()
                    if looks % _LOOKS == 0:
                        self._hand_in()
            except Exception:  # noqa: BLE001  # the thread's edge: one failed look must not end the looking
                _log.exception("looking for jobs of other workers failed")

    def _hand_in(self) -> None:
        """Hand in what was stored by a process that died before it could; say which jobs have broken."""
        if self._client is not None:
            for name, job in self._jobs.items():
                wanted = list(job.unfinished())
                known = self._client.list_workflows(workflow_ids=wanted, load_input=False, load_output=False)
                there = {found.workflow_id: found.status for found in known} if wanted else {}
                self.enqueue(name, [job_id for job_id in wanted if job_id not in there])
                for job_id, status in there.items():
                    if status in _BROKEN:
                        job.broken(job_id)

    def adopt(self) -> None:
        """Take over the jobs of workers that are not alive any more; a worker does this by itself now and then."""
        if self._client is None or not self._is_launched:
            return
        pending = self._client.list_workflows(status="PENDING", load_input=False, load_output=False)
        with self._database.reading() as connection:
            living = living_slots(connection, own=self._duty.number)
        executors = {str(found.executor_id) for found in pending} - {_executor(number) for number in living}
        # One that comes back meanwhile is no worse off than one that comes back later: its run does not count any more.
        executors.discard(_executor(self._duty.number))
        if executors:
            DBOS._recover_pending_workflows(sorted(executors))  # noqa: SLF001  # DBOS sells the public way
            self._bell.ring()


class _Steps:
    """Runs the steps of one run of a job."""

    def __init__(self, job_id: str, token: str, before: Callable[[], None], pace: Pace) -> None:
        self._job_id = job_id
        self._before = before
        self._pace = pace
        self.token = token

    def __call__(self, name: str, function: Callable[[], Any]) -> Any:
        return self.aside(name, lambda: DBOS.run_step({"name": name}, function))

    def aside(self, name: str, function: Callable[[], Any]) -> Any:
        self._before()
        with self._pace.place(), traced("job: step", step=name):
            return function()

    @property
    def claim(self) -> JobClaim:
        return JobClaim(self._job_id, self.token)


def _executor(number: int) -> str:
    return f"worker-{number}"


def _await_records(timeout_seconds: float) -> None:
    """Wait for DBOS's threads that still record how a job ended.

    It does not wait for them itself, and one that finds the database gone by then asks for it again without end.
    """
    deadline = time.monotonic() + timeout_seconds
    for thread in threading.enumerate():
        if thread.name.startswith(_RECORDERS):
            thread.join(max(0.0, deadline - time.monotonic()))


def _quieten() -> None:
    """Keep DBOS from printing: without a handler of its own it leaves its warnings to the program's logging."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.WARNING)
