"""The routes of the API that a server answers beside those of the catalog's entities."""

from __future__ import annotations

from flask import Flask
from flask_smorest import Blueprint

from portal.api.audit_records import audit_blueprint
from portal.api.auth import auth_blueprint, cookie_blueprint
from portal.api.drift import add_drift_routes
from portal.api.events import events_blueprint
from portal.api.graph import add_graph_routes
from portal.api.handovers import add_handover_routes
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
from portal.api.rules import add_rule_routes
from portal.api.scaffolder import scaffolder_blueprint
from portal.api.search import search_blueprint
from portal.api.sign_in import sign_in_blueprint
from portal.api.task_access import CurrentTaskAccess
from portal.api.tokens import tokens_blueprint
from portal.api.user_settings import user_settings_blueprint
from portal.app.measures import metrics_registry
from portal.app.on_demand import on_demand
from portal.app.portal import Portal
from portal.services.search import SearchService
from portal.services.user_settings import UserSettings
from portal.web.sign_in import SIGN_IN_PAGE


def register_api(app: Flask, portal: Portal, *, memory: AnswerMemory, requests: RequestMeasures) -> None:
    """Add these routes; `memory` holds answers for all routes, `requests` what is counted of them."""
    app.register_blueprint(kinds_blueprint(portal.kinds))
    app.register_blueprint(history_blueprint(portal.history, portal.feed))
    app.register_blueprint(
        search_blueprint(SearchService(portal.database), revision=portal.catalog.revision, memory=memory)
    )
    app.register_blueprint(_ownership_routes(portal))
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
    app.register_blueprint(
        sign_in_blueprint(
            portal.access.sign_in,
            portal.access.identity,
            base_url=portal.settings.base_url,
            app_origins=portal.settings.app_origins,
            page=SIGN_IN_PAGE,
        )
    )
    app.register_blueprint(tokens_blueprint(portal.access.api_tokens))
    app.register_blueprint(user_settings_blueprint(UserSettings(portal.database.whole)))
    app.register_blueprint(notifications_blueprint())
    app.register_blueprint(audit_blueprint(portal.audit))
    app.register_blueprint(permission_blueprint(portal.access.permission, portal.access.explanation))
    app.register_blueprint(events_blueprint(on_demand(lambda: portal.events)))
    for permission_routes in (catalog_permission_blueprint, scaffolder_permission_blueprint):
        app.register_blueprint(permission_routes(portal.access.permission))
    register_openapi(app)


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
