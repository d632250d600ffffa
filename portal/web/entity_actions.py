"""What people may do with an entity from its page: have its file read again, take it out of the catalog."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template
from flask.typing import ResponseReturnValue

from portal.errors import NotFoundError
from portal.model.location import GENERATED_PREFIX
from portal.model.login import without_credentials
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.web.asking import Asking, against_unregistering
from portal.web.entity_frame import EntityServices, Frame, frame_of
from portal.web.links import entity_url, history_url
from portal.web.listed import MOST_SHOWN, Listed

if TYPE_CHECKING:
    from portal.services.locations import Location, LocationsService

_PATH = "/catalog/<namespace>/<kind>/<name>"


def add_entity_actions(
    blueprint: Blueprint,
    services: EntityServices,
    locations: LocationsService,
    *,
    asking: Asking,
    told: Callable[[str], None],
) -> None:
    """Add the forms' routes, with the page that asks whether somebody means it.

    `told` hears what a location was that is not there any more: the request does not name it.
    """

    @blueprint.post(f"{_PATH}/refresh")
    def refresh_entity(namespace: str, kind: str, name: str) -> ResponseReturnValue:
        ref = EntityRef.of(kind, namespace, name)
        locations.refresh(ref)
        return redirect(f"{entity_url(ref)}?done=refresh", 303)

    @blueprint.get(f"{_PATH}/remove")
    def remove_page(namespace: str, kind: str, name: str) -> str:
        ref = EntityRef.of(kind, namespace, name)
        frame = _required(frame_of(services, ref), ref)
        impact = services.impacts.of_entity(ref, limit=MOST_SHOWN, removed=True)
        breaks = impact.breaks or []
        location = _location_of(locations, ref)
        brought = [] if location is None else list(locations.entities_of(location.id))
        named = {item.ref for item in breaks} | {owner.ref for owner in impact.reached.owners[:MOST_SHOWN]}
        return render_template(
            "entity_remove.html",
            frame=frame,
            ref=ref,
            view="remove",
            breaks=Listed(breaks, impact.breaks_total),
            owners=Listed.of(impact.reached.owners),
            location=location,
            target="" if location is None else without_credentials(location.target.removeprefix(GENERATED_PREFIX)),
            brought=Listed.of(brought),
            why_not="" if location is None else against_unregistering(asking, locations, location.id),
            known=services.ownership.nodes(named | set(brought[:MOST_SHOWN])),
        )

    @blueprint.post(f"{_PATH}/remove")
    def remove_entity(namespace: str, kind: str, name: str) -> ResponseReturnValue:
        ref = EntityRef.of(kind, namespace, name)
        frame = _required(frame_of(services, ref), ref)
        locations.remove_entity(str(frame.metadata["uid"]))
        return redirect(history_url(ref), 303)

    @blueprint.post(f"{_PATH}/unregister")
    def unregister(namespace: str, kind: str, name: str) -> ResponseReturnValue:
        ref = EntityRef.of(kind, namespace, name)
        location = locations.delete(locations.by_entity(ref).id)
        told(f"{location.type}:{without_credentials(location.target)}")
        return redirect(history_url(ref), 303)


def _required(frame: Frame | None, ref: EntityRef) -> Frame:
    if frame is None:
        raise NotFoundError(Sentence("The catalog has no entity %(ref)s.", ref=ref))
    return frame


def _location_of(locations: LocationsService, ref: EntityRef) -> Location | None:
    """Return the registered location that brought an entity, None for one of the operator's own."""
    try:
        return locations.by_entity(ref)
    except NotFoundError:
        return None
