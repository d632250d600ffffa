"""Gives each page the services that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Flask

from portal.api.asking import CurrentAsking
from portal.api.audit import told
from portal.api.browser import current_session
from portal.api.creating import CurrentCreator
from portal.api.task_access import CurrentTaskAccess
from portal.app.on_demand import on_demand
from portal.app.owner_pages import add_owner_pages
from portal.app.portal import Portal
from portal.app.sign_in import add_sign_in
from portal.app.work_pages import add_work_pages
from portal.services.gallery import GalleryService
from portal.services.news import NewsService
from portal.services.own_assets import OwnAssetsService
from portal.services.places import PlacesService
from portal.services.search import SearchService
from portal.services.table import TableService
from portal.web.catalog import add_catalog
from portal.web.entity import add_entity
from portal.web.entity_actions import add_entity_actions
from portal.web.entity_frame import EntityServices
from portal.web.gallery import add_gallery
from portal.web.graph import GraphServices, add_graph
from portal.web.home import add_home
from portal.web.kinds import add_kinds
from portal.web.layers import add_layers
from portal.web.pages import web_blueprint
from portal.web.problems import add_problems
from portal.web.search import add_search
from portal.web.task import add_task
from portal.web.tasks import add_tasks
from portal.web.upgrades import add_upgrades
from portal.web.wizard import add_wizard

if TYPE_CHECKING:
    pass


def register_pages(app: Flask, portal: Portal) -> None:
    """Give an application all pages."""
    blueprint = web_blueprint()
    add_sign_in(blueprint, portal)
    _add_overviews(blueprint, portal)
    _add_catalog_pages(blueprint, portal)
    _add_entity_pages(blueprint, portal)
    add_owner_pages(blueprint, portal)
    _add_creating(blueprint, portal)
    add_work_pages(blueprint, portal)
    app.register_blueprint(blueprint)


def _add_overviews(blueprint: Blueprint, portal: Portal) -> None:
    """Add the pages that tell of the whole organisation."""
    layers = on_demand(lambda: portal.answers.layers)
    add_home(
        blueprint,
        portal.ownership,
        portal.kinds,
        layers,
        portal.problems,
        news=NewsService(portal.database),
        own_assets=OwnAssetsService(portal.database, portal.ownership),
        session=current_session,
    )
    add_layers(
        blueprint,
        layers,
        on_demand(lambda: portal.answers.rules),
        on_demand(lambda: portal.answers.trend),
        portal.ownership,
    )
    add_problems(blueprint, portal.problems, portal.ownership, PlacesService(portal.database, portal.integrations))


def _add_catalog_pages(blueprint: Blueprint, portal: Portal) -> None:
    """Add the pages on which people look for something."""
    search = SearchService(portal.database)
    table = TableService(portal.database, portal.kinds)
    add_catalog(blueprint, table, portal.catalog)
    add_search(blueprint, search, table)
    add_kinds(blueprint, portal.ownership, portal.kinds)
    add_graph(
        blueprint,
        GraphServices(
            on_demand(lambda: portal.answers.subgraphs),
            on_demand(lambda: portal.answers.overview),
            on_demand(lambda: portal.answers.impact),
            search,
            portal.ownership,
            portal.kinds,
        ),
    )


def _add_entity_pages(blueprint: Blueprint, portal: Portal) -> None:
    """Add the pages of one entity."""
    asking = CurrentAsking(portal.access.permission, portal.access.explanation)
    services = EntityServices(
        portal.catalog,
        portal.ownership,
        portal.accountability,
        portal.kinds,
        portal.history,
        impacts=on_demand(lambda: portal.answers.impact),
        rights_on=asking.on,
    )
    add_entity(blueprint, services)
    add_entity_actions(
        blueprint,
        services,
        on_demand(lambda: portal.locations),
        asking=asking,
        told=lambda location: told(on=location),
    )


def _add_creating(blueprint: Blueprint, portal: Portal) -> None:
    """Add the pages of templates, of what is made with them."""
    creator = CurrentCreator(portal.access.permission, portal.access.explanation)
    access = CurrentTaskAccess(portal.access.permission, portal.access.explanation)
    scaffolding = on_demand(lambda: portal.serving_tasks)
    gallery = GalleryService(portal.catalog, portal.ownership)
    add_gallery(blueprint, gallery, portal.ownership, creator)
    add_wizard(
        blueprint,
        scaffolding,
        portal.catalog,
        gallery,
        portal.ownership,
        creator=creator,
        integrations=portal.integrations,
    )
    add_tasks(blueprint, scaffolding, portal.ownership, access)
    add_task(blueprint, scaffolding, portal.catalog, portal.ownership, access)
    add_upgrades(
        blueprint,
        on_demand(lambda: portal.tasks.generated),
        on_demand(lambda: portal.tasks.upgrades),
        portal.ownership,
        access,
    )
