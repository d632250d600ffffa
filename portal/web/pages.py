"""The home page with the three layers, the page of an entity."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from itertools import groupby
from typing import Any

import orjson
from flask import Blueprint, Response, abort, render_template, url_for

from portal.model.entity import LOCATION_ANNOTATION
from portal.model.ref import EntityRef
from portal.model.relation import RELATION_TYPES
from portal.services.catalog import CatalogService
from portal.services.ownership import LayerView, OwnershipService

_LINK_SCHEMES = frozenset({"http", "https", "mailto"})
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_YEAR_SECONDS = 31_536_000
#: The order in which the relations of an entity are shown; those not named come last.
_RELATION_ORDER = {
    name: number
    for number, name in enumerate([pair.forward for pair in RELATION_TYPES] + [pair.inverse for pair in RELATION_TYPES])
}


def web_blueprint(catalog: CatalogService, ownership: OwnershipService) -> Blueprint:
    """Return the routes of all pages."""
    blueprint = Blueprint("web", __name__, template_folder="templates")
    style = files("portal.web").joinpath("static/portal.css").read_bytes()
    fingerprint = hashlib.sha256(style).hexdigest()[:16]

    @blueprint.context_processor
    def context() -> dict[str, Any]:
        return {"style_url": url_for("web.stylesheet", fingerprint=fingerprint), "entity_url": _entity_url}

    @blueprint.after_request
    def secure(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    @blueprint.get("/static/portal-<fingerprint>.css")
    def stylesheet(fingerprint: str) -> Response:  # noqa: ARG001  # the address changes with the content
        response = Response(style, mimetype="text/css")
        response.cache_control.public = True
        response.cache_control.max_age = _YEAR_SECONDS
        response.cache_control.immutable = True
        return response

    @blueprint.get("/favicon.ico")
    def favicon() -> Response:
        return Response(status=204)

    @blueprint.get("/")
    def home() -> str:
        summary = ownership.summary()
        return render_template(
            "home.html",
            bands=[_band(view) for view in ownership.layers()],
            problems=summary.problems,
            findings=summary.findings,
            total=sum(sum(row.values()) for row in summary.counts.values()),
            owners=len(summary.owners),
        )

    @blueprint.get("/catalog/<namespace>/<kind>/<name>")
    def entity(namespace: str, kind: str, name: str) -> str:
        ref = EntityRef.of(kind, namespace, name)
        body = catalog.by_refs([ref]).get(ref)
        if body is None:
            abort(404, f"The catalog has no entity {ref}.")
        document = orjson.loads(body)
        impact = ownership.impact(ref)
        relations = sorted(
            document["relations"], key=lambda item: (_RELATION_ORDER.get(item["type"], 99), item["type"])
        )
        return render_template(
            "entity.html",
            ref=ref,
            document=document,
            metadata=document["metadata"],
            spec=document.get("spec") or {},
            node=impact.root,
            impact=impact,
            relations=[
                (name, [EntityRef(item["targetRef"]) for item in group])
                for name, group in groupby(relations, key=lambda item: item["type"])
            ],
            links=[link for link in document["metadata"].get("links") or () if _is_safe(link.get("url", ""))],
            location=document["metadata"]["annotations"].get(LOCATION_ANNOTATION, ""),
            items=(document.get("status") or {}).get("items") or (),
            findings=[finding for finding in ownership.findings() if finding.ref == ref],
        )

    return blueprint


def _band(view: LayerView) -> dict[str, Any]:
    """Return what the home page shows of a layer: its entities by kind."""
    nodes = sorted(view.nodes, key=lambda node: (node.kind, node.title.lower()))
    owners = sorted({node.owner for node in view.nodes if node.owner is not None})
    return {
        "name": view.layer.ref.name if view.layer is not None else "",
        "title": view.layer.title if view.layer is not None else "In no layer",
        "ref": view.layer.ref if view.layer is not None else None,
        "roles": [role.name for role in view.layer.owner_roles] if view.layer is not None else [],
        "count": len(nodes),
        "owners": owners,
        "kinds": [(kind, list(group)) for kind, group in groupby(nodes, key=lambda node: node.kind)],
    }


def _entity_url(ref: str) -> str:
    found = EntityRef(ref)
    return url_for("web.entity", namespace=found.namespace, kind=found.kind, name=found.name)


def _is_safe(url: str) -> bool:
    return url.partition(":")[0].lower() in _LINK_SCHEMES
