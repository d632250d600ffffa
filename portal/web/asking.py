"""What a page must know of its reader's rights, so that it offers nothing that would be refused."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from portal.model.ref import EntityRef


class Asking(Protocol):
    """Tells what whoever asks for a page may do."""

    def against(self, permission: str) -> str:
        """Return why they have no such permission, whatever it is on; empty where they may have it."""
        ...

    def among(self, permission: str, refs: Collection[EntityRef]) -> frozenset[EntityRef]:
        """Return those of the entities on which they have a permission."""
        ...
