"""The colours of layers, the same on every page."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from portal.model.layer import Layer
from portal.model.ref import EntityRef
from portal.services.ownership import LayerView

#: So many colours the style sheet has for layers.
_TONES = 6


def tones_from_above(layers: Sequence[object | None]) -> list[int]:
    """Return a colour for each layer, of which the highest comes first: its place from below, from 1; 0 for None."""
    count = sum(layer is not None for layer in layers)
    return [(count - 1 - place) % _TONES + 1 if layer is not None else 0 for place, layer in enumerate(layers)]


def tones_by_layer(views: Collection[LayerView]) -> Mapping[EntityRef, int]:
    """Return the colour of each layer."""
    return tones_of([view.layer for view in views if view.layer])


def tones_of(ranked: Sequence[Layer]) -> Mapping[EntityRef, int]:
    """Return the colour of each of all layers, given the highest first."""
    return {layer.ref: tone for layer, tone in zip(ranked, tones_from_above(ranked), strict=True)}
