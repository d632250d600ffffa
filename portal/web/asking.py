"""What a page must know of its reader's rights, so that it offers nothing that would be refused."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

from portal.errors import NotFoundError
from portal.model.ref import EntityRef

if TYPE_CHECKING:
    from portal.services.locations import LocationsService


class Asking(Protocol):
    """Tells what whoever asks for a page may do."""

    def against(self, permission: str, refs: Collection[EntityRef] | None = None) -> str:
        """Return why they have no such permission, on one of some entities where these are named; empty if they may."""
        ...

    def among(self, permission: str, refs: Collection[EntityRef]) -> frozenset[EntityRef]:
        """Return those of the entities on which they have a permission."""
        ...


def against_unregistering(asking: Asking, locations: LocationsService, location_id: str) -> str:
    """Return why whoever asks may not have a location unregistered, empty where they may: all that goes with it counts.

    What may not be read goes too, and is counted without being named.
    """
    try:
        going = locations.entities_of(location_id, hidden=True)
    except NotFoundError:
        # It was not read yet: nothing says who may read it, and nothing goes with it.
        going = ()
    return asking.against("catalog.location.delete") or asking.against("catalog.entity.delete", going)
