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


def N_(message: str) -> str:  # noqa: N802  # what gettext's tools know it by
    """Mark a message that is looked up later."""
    return message


#: What relations are called, in English.
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "actedForBy": N_("acted for by"),
        "actsFor": N_("acts for"),
        "apiConsumedBy": N_("consumed by"),
        "apiProvidedBy": N_("provided by"),
        "childOf": N_("child of"),
        "consumedBy": N_("consumed by"),
        "consumes": N_("consumes"),
        "consumesApi": N_("consumes API"),
        "contributedBy": N_("contributed by"),
        "contributesTo": N_("contributes to"),
        "dependencyOf": N_("needed by"),
        "dependsOn": N_("depends on"),
        "derivedFrom": N_("derived from"),
        "derives": N_("derives"),
        "generated": N_("generated"),
        "generatedFrom": N_("generated from"),
        "hasMember": N_("has member"),
        "hasPart": N_("has part"),
        "hasRole": N_("has role"),
        "inLayer": N_("in layer"),
        "layerHas": N_("layer has"),
        "memberOf": N_("member of"),
        "ownedBy": N_("owned by"),
        # What a removal breaks where no relation says it: a field that names what is removed, a kind.
        "names": N_("names it"),
        "ofKind": N_("of its kind"),
        "ownerOf": N_("owner of"),
        "parentOf": N_("parent of"),
        "partOf": N_("part of"),
        "producedBy": N_("produced by"),
        "produces": N_("produces"),
        "providesApi": N_("provides API"),
        "roleOf": N_("role of"),
        "stewardOf": N_("steward of"),
        "stewardedBy": N_("stewarded by"),
        "trainedOn": N_("trained on"),
        "trains": N_("trains"),
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
    return gettext(_NAMES[name]) if name in _NAMES else words(name)
