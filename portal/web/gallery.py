"""The page that offers templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, render_template, request, url_for

from portal.model.ref import EntityRef
from portal.services.gallery import Gallery, GalleryService, Offer, Wanted
from portal.services.ownership import LayerView, OwnershipService
from portal.web.creator import BEGIN, Creator
from portal.web.language import gettext
from portal.web.tones import tones_by_layer

#: So many tags are offered to choose from, those that are used most.
_MOST_TAGS = 30


def add_gallery(blueprint: Blueprint, gallery: GalleryService, ownership: OwnershipService, creator: Creator) -> None:
    """Add the page."""

    @blueprint.get("/create")
    def create() -> str:
        wanted = _wanted()
        found = gallery.list(wanted, creator.rights())
        views = ownership.layers()
        owners = [EntityRef(ref) for ref in found.counts["owner"]]
        known = ownership.nodes({*owners, *(offer.owner for offer in found.offers if offer.owner is not None)})
        return render_template(
            "gallery.html",
            bands=_bands(found.offers, views),
            gallery=found,
            wanted=wanted,
            is_narrowed=wanted != Wanted(),
            choices=_choices(found, views, known),
            tags=sorted(found.counts["tag"].items(), key=lambda item: (-item[1], item[0]))[:_MOST_TAGS],
            known=known,
            refusal=creator.against(BEGIN),
            template_url=template_url,
            here_with=_here_with,
            tasks_url=url_for("web.tasks"),
            upgrades_url=url_for("web.upgrades"),
        )


def template_url(ref: EntityRef) -> str:
    """Return the address of the page that fills in a template."""
    return url_for("web.template", namespace=ref.namespace, name=ref.name)


def _wanted() -> Wanted:
    """Return what the url asks for; what it says wrongly fits nothing."""
    asked = request.args
    return Wanted(
        asked.get("q", "").strip(),
        asked.get("layer", ""),
        asked.get("kind", "").lower(),
        asked.get("tag", ""),
        asked.get("owner", ""),
        asked.get("usable", "") == "yes",
    )


def _here_with(**changes: str) -> str:
    """Return the address of the page with something else asked for."""
    given: dict[str, Any] = {name: value for name, value in (request.args.to_dict() | changes).items() if value}
    return url_for("web.create", **given)


def _bands(offers: Sequence[Offer], views: Sequence[LayerView]) -> list[dict[str, Any]]:
    """Return the templates by the layer that they create in first, the layers from the highest to the lowest."""
    tones: dict[EntityRef | None, int] = {None: 0, **dict(tones_by_layer(views).items())}
    placed: dict[EntityRef | None, str] = {view.layer.ref: view.layer.title for view in views if view.layer is not None}
    by_layer: dict[EntityRef | None, list[Offer]] = {ref: [] for ref in [*placed, None]}
    for offer in offers:
        by_layer[next((layer for layer in offer.layers if layer in placed), None)].append(offer)
    return [
        {"ref": ref, "title": placed.get(ref, ""), "tone": tones.get(ref, 0), "offers": found}
        for ref, found in by_layer.items()
        if found
    ]


def _choices(
    gallery: Gallery, views: Sequence[LayerView], known: Mapping[EntityRef, Any]
) -> list[tuple[str, str, list[tuple[str, str, int]]]]:
    """Return the conditions to choose: name, title, and each value with its title and count."""
    layers = {str(view.layer.ref): view.layer.title for view in views if view.layer is not None}
    layers["none"] = gettext("In no layer")
    titles = {str(ref): node.title for ref, node in known.items()}
    counts = gallery.counts
    return [
        ("layer", gettext("Layer"), [(name, layers.get(name, name), count) for name, count in counts["layer"].items()]),
        ("kind", gettext("Makes"), [(name, name, count) for name, count in counts["kind"].items()]),
        ("owner", gettext("Owner"), [(name, titles.get(name, name), count) for name, count in counts["owner"].items()]),
    ]
