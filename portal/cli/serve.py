"""`portal serve`: migrates, ingests into an empty database, serves."""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import click
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from portal.api.bodies import MOST_BODIES
from portal.app import build
from portal.app.logs import configure_logs, server_logs
from portal.cli.operator import named, remembered
from portal.cli.output import database_option
from portal.config import Settings, as_environment
from portal.errors import SettingsError
from portal.services.memory import cycles_kept

#: What makes the application that a server process serves.
_APPLICATION = "portal.app.wsgi:from_environment"
#: Within so many milliseconds the headers of a request must be there, and no more bytes of them.
_HEADER_MS = 15_000
_HEADER_BYTES = 128 * 1024


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
    _require_way_in(settings)
    with cycles_kept():
        # The driver of its database is imported by it.
        opened = build(settings)
    with opened as portal:
        portal.migrate()
        begins_anew = portal.is_new
        if portal.is_new:
            # What shows progress takes long to import: who has a catalog waits for an answer.
            from portal.cli.catalog import ingest_with_progress  # noqa: PLC0415
            from portal.cli.summary import print_summary  # noqa: PLC0415

            targets = portal.default_targets()
            with remembered(portal, "portal serve", named(target for _, target in targets)):
                report = ingest_with_progress(portal, targets)
            print_summary(portal, report)
            begins_anew = not portal.is_new
        else:
            # People wait for the server, not for what may have changed: it looks at all sources when it has begun.
            portal.sources.add(portal.default_targets())
    if begins_anew:
        # Nothing that an ingest took stays in the memory of a server.
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # our own command line
    click.echo(f"\nPortal serves on {click.style(settings.base_url, bold=True)} (Ctrl-C ends it)")
    _serve(settings)


def _require_way_in(settings: Settings) -> None:
    """Raise `SettingsError` for a server that others can reach, but where nobody could sign in.

    It is no use to them, and whoever meets it would soon let everybody in without having meant to.
    """
    if not settings.is_local and not (settings.sign_in_providers or settings.guests or settings.external_access):
        raise SettingsError(
            f"Others can reach Portal at {settings.base_url} (host {settings.host}), but nobody could sign in. Name a "
            "provider in sign_in_providers (docs/sign-in.md), or programs in external_access; or set guests = true, "
            "so that whoever reaches it may look around and act as a guest."
        )
    if settings.sign_in_providers and urlsplit(settings.base_url).hostname in {"0.0.0.0", "::"}:  # noqa: S104
        raise SettingsError(
            "Providers send people back to base_url after they have signed in; set it to the url that people reach "
            "Portal at."
        )


def _serve(settings: Settings) -> None:
    """Serve until interrupted: a process of its own answers, which is begun again if it fails.

    It is a fork of this one where that is safe, so that nothing is imported twice. Its settings are in the environment.
    """
    os.environ.update(as_environment(settings))
    if sys.platform == "linux":
        # From Python 3.14 on the default is another, which imports everything again.
        multiprocessing.set_start_method("fork")
    with cycles_kept():
        importlib.import_module(_APPLICATION.partition(":")[0])
    # What is there by now stays: it shall be one memory for both processes, which a look at each object would copy.
    gc.freeze()
    configure_logs(settings)
    Server(
        _APPLICATION,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=1,
        # A stream holds its thread until it ends, and a body until it is there: both leave the other threads free.
        blocking_threads=settings.threads + settings.followers + MOST_BODIES,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_MS, max_buffer_size=_HEADER_BYTES),
        # Nothing between browsers, proxies and Portal speaks HTTP/2 without TLS; it has no time limit for headers.
        http=HTTPModes.http1,
        respawn_failed_workers=True,
        log_level=LogLevels.info if settings.log_level == "debug" else LogLevels.error,
        log_dictconfig=server_logs(),
        workers_kill_timeout=settings.stop_seconds,
    ).serve()
