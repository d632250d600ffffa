"""The web application: API blueprints, pages, errors."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from flask import Flask
from flask_smorest import Api

from portal.api.actor import current_actor, register_actor
from portal.api.auth import auth_blueprint, cookie_blueprint
from portal.api.catalog import catalog_blueprint, health_blueprint
from portal.api.drift import add_drift_routes
from portal.api.errors import register_error_handlers
from portal.api.express import EntityExpress
from portal.api.graph import add_graph_routes
from portal.api.handovers import add_handover_routes
from portal.api.history import history_blueprint
from portal.api.impact import add_impact_routes
from portal.api.kinds import kinds_blueprint
from portal.api.layers import add_balance_routes, add_layer_routes
from portal.api.metrics import metrics_blueprint
from portal.api.openapi import register_openapi
from portal.api.ownership import ownership_blueprint
from portal.api.permission import catalog_permission_blueprint, permission_blueprint
from portal.api.problems import add_problem_routes
from portal.api.reorg import add_reorganisation_routes
from portal.api.rules import add_rule_routes
from portal.api.scaffolder import scaffolder_blueprint
from portal.api.search import search_blueprint
from portal.api.sight import register_sight
from portal.app.portal import Portal, build
from portal.app.stopping import when_asked_to_end
from portal.config import load_settings
from portal.services.identity import ANYBODY
from portal.services.memory import cycles_kept
from portal.services.search import SearchService
from portal.web import error_page, web_blueprint

if TYPE_CHECKING:
    from portal.services.scaffolding import ScaffoldingService

#: Largest request body that is read.
_BODY_BYTES = 10 * 1024 * 1024


def create_app(portal: Portal) -> Flask:
    """Return the web application over wired services."""
    app = Flask("portal", static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=_BODY_BYTES,
        API_TITLE="Portal",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
    )
    api = Api(app)
    api.register_blueprint(catalog_blueprint(portal.catalog, portal.locations, portal.history))
    api.register_blueprint(kinds_blueprint(portal.kinds))
    api.register_blueprint(history_blueprint(portal.history, portal.feed))
    api.register_blueprint(search_blueprint(SearchService(portal.database), revision=portal.catalog.revision))
    api.register_blueprint(health_blueprint(portal.catalog))
    ownership = ownership_blueprint(portal.ownership, portal.accountability)
    add_impact_routes(ownership, portal.answers.impact)
    add_graph_routes(ownership, portal.answers.subgraphs)
    add_handover_routes(ownership, portal.answers.handovers)
    add_rule_routes(ownership, portal.answers.rules)
    add_problem_routes(ownership, portal.problems)
    add_layer_routes(ownership, portal.answers.layers)
    add_balance_routes(ownership, portal.answers.balance)
    add_drift_routes(ownership, portal.answers.drift)
    add_reorganisation_routes(ownership, portal.answers.reorganisation)
    api.register_blueprint(ownership)
    api.register_blueprint(metrics_blueprint(portal.problems))
    api.register_blueprint(scaffolder_blueprint(_tasks_of(portal), actor=lambda: current_actor().user_ref))
    api.register_blueprint(auth_blueprint(portal.access.identity, base_url=portal.settings.base_url))
    api.register_blueprint(cookie_blueprint(portal.access.identity, base_url=portal.settings.base_url))
    api.register_blueprint(permission_blueprint(portal.access.permission))
    api.register_blueprint(catalog_permission_blueprint(portal.access.permission))
    app.register_blueprint(
        web_blueprint(portal.catalog, portal.ownership, portal.kinds, portal.history, impacts=portal.answers.impact)
    )
    register_openapi(app)
    register_actor(app, portal.access.identity)
    register_sight(app, portal.access.visibility)
    register_error_handlers(app, error_page)
    if portal.access.identity.allows_guests:
        guest_body = partial(portal.catalog.body_for, lambda now: portal.access.visibility.of(ANYBODY, revision=now))
        app.wsgi_app = EntityExpress(app.wsgi_app, guest_body)  # type: ignore[method-assign]  # as Flask has it
    return app


def from_environment() -> Any:
    """Return the application that a server process serves: settings come from PORTAL_* variables alone."""
    with cycles_kept():
        portal = build(load_settings(environment=os.environ), is_server=True)
        portal.start()
        when_asked_to_end(portal.feed.close)
        return create_app(portal)


class _WhenServed:
    """The scaffolding service of a server, waited for when a request first needs it."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._portal.serving_tasks, name)


def _tasks_of(portal: Portal) -> ScaffoldingService:
    return cast("ScaffoldingService", _WhenServed(portal))
