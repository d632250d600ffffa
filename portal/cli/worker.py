"""`portal worker`: refreshes sources, runs tasks, answers at most how it is."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

import click

from portal.app import Portal, build
from portal.app.logs import configure_logs
from portal.cli.output import console, database_option
from portal.config import Settings
from portal.errors import ServiceUnavailableError


@click.command()
@database_option
@click.option("--health-port", type=int, help="Port that tells this worker's health and figures; 0: none.")
@click.pass_obj
def worker(load: Any, *, database: str | None, health_port: int | None) -> None:
    """Work until interrupted: look at sources when they are due, run tasks, answer no requests.

    Any number of them may work on one PostgreSQL; on SQLite one works, and another stands by.
    """
    settings: Settings = load(database=database, worker=True, health_port=health_port)
    ending = threading.Event()

    def end(number: int, _frame: object) -> None:
        # Asked a second time, the process ends at once: others take over then as from any that dies.
        signal.signal(number, signal.SIG_DFL)
        ending.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    configure_logs(settings)
    with build(settings) as portal:
        portal.migrate()
        portal.sources.add(portal.default_targets())
        with _health(portal):
            portal.start()
            if not portal.has_begun:
                raise ServiceUnavailableError("Background work did not start; the log says why")
            console().print(f"Portal works as number {portal.duty.number} (Ctrl-C ends it)", highlight=False)
            sys.stdout.flush()
            ending.wait()


def _health(portal: Portal) -> AbstractContextManager[Any]:
    """Answer those who watch this worker, where a port is set."""
    settings = portal.settings
    if not settings.health_port:
        return nullcontext()
    from portal.app.health import HealthServer, create_health_app  # noqa: PLC0415  # a worker needs no Flask else

    return closing(HealthServer(settings.host, settings.health_port, create_health_app(portal)))
