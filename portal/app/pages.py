"""Gives each page the services that it shows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Blueprint, current_app

from portal.api.audit import told
from portal.app.asking import CurrentAsking
from portal.app.on_demand import on_demand
from portal.app.portal import Portal
from portal.services.health import HealthService
from portal.services.status import StatusService
from portal.web import web_blueprint
from portal.web.entity import add_entity
from portal.web.history import add_history
from portal.web.home import add_home
from portal.web.kinds import add_kinds
from portal.web.reference import add_reference
from portal.web.register import add_register
from portal.web.tools import add_tools

if TYPE_CHECKING:
    from portal.services.rehearsal import RehearsalService


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
    _add_work(blueprint, portal)
    return blueprint


def _add_work(blueprint: Blueprint, portal: Portal) -> None:
    """Add the pages of what is read and how that goes."""
    asking = CurrentAsking(portal.access.permission, portal.access.explanation)
    locations = on_demand(lambda: portal.locations)

    @cache
    def rehearsal() -> RehearsalService:
        from portal.app.rehearsing import wire_rehearsal  # noqa: PLC0415  # as what it reads with

        return wire_rehearsal(portal)

    add_register(
        blueprint, locations, on_demand(rehearsal), portal.ownership, asking=asking, told=lambda what: told(on=what)
    )
    add_tools(
        blueprint,
        StatusService(portal.database, portal.measures),
        HealthService(portal.database, is_stopping=portal.is_stopping),
        locations,
        asking=asking,
    )
    add_reference(blueprint, _document, on_demand(lambda: portal.serving_tasks), lambda: _extensions(portal))


def _document() -> Mapping[str, Any]:
    """Return the description of the routes of the application that answers."""
    from portal.api.openapi import openapi_document  # noqa: PLC0415  # no first answer needs it

    return openapi_document(current_app)


def _extensions(portal: Portal) -> Mapping[str, Any]:
    from portal.scaffolder.extensions import templating_extensions  # noqa: PLC0415  # as what runs templates

    return templating_extensions(portal.tasks.extensions)


def _told(on: str) -> None:
    told(on=on)
