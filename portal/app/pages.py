"""Gives each page the services that it shows."""

from __future__ import annotations

from flask import Blueprint

from portal.api.creating import CurrentCreator
from portal.app.on_demand import on_demand
from portal.app.portal import Portal
from portal.services.gallery import GalleryService
from portal.web import web_blueprint
from portal.web.entity import add_entity
from portal.web.gallery import add_gallery
from portal.web.history import add_history
from portal.web.home import add_home
from portal.web.kinds import add_kinds
from portal.web.wizard import add_wizard


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
    creator = CurrentCreator(portal.access.permission, portal.access.explanation)
    gallery = GalleryService(portal.catalog, portal.ownership)
    add_gallery(blueprint, gallery, portal.ownership, creator)
    add_wizard(
        blueprint,
        on_demand(lambda: portal.serving_tasks),
        portal.catalog,
        gallery,
        portal.ownership,
        creator=creator,
        integrations=portal.integrations,
    )
    return blueprint
