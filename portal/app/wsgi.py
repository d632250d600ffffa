"""The web application: API blueprints, pages, errors."""

from __future__ import annotations

import os
import threading
from functools import partial
from multiprocessing.util import Finalize
from typing import Any

from flask import Flask
from flask_smorest import Blueprint

from portal.api.audit import audit_blueprint, register_audit
from portal.api.auth import auth_blueprint, cookie_blueprint
from portal.api.bodies import Bodies
from portal.api.catalog import catalog_blueprint
from portal.api.drift import add_drift_routes
from portal.api.edge import register_edge
from portal.api.errors import register_error_handlers
from portal.api.events import events_blueprint
from portal.api.express import Express
from portal.api.graph import add_graph_routes
from portal.api.handovers import add_handover_routes
from portal.api.health import health_blueprint
from portal.api.history import history_blueprint
from portal.api.impact import add_impact_routes
from portal.api.kinds import kinds_blueprint
from portal.api.layers import add_balance_routes, add_layer_routes
from portal.api.metrics import metrics_blueprint
from portal.api.notifications import notifications_blueprint
from portal.api.openapi_route import register_openapi
from portal.api.ownership import ownership_blueprint
from portal.api.permission import (
    catalog_permission_blueprint,
    permission_blueprint,
    scaffolder_permission_blueprint,
)
from portal.api.problems import add_problem_routes
from portal.api.remembered import AnswerMemory
from portal.api.reorg import add_reorganisation_routes
from portal.api.request_measures import RequestMeasures
from portal.api.rights import register_rights
from portal.api.rules import add_rule_routes
from portal.api.scaffolder import scaffolder_blueprint
from portal.api.search import search_blueprint
from portal.api.sight import register_sight
from portal.api.task_access import CurrentTaskAccess
from portal.api.tokens import tokens_blueprint
from portal.api.user_settings import user_settings_blueprint
from portal.app.late_pages import LatePages
from portal.app.late_rules import LateRule
from portal.app.logs import configure_logs
from portal.app.measures import metrics_registry
from portal.app.on_demand import on_demand
from portal.app.portal import Portal, build
from portal.app.sign_in import register_sign_in, trust_hosts
from portal.app.stopping import when_asked_to_end
from portal.config import load_settings
from portal.services.health import HealthService
from portal.services.identity import ANYBODY
from portal.services.memory import cycles_kept
from portal.services.search import SearchService
from portal.services.task_query import creators_of
from portal.services.user_settings import UserSettings
from portal.web import error_page

#: Largest request body that is read.
_BODY_BYTES = 10 * 1024 * 1024
_PAGES = "portal-pages"
#: Before multiprocessing ends what it has made itself.
_FIRST, _LAST = 10, 5


def create_app(portal: Portal, *, has_pages: bool = True) -> Flask:
    """Return the web application over wired services; without its pages it gets them when one is asked for."""
    app = Flask("portal", static_folder=None)
    app.url_rule_class = LateRule
    app.config["MAX_CONTENT_LENGTH"] = _BODY_BYTES
    memory = AnswerMemory()
    locations = on_demand(lambda: portal.locations)
    app.register_blueprint(catalog_blueprint(portal.catalog, locations, portal.history, memory=memory))
    app.register_blueprint(kinds_blueprint(portal.kinds))
    app.register_blueprint(history_blueprint(portal.history, portal.feed))
    app.register_blueprint(
        search_blueprint(SearchService(portal.database), revision=portal.catalog.revision, memory=memory)
    )
    app.register_blueprint(health_blueprint(HealthService(portal.database, is_stopping=portal.is_stopping)))
    app.register_blueprint(_ownership_routes(portal))
    requests = RequestMeasures()
    app.register_blueprint(metrics_blueprint(metrics_registry(portal, requests)))
    app.register_blueprint(
        scaffolder_blueprint(
            on_demand(lambda: portal.serving_tasks),
            access=CurrentTaskAccess(portal.access.permission, portal.access.explanation),
            dry_runs=on_demand(lambda: portal.tasks.dry_runs),
            autocompletes=on_demand(lambda: portal.tasks.autocompletes),
            extensions=lambda: portal.tasks.extensions,
            generated=on_demand(lambda: portal.tasks.generated),
            upgrades=on_demand(lambda: portal.tasks.upgrades),
        )
    )
    app.register_blueprint(auth_blueprint(portal.access.identity, base_url=portal.settings.base_url))
    app.register_blueprint(cookie_blueprint(portal.access.identity, base_url=portal.settings.base_url))
    app.register_blueprint(tokens_blueprint(portal.access.api_tokens))
    app.register_blueprint(user_settings_blueprint(UserSettings(portal.database.whole)))
    app.register_blueprint(notifications_blueprint())
    app.register_blueprint(audit_blueprint(portal.audit))
    app.register_blueprint(permission_blueprint(portal.access.permission, portal.access.explanation))
    app.register_blueprint(events_blueprint(on_demand(lambda: portal.events)))
    for permission_routes in (catalog_permission_blueprint, scaffolder_permission_blueprint):
        app.register_blueprint(permission_routes(portal.access.permission))
    register_sign_in(app, portal)
    register_openapi(app)
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
    pages = app.extensions[_PAGES] = LatePages(app, app.wsgi_app, partial(_register_pages, portal=portal))
    app.wsgi_app = pages  # type: ignore[method-assign]  # as Flask has it
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
    if has_pages:
        pages.load()
    return app


def _register_pages(app: Flask, portal: Portal) -> None:
    from portal.app.pages import register_pages  # noqa: PLC0415  # see `LatePages`

    register_pages(app, portal)


def _ownership_routes(portal: Portal) -> Blueprint:
    ownership = ownership_blueprint(portal.ownership, portal.accountability)
    add_impact_routes(ownership, on_demand(lambda: portal.answers.impact))
    add_graph_routes(ownership, on_demand(lambda: portal.answers.subgraphs))
    add_handover_routes(ownership, on_demand(lambda: portal.answers.handovers))
    add_rule_routes(ownership, on_demand(lambda: portal.answers.rules))
    add_problem_routes(ownership, portal.problems)
    add_layer_routes(ownership, on_demand(lambda: portal.answers.layers))
    add_balance_routes(ownership, on_demand(lambda: portal.answers.balance))
    add_drift_routes(ownership, on_demand(lambda: portal.answers.drift))
    add_reorganisation_routes(ownership, on_demand(lambda: portal.answers.reorganisation))
    return ownership


def _load_later(portal: Portal, app: Flask) -> None:
    """Load the pages when the first request has been answered."""
    portal.await_answer()
    app.extensions[_PAGES].load()


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
        app = create_app(portal, has_pages=False)
        # Somebody will look at one.
        threading.Thread(target=_load_later, args=(portal, app), name="portal-pages", daemon=True).start()

        @app.teardown_request
        def begin_other_work(_error: BaseException | None) -> None:
            portal.has_answered()

        if traces is not None:
            traces.around(app)
        return app
