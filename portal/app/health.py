"""Tells over HTTP how a process is that serves nothing else: its health, its figures."""

from __future__ import annotations

import socket
import threading
from functools import partial
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from flask import Flask, Response

from portal.api.actor import register_actor
from portal.api.audit import register_audit
from portal.api.edge import register_edge
from portal.api.errors import register_error_handlers
from portal.api.health import health_blueprint
from portal.api.metrics import metrics_blueprint
from portal.api.request_measures import RequestMeasures
from portal.api.rights import register_rights
from portal.api.sight import register_sight
from portal.app.measures import metrics_registry
from portal.app.portal import Portal
from portal.services.health import HealthService
from portal.services.task_query import creators_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def create_health_app(portal: Portal) -> Flask:
    """Return an application with the routes of a server that watch it; who may ask for figures is the same as there."""
    app = Flask("portal", static_folder=None)
    requests = RequestMeasures()
    app.register_blueprint(health_blueprint(HealthService(portal.database, is_stopping=portal.is_stopping)))
    app.register_blueprint(metrics_blueprint(metrics_registry(portal, requests)))
    register_actor(app, portal.access.identity)
    register_sight(app, portal.access.visibility)
    register_rights(
        app,
        portal.access.explanation,
        catalog=portal.catalog,
        locations=portal.locations,
        creators=partial(creators_of, portal.database),
    )
    register_error_handlers(app)
    register_audit(app, portal.audit)
    register_edge(app, measures=requests, logs_requests=portal.settings.log_requests)

    @app.after_request
    def keep_to_oneself(response: Response) -> Response:
        # Or wsgiref tells its version, and Python's.
        response.headers["Server"] = "portal"
        return response

    return app


class HealthServer:
    """Answers an application's requests, which are few and small, until it is closed."""

    def __init__(self, host: str, port: int, application: WSGIApplication) -> None:
        self._server = _Server((host, port), _Handler)
        self._server.set_app(application)
        self._thread = threading.Thread(target=self._server.serve_forever, name="portal-health", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on, which the system has chosen where 0 was asked for."""
        return self._server.server_port

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)


class _Handler(WSGIRequestHandler):
    timeout = 10  # one that asks nothing holds its thread no longer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as http.server names it
        """Say nothing: a probe comes every few seconds."""
