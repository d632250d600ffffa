"""Wires what hears of changes."""

from __future__ import annotations

from dataclasses import dataclass

from portal.config import Settings
from portal.model.integration import Integrations
from portal.services.events import EventsService
from portal.services.pushes import PushRefresher
from portal.services.refresh import RefreshService
from portal.store.database import Database


@dataclass(frozen=True, slots=True)
class EventServices:
    """What hears of pushes, and what looks at their sources."""

    hearing: EventsService
    refresher: PushRefresher


def wire_events(
    settings: Settings, database: Database, *, refresh: RefreshService, integrations: Integrations
) -> EventServices:
    """Return the services that hear of changes."""
    refresher = PushRefresher(database, refresh.beside())
    hearing = EventsService(database, webhooks=settings.webhooks, integrations=integrations, wake=refresher.wake)
    return EventServices(hearing, refresher)
