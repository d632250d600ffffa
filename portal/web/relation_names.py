"""What relations are called on pages, put into groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from portal.web.language import gettext
from portal.web.links import words

#: The groups in which relations are shown, with the relations of each in their order: what the entity itself says,
#: then what others say of it.
GROUPS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "needs": ("dependsOn", "consumesApi", "dependencyOf", "apiConsumedBy", "providesApi", "apiProvidedBy"),
        "data": (
            *("derivedFrom", "producedBy", "consumes", "trainedOn"),
            *("derives", "produces", "consumedBy", "trains"),
        ),
        "place": ("partOf", "hasPart", "inLayer", "layerHas", "generatedFrom", "generated"),
        "people": (
            *("ownedBy", "stewardedBy", "contributedBy", "childOf", "memberOf", "hasRole", "actsFor"),
            *("ownerOf", "stewardOf", "contributesTo", "parentOf", "hasMember", "roleOf", "actedForBy"),
        ),
    }
)
_PLACES = {name: (group, place) for group, names in GROUPS.items() for place, name in enumerate(names)}


def group_of(name: str) -> tuple[str, int]:
    """Return the group that a relation belongs to, and its place there; kinds may declare others."""
    return _PLACES.get(name, ("other", 0))


def group_title(group: str) -> str:
    """Return what a group of relations is called."""
    return {
        "needs": gettext("Needs"),
        "data": gettext("Data"),
        "place": gettext("Where it belongs"),
        "people": gettext("People"),
        "other": gettext("Other"),
    }[group]


def relation_name(name: str) -> str:
    """Return what a relation is called, in the reader's language where Portal knows it."""
    known = _names()
    return known[name] if name in known else words(name)


def _names() -> Mapping[str, str]:
    return {
        "actedForBy": gettext("acted for by"),
        "actsFor": gettext("acts for"),
        "apiConsumedBy": gettext("consumed by"),
        "apiProvidedBy": gettext("provided by"),
        "childOf": gettext("child of"),
        "consumedBy": gettext("consumed by"),
        "consumes": gettext("consumes"),
        "consumesApi": gettext("consumes API"),
        "contributedBy": gettext("contributed by"),
        "contributesTo": gettext("contributes to"),
        "dependencyOf": gettext("needed by"),
        "dependsOn": gettext("depends on"),
        "derivedFrom": gettext("derived from"),
        "derives": gettext("derives"),
        "generated": gettext("generated"),
        "generatedFrom": gettext("generated from"),
        "hasMember": gettext("has member"),
        "hasPart": gettext("has part"),
        "hasRole": gettext("has role"),
        "inLayer": gettext("in layer"),
        "layerHas": gettext("layer has"),
        "memberOf": gettext("member of"),
        "ownedBy": gettext("owned by"),
        "ownerOf": gettext("owner of"),
        "parentOf": gettext("parent of"),
        "partOf": gettext("part of"),
        "producedBy": gettext("produced by"),
        "produces": gettext("produces"),
        "providesApi": gettext("provides API"),
        "roleOf": gettext("role of"),
        "stewardOf": gettext("steward of"),
        "stewardedBy": gettext("stewarded by"),
        "trainedOn": gettext("trained on"),
        "trains": gettext("trains"),
    }
