"""What all views of an entity have in common: its head, the ways to its other views, who may do what with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson
from flask import url_for

from portal.errors import NotFoundError
from portal.graph.lineage import DOWNSTREAM, UPSTREAM
from portal.model.entity import EDIT_URL_ANNOTATION, LOCATION_ANNOTATION, ORPHAN_ANNOTATION, VIEW_URL_ANNOTATION
from portal.model.layer import Finding
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.services.accountability import Accountability, AccountabilityService
from portal.services.catalog import CatalogService
from portal.services.history import HistoryService
from portal.services.kinds import KindsService
from portal.services.ownership import Node, OwnershipService
from portal.web.language import gettext
from portal.web.links import entity_url, history_url, is_safe, owner_url
from portal.web.tones import tones_of

if TYPE_CHECKING:
    from portal.services.impact import ImpactService

#: What may be done from the page, by the permission that it takes.
REFRESH, DELETE = "catalog.entity.refresh", "catalog.entity.delete"
#: Returns those of some permissions that whoever asks has; on the entity, those that are given on entities.
RightsOn = Callable[[EntityRef, Collection[str]], Collection[str]]
#: Data flows through these, whether or not a relation tells of it yet.
_DATA_KINDS = frozenset({"dataset", "experiment", "featureset", "model", "notebook", "pipeline"})
#: Data flows along a need only where what is needed is data, which the relation alone does not tell.
_FLOWS = (UPSTREAM | DOWNSTREAM) - {"dependsOn", "dependencyOf"}


@dataclass(frozen=True, slots=True)
class EntityServices:
    """What the views of an entity ask."""

    catalog: CatalogService
    ownership: OwnershipService
    accountability: AccountabilityService
    kinds: KindsService
    history: HistoryService
    impacts: ImpactService
    rights_on: RightsOn


@dataclass(frozen=True)
class Frame:
    """An entity as each of its views shows it. `tone` is the colour of its layer, 0 where it stands in none."""

    ref: EntityRef
    body: str
    document: Mapping[str, Any]
    who: Accountability
    layer_title: str
    tone: int
    rights: Collection[str]

    @property
    def node(self) -> Node:
        """The entity as graphs show it."""
        return self.who.entity

    @property
    def title(self) -> str:
        """What people call it."""
        return self.who.entity.title

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What every kind says of itself."""
        found: Mapping[str, Any] = self.document["metadata"]
        return found

    @property
    def spec(self) -> Mapping[str, Any]:
        """What its kind says."""
        found = self.document.get("spec")
        return found if isinstance(found, dict) else {}

    @cached_property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations."""
        found = self.metadata.get("annotations")
        return found if isinstance(found, dict) else {}

    @property
    def is_orphan(self) -> bool:
        """Whether nothing leads to its file any more."""
        return self.annotations.get(ORPHAN_ANNOTATION) == "true"

    @property
    def location(self) -> str:
        """Where its file is."""
        return str(self.annotations.get(LOCATION_ANNOTATION, ""))

    @property
    def view_url(self) -> str:
        """Where its file can be seen, empty where nowhere."""
        return self._url(VIEW_URL_ANNOTATION)

    @property
    def edit_url(self) -> str:
        """Where its file can be changed, empty where nowhere."""
        return self._url(EDIT_URL_ANNOTATION)

    @property
    def badges(self) -> list[tuple[str, str, str]]:
        """Type and lifecycle, each with its name, and the address of others of the same."""
        found = []
        for name in ("type", "lifecycle"):
            value = self.spec.get(name)
            if isinstance(value, str) and value:
                found.append(
                    (
                        name,
                        value,
                        url_for(
                            "web.catalog",
                            kind=self.ref.kind,
                            type=value if name == "type" else None,
                            lifecycle=value if name == "lifecycle" else None,
                        ),
                    )
                )
        return found

    @property
    def ways_on(self) -> list[tuple[str, str]]:
        """Pages that tell more of this kind of entity, as (address, name)."""
        match self.ref.kind:
            case "group":
                return [(owner_url(self.ref), gettext("What it answers for"))]
            case "user":
                return [(owner_url(self.ref), gettext("What they answer for"))]
            case "project":
                return [
                    (
                        url_for("web.balance", namespace=self.ref.namespace, name=self.ref.name),
                        gettext("Roles needed, held"),
                    )
                ]
            case "template":
                return [
                    (
                        url_for("web.template", namespace=self.ref.namespace, name=self.ref.name),
                        gettext("Create from it"),
                    )
                ]
            case "layer":
                return [(url_for("web.layers"), gettext("Layers with their rules"))]
        return []

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with its file."""
        return self.who.problems

    @property
    def findings(self) -> list[Finding]:
        """What the layers' rules find on it, without what an exemption excuses."""
        return [finding for finding in self.who.findings if finding.exemption is None]

    @property
    def exempt(self) -> list[Finding]:
        """What an exemption excuses for a time."""
        return [finding for finding in self.who.findings if finding.exemption is not None]

    @cached_property
    def relation_types(self) -> frozenset[str]:
        """The types of its relations."""
        return frozenset(item["type"] for item in self.document.get("relations") or ())

    def tabs(self) -> list[tuple[str, str, str, int]]:
        """Return the ways to its views, as (view, address, name, how much is wrong)."""
        at = entity_url(self.ref)
        found = [
            ("overview", at, gettext("Overview"), 0),
            ("relations", f"{at}?view=relations", gettext("Relations"), 0),
        ]
        if self.ref.kind in _DATA_KINDS or self.relation_types & _FLOWS:
            found.append(("lineage", f"{at}?view=lineage", gettext("Lineage"), 0))
        found.append(("impact", f"{at}?view=impact", gettext("Impact"), 0))
        if isinstance(self.spec.get("definition"), str):
            found.append(("api", f"{at}?view=api", gettext("Definition"), 0))
        wrong = len(self.problems) + len(self.findings)
        return [
            *found,
            ("problems", f"{at}?view=problems", gettext("Problems"), wrong),
            ("history", history_url(self.ref), gettext("History"), 0),
            ("yaml", f"{at}?view=yaml", gettext("YAML"), 0),
        ]

    def _url(self, annotation: str) -> str:
        url = str(self.annotations.get(annotation, ""))
        return url if is_safe(url) else ""


def frame_of(services: EntityServices, ref: EntityRef) -> Frame | None:
    """Return an entity for its page, None for one that is not in the catalog, or may not be read."""
    body = services.catalog.body(ref)
    if body is None:
        return None
    try:
        who = services.accountability.of_entity(ref)
    except NotFoundError:
        # It went while it was looked at.
        return None
    layers = services.ownership.ranked_layers()
    layer = who.entity.layer
    return Frame(
        ref=ref,
        body=body,
        document=orjson.loads(body),
        who=who,
        layer_title=next((found.title for found in layers if found.ref == layer), layer.name if layer else ""),
        tone=tones_of(layers).get(layer, 0) if layer is not None else 0,
        rights=services.rights_on(ref, (REFRESH, DELETE)),
    )
