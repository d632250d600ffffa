"""The web application: routes, errors, what is around them."""

from __future__ import annotations

import os
import threading
from functools import partial
from multiprocessing.util import Finalize
from typing import Any

from flask import Flask

from portal.api.audit import register_audit
from portal.api.bodies import Bodies
from portal.api.catalog import catalog_blueprint
from portal.api.edge import register_edge
from portal.api.errors import register_error_handlers
from portal.api.express import Express
from portal.api.health import health_blueprint
from portal.api.remembered import AnswerMemory
from portal.api.request_measures import RequestMeasures
from portal.api.rights import register_rights
from portal.api.sight import register_sight
from portal.app.late_routes import LateRoutes
from portal.app.late_rules import LateRule
from portal.app.logs import configure_logs
from portal.app.on_demand import on_demand
from portal.app.portal import Portal, build
from portal.app.sign_in import register_identification, trust_hosts
from portal.app.stopping import when_asked_to_end
from portal.config import load_settings
from portal.services.health import HealthService
from portal.services.identity import ANYBODY
from portal.services.memory import cycles_kept
from portal.services.task_query import creators_of
from portal.web import error_page

#: Largest request body that is read.
_BODY_BYTES = 10 * 1024 * 1024
_ROUTES = "portal-routes"
#: Before multiprocessing ends what it has made itself.
_FIRST, _LAST = 10, 5


def create_app(portal: Portal, *, is_whole: bool = True) -> Flask:
    """Return the web application over wired services; one that is not whole gets routes when they are asked for."""
    app = Flask("portal", static_folder=None)
    app.url_rule_class = LateRule
    app.config["MAX_CONTENT_LENGTH"] = _BODY_BYTES
    memory = AnswerMemory()
    locations = on_demand(lambda: portal.locations)
    history = on_demand(lambda: portal.history)
    app.register_blueprint(catalog_blueprint(portal.catalog, locations, history, memory=memory))
    app.register_blueprint(health_blueprint(HealthService(portal.database, is_stopping=portal.is_stopping)))
    register_identification(app, portal)
    register_sight(app, portal.access.visibility)
    register_rights(
        app,
        portal.access.explanation,
        catalog=portal.catalog,
        locations=locations,
        creators=partial(creators_of, portal.database),
    )
    register_error_handlers(app, error_page)
    register_audit(app, portal.audit)
    requests = RequestMeasures()
    stages = (
        partial(_register_api, portal=portal, memory=memory, requests=requests),
        partial(_register_pages, portal=portal),
    )
    routes = app.extensions[_ROUTES] = LateRoutes(app, app.wsgi_app, stages)
    app.wsgi_app = routes  # type: ignore[method-assign]  # as Flask has it
    app.wsgi_app = Bodies(app.wsgi_app, size_limit_bytes=_BODY_BYTES, proxies=portal.settings.proxies)  # type: ignore[method-assign]  # as Flask has it
    if portal.access.identity.allows_guests:
        app.wsgi_app = Express(  # type: ignore[method-assign]  # as Flask has it
            app.wsgi_app,
            lambda now: portal.access.visibility.of(ANYBODY, revision=now),
            body_for=portal.catalog.body_for,
            revision=portal.catalog.revision,
            memory=memory,
        )
    if portal.settings.app_origins:
        from portal.api.cross_origin import register_cross_origin  # noqa: PLC0415  # the embedded default has none

        register_cross_origin(app, portal.settings.app_origins)
    trust_hosts(app, portal.settings)
    if portal.settings.requests_allowed is not None:
        from portal.api.rate_limit import register_rate_limit  # noqa: PLC0415  # nobody on loopback waits for it

        register_rate_limit(app, portal.settings.requests_allowed, proxies=portal.settings.proxies)
    register_edge(app, measures=requests, logs_requests=portal.settings.log_requests)
    if is_whole:
        routes.load()
    return app


def _register_api(app: Flask, portal: Portal, *, memory: AnswerMemory, requests: RequestMeasures) -> None:
    from portal.app.api import register_api  # noqa: PLC0415  # see `LateRoutes`

    register_api(app, portal, memory=memory, requests=requests)


def _register_pages(app: Flask, portal: Portal) -> None:
    from portal.app.pages import register_pages  # noqa: PLC0415  # see `LateRoutes`

    register_pages(app, portal)


def _load_later(portal: Portal, app: Flask) -> None:
    """Load the other routes when the first request has been answered."""
    portal.await_answer()
    app.extensions[_ROUTES].load()


def from_environment() -> Any:
    """Return the application that a server process serves: settings come from PORTAL_* variables alone."""
    with cycles_kept():
        settings = load_settings(environment=os.environ)
        configure_logs(settings)
        portal = build(settings, is_server=True)
        traces = None
        if settings.traces:
            from portal.app.traces import start_traces  # noqa: PLC0415  # nothing of it is there for others

            traces = start_traces(portal)
            Finalize(None, traces.stop, exitpriority=_LAST)
        portal.start(gives_way=True)
        when_asked_to_end(portal.begin_to_stop)
        # When the server has answered what was under way; a process that granian forks runs nothing else at its end.
        Finalize(None, portal.close, exitpriority=_FIRST)
        app = create_app(portal, is_whole=False)
        # Somebody will look at a page.
        threading.Thread(target=_load_later, args=(portal, app), name="portal-routes", daemon=True).start()

        @app.teardown_request
        def begin_other_work(_error: BaseException | None) -> None:
            portal.has_answered()

        if traces is not None:
            traces.around(app)
        return app
