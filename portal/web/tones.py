"""The colours of layers, the same on every page."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from portal.model.ref import EntityRef
from portal.services.ownership import LayerView

#: So many colours the style sheet has for layers.
_TONES = 6


def tones(views: Collection[LayerView]) -> list[int]:
    """Return a colour for each layer: its place from below, from 1; 0 for what stands in none."""
    layers = sum(view.layer is not None for view in views)
    return [(layers - 1 - place) % _TONES + 1 if view.layer else 0 for place, view in enumerate(views)]


def tones_by_layer(views: Collection[LayerView]) -> Mapping[EntityRef, int]:
    """Return the colour of each layer."""
    return {view.layer.ref: tone for view, tone in zip(views, tones(views), strict=True) if view.layer}
