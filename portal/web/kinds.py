"""The page of all kinds that the catalog can hold."""

from __future__ import annotations

from flask import Blueprint, render_template

from portal.model.kind_fields import fields_of
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService


def add_kinds(blueprint: Blueprint, ownership: OwnershipService, kinds: KindsService) -> None:
    """Add the page."""

    @blueprint.get("/kinds")
    def kinds_page() -> str:
        current = list(kinds.told())
        return render_template(
            "kinds.html",
            kinds=current,
            fields={kind.name: fields_of(kind) for kind in current},
            known=ownership.nodes([kind.declared_by for kind in current if kind.declared_by is not None]),
        )
