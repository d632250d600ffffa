"""The page of an entity."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import groupby
from typing import Any

import orjson
from flask import Blueprint, render_template

from portal.errors import NotFoundError
from portal.model.entity import LOCATION_ANNOTATION
from portal.model.kind_fields import fields_of
from portal.model.layer import stewards_of
from portal.model.ref import EntityRef
from portal.model.relation import RELATION_TYPES
from portal.services.catalog import CatalogService
from portal.services.history import HistoryService
from portal.services.impact import Impact, ImpactService
from portal.services.kinds import KindsService
from portal.services.ownership import Node, OwnershipService
from portal.web.history import in_short
from portal.web.links import is_safe, words
from portal.web.listed import MOST_SHOWN, Listed
from portal.web.tones import tones_by_layer

_VIEW_ANNOTATION = "backstage.io/view-url"
#: The order in which the relations of an entity are shown; those not named come last.
_RELATION_ORDER = {
    name: number
    for number, name in enumerate([pair.forward for pair in RELATION_TYPES] + [pair.inverse for pair in RELATION_TYPES])
}


def add_entity(
    blueprint: Blueprint,
    catalog: CatalogService,
    ownership: OwnershipService,
    kinds: KindsService,
    history: HistoryService,
    *,
    impacts: ImpactService,
) -> None:
    """Add the page."""

    @blueprint.get("/catalog/<namespace>/<kind>/<name>")
    def entity(namespace: str, kind: str, name: str) -> str:
        ref = EntityRef.of(kind, namespace, name)
        body = catalog.by_refs([ref]).get(ref)
        if body is None:
            raise NotFoundError(f"The catalog has no entity {ref}.")
        document = orjson.loads(body)
        metadata = document["metadata"]
        known_kinds = kinds.current()
        related = known_kinds.reference_fields
        declares = next((found for found in known_kinds if found.declared_by == ref), None)
        impact = impacts.of_entity(ref, limit=MOST_SHOWN)
        stewards = stewards_of(document, ref)
        relations = _relations(document)
        tones = tones_by_layer(ownership.layers())
        return render_template(
            "entity.html",
            ref=ref,
            declares=declares,
            declared_fields=fields_of(declares) if declares else (),
            document=document,
            metadata=metadata,
            node=impact.root,
            is_owned=impact.root.owner is not None or "owner" in related.get(ref.kind, {"owner"}),
            tone=tones.get(impact.root.layer) if impact.root.layer is not None else None,
            dependents=Listed(impact.reached.dependents, impact.reached.total),
            owners=Listed.of(impact.reached.owners),
            relations=relations,
            stewards=stewards,
            contributors=[who for name, refs in relations if name == "contributedBy" for who in refs.shown],
            known=ownership.nodes(_named(impact, relations, [who for who, _ in stewards])),
            links=[link for link in metadata.get("links") or () if is_safe(link.get("url", ""))],
            facts=_facts(document.get("spec") or {}, leave_out=frozenset().union(*related.values())),
            items=(document.get("status") or {}).get("items") or (),
            findings=ownership.findings([ref]),
            **in_short(history, ref),
            **_source(metadata.get("annotations") or {}),
        )


def _relations(document: Mapping[str, Any]) -> list[tuple[str, Listed]]:
    """Return an entity's relations by type, those that it declares itself before what others say of it."""
    relations = sorted(document["relations"], key=lambda item: (_RELATION_ORDER.get(item["type"], 99), item["type"]))
    return [
        (name, Listed.of(EntityRef(item["targetRef"]) for item in group))
        for name, group in groupby(relations, key=lambda item: item["type"])
    ]


def _named(impact: Impact, relations: Collection[tuple[str, Listed]], people: Collection[EntityRef]) -> set[EntityRef]:
    """Return every entity that the page of another may name."""
    nodes: list[Node] = [impact.root, *(node for _, node in impact.reached.dependents)]
    return {
        *(found for node in nodes for found in (node.ref, node.owner, node.layer) if found is not None),
        *(owner.ref for owner in impact.reached.owners[:MOST_SHOWN]),
        *(ref for _, refs in relations for ref in refs.shown),
        *people,
    }


def _facts(spec: Mapping[str, Any], *, leave_out: Collection[str]) -> list[tuple[str, str]]:
    """Return the plain members of a spec, as words; those that name other entities are shown as relations."""
    found = []
    for key, value in spec.items():
        values = value if isinstance(value, list) else [value]
        if key not in leave_out and values and all(isinstance(item, (str, int, float)) for item in values):
            text = ", ".join(("yes" if item else "no") if isinstance(item, bool) else str(item) for item in values)
            if text and "\n" not in text.strip():
                found.append((words(key), text))
    return found


def _source(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return where an entity's file is, and the address of a page that shows it, where there is one."""
    view = annotations.get(_VIEW_ANNOTATION, "")
    return {"location": annotations.get(LOCATION_ANNOTATION, ""), "view_url": view if is_safe(view) else ""}
