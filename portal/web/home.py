"""The home page with the three layers."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import Blueprint, render_template

from portal.model.ref import EntityRef
from portal.services.ownership import LayerView, OwnershipService
from portal.web.listed import Listed
from portal.web.tones import tones


def add_home(blueprint: Blueprint, ownership: OwnershipService) -> None:
    """Add the page."""

    @blueprint.get("/")
    def home() -> str:
        summary = ownership.summary()
        views = ownership.layers()
        return render_template(
            "home.html",
            bands=[_band(view, tone=tone) for view, tone in zip(views, tones(views), strict=True)],
            known=ownership.nodes({node.owner for view in views for node in view.nodes if node.owner is not None}),
            problems=Listed.of(summary.problems),
            findings=Listed.of([finding for finding in summary.findings if finding.exemption is None]),
            exempt=Listed.of([finding for finding in summary.findings if finding.exemption is not None]),
            owners=len(summary.owners),
            total=sum(sum(row.values()) for row in summary.counts.values()),
        )


def _band(view: LayerView, *, tone: int) -> dict[str, Any]:
    """Return what the home page shows of a layer: its entities by kind, its owners with how much they own."""
    nodes = sorted(view.nodes, key=lambda node: (node.kind, node.title.lower(), node.ref))
    owners: dict[EntityRef, int] = {}
    for node in view.nodes:
        if node.owner is not None:
            owners[node.owner] = owners.get(node.owner, 0) + 1
    return {
        "layer": view.layer,
        "roles": view.roles,
        "tone": tone,
        "count": len(nodes),
        "owners": Listed.of(sorted(owners.items(), key=lambda item: (-item[1], item[0]))),
        "kinds": [(kind, Listed.of(group)) for kind, group in groupby(nodes, key=lambda node: node.kind)],
    }
