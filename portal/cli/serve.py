"""`portal serve`: migrates, ingests, prints a summary, serves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click
from granian import Granian
from granian.constants import Interfaces

from portal.app import build, target_of
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
    """Migrate the database, ingest the catalog, and serve until interrupted."""
    settings: Settings = load(
        host=host,
        port=port,
        database=database,
        worker=False if no_worker else None,
        catalog=tuple(catalogs) or None,
    )
    with build(settings) as portal:
        portal.migrate()
        report = ingest_with_progress(
            portal, [target_of(text) for text in settings.catalog] or portal.default_targets()
        )
        print_summary(portal, report)
    console().print(f"\nPortal serves on [bold]{settings.base_url}[/bold] (Ctrl-C ends it)", highlight=False)
    # The server's process reads its settings from the environment: those that are in force go there.
    os.environ.update(_as_environment(settings))
    Granian(
        "portal.app.wsgi:from_environment",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=settings.threads,
        log_enabled=settings.log_level == "debug",
        respawn_failed_workers=True,
    ).serve()


def _as_environment(settings: Settings) -> dict[str, str]:
    return {setting.variable: setting.variable_text(getattr(settings, setting.name)) for setting in SETTINGS}
