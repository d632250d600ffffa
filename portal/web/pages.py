"""The home page with the three layers, the page of an entity, the page for what is not there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from itertools import groupby
from typing import Any

import orjson
from flask import Blueprint, Response, abort, render_template, url_for
from werkzeug.routing import PathConverter

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
from portal.services.ownership import LayerView, Node, OwnershipService
from portal.web.history import add_history, in_short

_LINK_SCHEMES = frozenset({"http", "https", "mailto"})
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_YEAR_SECONDS = 31_536_000
_VIEW_ANNOTATION = "backstage.io/view-url"
#: So many entities of one sort are shown on a page; the rest is counted.
_MOST_SHOWN = 50
#: So many colours the style sheet has for layers.
_TONES = 6
#: The order in which the relations of an entity are shown; those not named come last.
_RELATION_ORDER = {
    name: number
    for number, name in enumerate([pair.forward for pair in RELATION_TYPES] + [pair.inverse for pair in RELATION_TYPES])
}


class PagePath(PathConverter):
    """Any path that is a page's: those of the APIs answer for themselves, in JSON."""

    regex = r"(?!api/|\.backstage/|\.well-known/)[^/].*?"


@dataclass(frozen=True, slots=True)
class Listed:
    """Part of a list that may be long: what is shown of it, and how many there are."""

    shown: list[Any]
    count: int

    @classmethod
    def of(cls, items: Iterable[Any]) -> Listed:
        """Return the beginning of some items."""
        found = list(items)
        return cls(found[:_MOST_SHOWN], len(found))

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.shown)


def web_blueprint(
    catalog: CatalogService,
    ownership: OwnershipService,
    kinds: KindsService,
    history: HistoryService,
    *,
    impacts: ImpactService,
) -> Blueprint:
    """Return the routes of all pages."""
    blueprint = Blueprint("web", __name__, template_folder="templates")
    blueprint.record_once(lambda state: state.app.url_map.converters.update(page=PagePath))
    _add_style(blueprint)
    _add_answers(blueprint)
    _add_home(blueprint, ownership)
    _add_kinds(blueprint, ownership, kinds)
    _add_entity(blueprint, catalog, ownership, kinds, history, impacts=impacts)
    add_history(blueprint, history, ownership)
    return blueprint


def _add_style(blueprint: Blueprint) -> None:
    style, style_name = _style()

    @blueprint.context_processor
    def context() -> dict[str, Any]:
        return {
            "style_url": url_for("web.stylesheet", name=style_name),
            "entity_url": _entity_url,
            "history_url": _history_url,
            "words": _words,
        }

    @blueprint.get("/static/<name>")
    def stylesheet(name: str) -> Response:
        # Another name is that of another version: its content must not be remembered under this one's address.
        if name != style_name:
            abort(404, "There is no such file.")
        response = Response(style, mimetype="text/css")
        response.cache_control.public = True
        response.cache_control.max_age = _YEAR_SECONDS
        response.cache_control.immutable = True
        return response

    @blueprint.get("/favicon.ico")
    def favicon() -> Response:
        return Response(status=204)


def _add_answers(blueprint: Blueprint) -> None:
    """Add what all answers have in common: headers, a fault for what is not there."""

    @blueprint.after_request
    def secure(response: Response) -> Response:
        return _secured(response)

    @blueprint.get("/<page:path>")
    def anything_else(path: str) -> Response:
        abort(404, f"There is no page /{path}.")


def _add_home(blueprint: Blueprint, ownership: OwnershipService) -> None:
    @blueprint.get("/")
    def home() -> str:
        summary = ownership.summary()
        views = ownership.layers()
        return render_template(
            "home.html",
            bands=[_band(view, tone=tone) for view, tone in zip(views, _tones(views), strict=True)],
            known=ownership.nodes({node.owner for view in views for node in view.nodes if node.owner is not None}),
            problems=Listed.of(summary.problems),
            findings=Listed.of([finding for finding in summary.findings if finding.exemption is None]),
            exempt=Listed.of([finding for finding in summary.findings if finding.exemption is not None]),
            owners=len(summary.owners),
            total=sum(sum(row.values()) for row in summary.counts.values()),
        )


def _add_kinds(blueprint: Blueprint, ownership: OwnershipService, kinds: KindsService) -> None:
    @blueprint.get("/kinds")
    def kinds_page() -> str:
        current = list(kinds.told())
        return render_template(
            "kinds.html",
            kinds=current,
            fields={kind.name: fields_of(kind) for kind in current},
            known=ownership.nodes([kind.declared_by for kind in current if kind.declared_by is not None]),
        )


def _add_entity(
    blueprint: Blueprint,
    catalog: CatalogService,
    ownership: OwnershipService,
    kinds: KindsService,
    history: HistoryService,
    *,
    impacts: ImpactService,
) -> None:
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
        impact = impacts.of_entity(ref, limit=_MOST_SHOWN)
        stewards = stewards_of(document, ref)
        relations = _relations(document)
        views = ownership.layers()
        tones = {view.layer.ref: tone for view, tone in zip(views, _tones(views), strict=True) if view.layer}
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
            links=[link for link in metadata.get("links") or () if _is_safe(link.get("url", ""))],
            facts=_facts(document.get("spec") or {}, leave_out=frozenset().union(*related.values())),
            items=(document.get("status") or {}).get("items") or (),
            findings=ownership.findings([ref]),
            **in_short(history, ref),
            **_source(metadata.get("annotations") or {}),
        )


def error_page(status: int, message: str) -> Response:
    """Return the page that tells people of a fault, wherever in the application it came up."""
    style_url = url_for("web.stylesheet", name=_style()[1])
    phrase = HTTPStatus(status).phrase
    page = render_template("error.html", status=status, phrase=phrase, message=message, style_url=style_url)
    return _secured(Response(page, status, mimetype="text/html"))


def _secured(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@cache
def _style() -> tuple[bytes, str]:
    """Return the style sheet with its name, which changes with the content."""
    style = files("portal.web").joinpath("static/portal.css").read_bytes()
    return style, f"portal-{hashlib.sha256(style).hexdigest()[:16]}.css"


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


def _tones(views: Collection[LayerView]) -> list[int]:
    """Return a colour for each layer: its place from below, from 1; 0 for what stands in none."""
    layers = sum(view.layer is not None for view in views)
    return [(layers - 1 - place) % _TONES + 1 if view.layer else 0 for place, view in enumerate(views)]


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
        *(owner.ref for owner in impact.reached.owners[:_MOST_SHOWN]),
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
                found.append((_words(key), text))
    return found


def _source(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return where an entity's file is, and the address of a page that shows it, where there is one."""
    view = annotations.get(_VIEW_ANNOTATION, "")
    return {"location": annotations.get(LOCATION_ANNOTATION, ""), "view_url": view if _is_safe(view) else ""}


def _entity_url(ref: str) -> str:
    found = EntityRef(ref)
    return url_for("web.entity", namespace=found.namespace, kind=found.kind, name=found.name)


def _history_url(ref: EntityRef, before: int | None = None) -> str:
    return url_for("web.entity_history", namespace=ref.namespace, kind=ref.kind, name=ref.name, before=before)


def _words(name: str) -> str:
    """Return a name in camel case as words: `dependsOn` is "depends on"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()


def _is_safe(url: str) -> bool:
    scheme, colon, _ = url.partition(":")
    return bool(colon) and scheme.lower() in _LINK_SCHEMES
