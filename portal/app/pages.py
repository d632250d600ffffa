"""Gives each page the services that it shows."""

from __future__ import annotations

from flask import Blueprint

from portal.api.audit import told
from portal.app.on_demand import on_demand
from portal.app.page_rights import PageRights
from portal.app.portal import Portal
from portal.web import web_blueprint
from portal.web.entity import add_entity
from portal.web.entity_actions import add_entity_actions
from portal.web.entity_frame import EntityServices
from portal.web.home import add_home
from portal.web.kinds import add_kinds


def pages_blueprint(portal: Portal) -> Blueprint:
    """Return the routes of all pages."""
    blueprint = web_blueprint()
    add_home(blueprint, portal.ownership)
    add_kinds(blueprint, portal.ownership, portal.kinds)
    _add_entity_pages(blueprint, portal)
    return blueprint


def _add_entity_pages(blueprint: Blueprint, portal: Portal) -> None:
    services = EntityServices(
        portal.catalog,
        portal.ownership,
        portal.accountability,
        portal.kinds,
        portal.history,
        impacts=on_demand(lambda: portal.answers.impact),
        rights_on=PageRights(portal.access.permission),
    )
    add_entity(blueprint, services)
    add_entity_actions(
        blueprint, services, on_demand(lambda: portal.locations), told=lambda location: told(on=location)
    )
