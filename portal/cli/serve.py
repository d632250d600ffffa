"""`portal serve`: migrates, ingests into an empty database, serves."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from portal.app import build
from portal.cli.catalog import ingest_with_progress
from portal.cli.output import console, database_option
from portal.cli.summary import print_summary
from portal.config import SETTINGS, Settings


@click.command()
@click.option("--host", help="Address to serve on.")
@click.option("--port", type=int, help="Port to serve on.")
@database_option
@click.option("--no-worker", is_flag=True, help="Answer requests only; leave tasks and refreshes to other servers.")
@click.option("--catalog", "catalogs", multiple=True, metavar="TARGET", help="Location to ingest; may be repeated.")
@click.pass_obj
def serve(
    load: Any, *, host: str | None, port: int | None, database: str | None, no_worker: bool, catalogs: Sequence[str]
) -> None:
    """Serve the catalog until interrupted.

    The database is migrated. An empty one is filled first; one that holds a catalog is served at once, and the sources
    are looked at when the server has begun.
    """
    settings: Settings = load(
        host=host,
        port=port,
        database=database,
        worker=False if no_worker else None,
        catalog=tuple(catalogs) or None,
    )
    with build(settings) as portal:
        portal.migrate()
        if portal.is_new:
            print_summary(portal, ingest_with_progress(portal, portal.default_targets()))
        else:
            # People wait for the server, not for what may have changed: it looks at all sources when it has begun.
            portal.refresh.add(portal.default_targets())
    console().print(f"\nPortal serves on [bold]{settings.base_url}[/bold] (Ctrl-C ends it)", highlight=False)
    sys.stdout.flush()
    # The server takes this process's place, so that nothing of the above stays in memory; its workers read their
    # settings from the environment.
    os.execve(sys.executable, _server(settings), os.environ | _as_environment(settings))  # noqa: S606  # our interpreter


def _server(settings: Settings) -> list[str]:
    """Return the command line of the server. Rule: `granian --help`."""
    # A stream holds its thread until it ends: those who follow changes must leave the other threads free.
    threads = settings.threads + settings.followers
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--factory"),
        *("--host", settings.host, "--port", str(settings.port), "--workers", "1"),
        *("--blocking-threads", str(threads), "--respawn-failed-workers"),
        "--log" if settings.log_level == "debug" else "--no-log",
        "portal.app.wsgi:from_environment",
    ]


def _as_environment(settings: Settings) -> dict[str, str]:
    return {setting.variable: setting.variable_text(getattr(settings, setting.name)) for setting in SETTINGS}
