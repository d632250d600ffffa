"""Gives the pages of what is read, how that goes, what programs can use their services."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Blueprint, current_app

from portal.api.asking import CurrentAsking
from portal.api.audit import told
from portal.app.on_demand import on_demand
from portal.app.portal import Portal
from portal.services.health import HealthService
from portal.web.reference import add_reference
from portal.web.register import add_register
from portal.web.tools import add_tools

if TYPE_CHECKING:
    from portal.services.rehearsal import RehearsalService
    from portal.services.status import StatusService


def add_work_pages(blueprint: Blueprint, portal: Portal) -> None:
    """Add the pages; what they need is loaded when one of them is first asked for."""
    asking = CurrentAsking(portal.access.permission, portal.access.explanation)
    locations = on_demand(lambda: portal.locations)

    @cache
    def rehearsals() -> RehearsalService:
        from portal.app.rehearsing import wire_rehearsal  # noqa: PLC0415  # as what it reads with

        return wire_rehearsal(portal)

    @cache
    def status() -> StatusService:
        from portal.services.status import StatusService  # noqa: PLC0415  # as above

        return StatusService(portal.database, portal.measures)

    def document() -> Mapping[str, Any]:
        from portal.api.openapi import openapi_document  # noqa: PLC0415  # no first answer needs it

        return openapi_document(current_app)

    def extensions() -> Mapping[str, Any]:
        from portal.scaffolder.extensions import templating_extensions  # noqa: PLC0415  # as what runs templates

        return templating_extensions(portal.tasks.extensions)

    add_register(
        blueprint,
        locations,
        on_demand(rehearsals),
        portal.ownership,
        asking=asking,
        told=lambda what: told(on=what),
    )
    health = HealthService(portal.database, is_stopping=portal.is_stopping)
    add_tools(blueprint, on_demand(status), health, locations, asking=asking)
    add_reference(blueprint, document, on_demand(lambda: portal.serving_tasks), extensions)
