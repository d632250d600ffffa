"""Gives each page the services that it shows."""

from __future__ import annotations

from flask import Blueprint

from portal.app.on_demand import on_demand
from portal.app.portal import Portal
from portal.app.work_pages import add_work_pages
from portal.web import web_blueprint
from portal.web.entity import add_entity
from portal.web.history import add_history
from portal.web.home import add_home
from portal.web.kinds import add_kinds


def pages_blueprint(portal: Portal) -> Blueprint:
    """Return the routes of all pages."""
    blueprint = web_blueprint()
    add_home(blueprint, portal.ownership)
    add_kinds(blueprint, portal.ownership, portal.kinds)
    add_entity(
        blueprint,
        portal.catalog,
        portal.ownership,
        portal.kinds,
        portal.history,
        impacts=on_demand(lambda: portal.answers.impact),
    )
    add_history(blueprint, portal.history, portal.ownership)
    add_work_pages(blueprint, portal)
    return blueprint
