"""Serves the preview of a template to this machine alone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from flask import Flask
from watchfiles import watch
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from portal.app.dry_runs import bench_alone
from portal.config import Settings
from portal.errors import SettingsError
from portal.services.preview import Preview
from portal.web.preview import preview_app

_HOST = "127.0.0.1"
#: Editors write a file in several goes: what comes within so many milliseconds is one change.
_GATHERED_MS = 200
#: A browser that has gone is found out after so many milliseconds.
_QUIET_MS = 5_000


class _Quiet(WSGIRequestHandler):
    """Answers without a line for each request: the terminal belongs to the author."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing."""


@contextmanager
def preview_server(file: Path, settings: Settings, *, port: int) -> Iterator[BaseWSGIServer]:
    """Open a server of the preview of one template's file; port 0 takes one that is free. The caller has it serve.

    Raises `SettingsError` for a port that is taken.
    """
    stop = threading.Event()
    with bench_alone(settings) as bench:
        preview = Preview(file, runs=bench.runs, lint=bench.lint)
        app = preview_app(preview, partial(_changes, preview.folder, stop))
        server = _bound(app, port)
        server.daemon_threads = True  # type: ignore[attr-defined]  # of the server that has threads
        try:
            yield server
        finally:
            stop.set()
            server.server_close()


def _bound(app: Flask, port: int) -> BaseWSGIServer:
    """Return a server that listens; werkzeug alone would end the process where it cannot."""
    try:
        listener = socket.create_server((_HOST, port))
    except OSError as error:
        fault = f"Port {port} cannot be served on: {error.strerror}. Name another with --port"
        raise SettingsError(fault) from error
    with listener:
        return make_server(_HOST, port, app, threaded=True, request_handler=_Quiet, fd=listener.fileno())


def _changes(folder: Path, stop: threading.Event) -> Iterator[bool]:
    """Yield True for each change below a folder, and False while there is none."""
    for found in watch(
        folder,
        stop_event=stop,
        debounce=_GATHERED_MS,
        rust_timeout=_QUIET_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        yield bool(found)
