"""Runs work that outlives a request, step by step, so that a killed process goes on where it was.

The one module that knows of DBOS. A job is a registered function that is given an id and a `StepRunner`; each of its
steps runs once and its result is recorded, a step that was under way when the process died runs again. Whichever
process starts next on the same database goes on with what a dead one has left.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, error

from portal.errors import ServiceUnavailableError
from portal.model.trace import traced
from portal.store.database import Database
from portal.store.jobs import WorkerSlot, claim_slot, prepare_jobs_database

_APPLICATION = "portal"
#: Changes when the steps of a job change so that half-done work of an older Portal cannot go on.
_VERSION = "1"
_QUEUE = "portal-jobs"
_MOST_WORKERS = 64
_ADOPTION_SECONDS = 30.0
#: How DBOS names the threads that run jobs.
_RECORDERS = "dbos-executor-"
#: Held by the one `Jobs` of the process that works, as DBOS has one instance a process.
_WORKING = threading.Lock()


class StepRunner(Protocol):
    """Runs one step of a job: `function` gives a JSON value, which is recorded, and given again on a later run.

    The steps of a job must come in the same order each time it runs.
    """

    def __call__(self, name: str, function: Callable[[], Any]) -> Any:
        """Return what the step gives now, or gave when it ran."""
        ...


@dataclass(frozen=True, slots=True)
class _Job:
    run: Callable[[str, StepRunner], None]
    unfinished: Callable[[], Collection[str]]
    interrupt: Callable[[], None]


class JobStoppedError(BaseException):
    """Ends a job, in a step or between two, without DBOS taking note, so that it goes on at the next start.

    No `Exception`: DBOS would record that as the step's or the job's end.
    """


class Jobs:
    """Jobs on one database. Of several in one process only the first works, the others hand in."""

    def __init__(self, database: Database, *, concurrency: int = 10, polling_seconds: float = 0.1) -> None:
        self._database = database
        self._concurrency = concurrency
        self._polling_seconds = polling_seconds
        self._jobs: dict[str, _Job] = {}
        self._client: DBOSClient | None = None
        self._slot: WorkerSlot | None = None
        self._stopping = threading.Event()
        self._adopter: threading.Thread | None = None
        self._idle = threading.Condition()
        self._running: set[str] = set()

    @property
    def is_worker(self) -> bool:
        """Whether this process works on jobs, rather than only handing them in."""
        return self._slot is not None

    def register(
        self,
        name: str,
        run: Callable[[str, StepRunner], None],
        *,
        unfinished: Callable[[], Collection[str]],
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        """Make a kind of job known, before `start`.

        `unfinished` returns the ids of those that are not over; they are handed in again at the start, which does
        nothing for those that have been: a process can die between storing a task and handing it in. `interrupt` is
        called at the stop; steps that wait raise `JobStoppedError` then.
        """
        self._jobs[name] = _Job(run, unfinished, interrupt)

    def start(self, *, worker: bool = True, alone: bool = False) -> None:
        """Begin: recover what dead processes left, and work on jobs if `worker`.

        `alone` works only where no other process does (for the command line). On SQLite one process works at a time;
        a further one hands its jobs in for it. Raises `ServiceUnavailableError` when the database does not answer.
        """
        if self._client is not None:
            return
        self._stopping.clear()
        _quieten()
        url = prepare_jobs_database(self._database)
        try:
            DBOS.migrate(url)
            self._client = DBOSClient(
                system_database_url=url, serializer=DBOSPortableJSONSerializer(), application_name=_APPLICATION
            )
            # Before the launch, which listens to the queues that are there; it looks for new ones only each second.
            self._client.register_queue(
                _QUEUE, worker_concurrency=self._concurrency, polling_interval_sec=self._polling_seconds
            )
            if worker and _WORKING.acquire(blocking=False):
                self._slot = claim_slot(self._database, range(1 if alone else _MOST_WORKERS))
                if self._slot is None:
                    _WORKING.release()
                else:
                    self._launch(url, self._slot.number)
        except error.DBOSException as fault:
            self.stop()
            raise ServiceUnavailableError(f"Background work cannot start: {fault}") from fault
        for name, job in self._jobs.items():
            self.enqueue(name, job.unfinished())
        if self._slot is not None:
            self._adopter = threading.Thread(target=self._adopt, name="portal-jobs-adopter", daemon=True)
            self._adopter.start()

    def enqueue(self, name: str, ids: Collection[str]) -> None:
        """Hand in jobs; one whose id has been handed in before is left as it is."""
        if self._client is None:
            raise ServiceUnavailableError("Background work has not started")
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

    def stop(self, *, timeout_seconds: float = 10.0) -> None:
        """End: no further step begins, steps under way have this long to finish; the rest goes on at the next start."""
        self.hand_back(timeout_seconds=timeout_seconds)
        if self._client is not None:
            self._client.destroy()
            self._client = None

    def hand_back(self, *, timeout_seconds: float = 10.0) -> None:
        """Work no longer, as `stop` does, but go on handing in: a server answers requests until it has ended."""
        self._stopping.set()
        for job in self._jobs.values():
            job.interrupt()
        with self._idle:
            is_idle = self._idle.wait_for(lambda: not self._running, timeout_seconds)
        if self._adopter is not None:
            self._adopter.join()
            self._adopter = None
        if self._slot is not None:
            DBOS.destroy(destroy_registry=True)
            if is_idle:  # else the end of the process frees it: nobody may take over a step that still runs
                _await_records(timeout_seconds)
                self._slot.release()
            self._slot = None
            _WORKING.release()

    def _launch(self, url: str, number: int) -> None:
        config: DBOSConfig = {
            "name": _APPLICATION,
            "system_database_url": url,
            "application_version": _VERSION,
            "executor_id": _executor(number),
            "serializer": DBOSPortableJSONSerializer(),
            "sys_db_pool_size": 5,
            "notification_listener_polling_interval_sec": 0.1,  # what the stop has to wait for; it reads nothing
            "enable_otlp": False,
            "log_level": "WARNING",
        }
        DBOS(config=config)
        for name, job in self._jobs.items():
            DBOS.workflow(name=name)(self._workflow(job))
        DBOS.launch()

    def _workflow(self, job: _Job) -> Callable[[str], None]:
        def work(job_id: str) -> None:
            with self._idle:
                self._running.add(job_id)
            try:
                with traced("job", id=job_id):
                    job.run(job_id, self._step)
            finally:
                with self._idle:
                    self._running.discard(job_id)
                    self._idle.notify_all()

        return work

    def _step(self, name: str, function: Callable[[], Any]) -> Any:
        if self._stopping.is_set():
            raise JobStoppedError
        with traced("job: step", step=name):
            return DBOS.run_step({"name": name}, function)

    def _adopt(self) -> None:
        """Now and then take over the jobs of workers that died and were not started again."""
        while not self._stopping.wait(_ADOPTION_SECONDS):
            self.adopt()

    def adopt(self) -> None:
        """Take over the jobs of workers that are not alive any more; a worker does this by itself now and then."""
        if self._client is None or self._slot is None:
            return
        pending = self._client.list_workflows(status="PENDING", load_input=False, load_output=False)
        executors = {found.executor_id for found in pending} - {_executor(self._slot.number)}
        for number in range(_MOST_WORKERS):
            if _executor(number) not in executors:
                continue
            slot = claim_slot(self._database, range(number, number + 1))
            if slot is not None:
                try:
                    DBOS._recover_pending_workflows([_executor(number)])  # noqa: SLF001  # DBOS sells the public way
                finally:
                    slot.release()


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
