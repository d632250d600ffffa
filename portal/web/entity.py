"""The page of an entity, one view at a time, with that of its history, which those that are gone have too."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from portal.errors import NotFoundError
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.web.entity_frame import EntityServices, frame_of
from portal.web.entity_source import as_yaml
from portal.web.entity_views import VIEWS
from portal.web.history import history_of, shown_version
from portal.web.links import asset_url, history_url
from portal.web.relation_names import relation_name

#: So many of the newest versions are looked through for what a gone entity was like.
_LOOKED_THROUGH = 5


def add_entity(blueprint: Blueprint, services: EntityServices) -> None:
    """Add the pages."""
    blueprint.add_app_template_filter(relation_name, "relation_name")
    blueprint.add_app_template_global(graph_script, "graph_script")

    @blueprint.get("/catalog/<namespace>/<kind>/<name>")
    def entity(namespace: str, kind: str, name: str) -> ResponseReturnValue:
        ref = EntityRef.of(kind, namespace, name)
        frame = frame_of(services, ref)
        if frame is None:
            return _gone(services, ref)
        view = request.args.get("view", "")
        if view == "history":
            return redirect(history_url(ref))
        if view not in VIEWS or view not in {*(tab for tab, *_ in frame.tabs()), "processed"}:
            view = "overview"
        template, shown = VIEWS[view]
        return render_template(template, frame=frame, ref=ref, view=view, **shown(services, frame))

    @blueprint.get("/catalog/<namespace>/<kind>/<name>/history")
    def entity_history(namespace: str, kind: str, name: str) -> str:
        ref = EntityRef.of(kind, namespace, name)
        shown = history_of(services.history, ref)
        frame = frame_of(services, ref)
        template = "entity_history.html" if frame else "gone_history.html"
        return render_template(template, frame=frame, ref=ref, view="history", known={}, **shown)


def graph_script() -> str:
    """Return the address of the script that draws graphs, empty where there is none."""
    try:
        return asset_url("graph.js")
    except KeyError:
        return ""


def _gone(services: EntityServices, ref: EntityRef) -> ResponseReturnValue:
    """Return the page of an entity that was in the catalog; raise `NotFoundError` for one that never was."""
    try:
        items = services.history.of_entity(ref, limit=_LOOKED_THROUGH).items
    except NotFoundError:
        raise NotFoundError(Sentence("The catalog has no entity %(ref)s.", ref=ref)) from None
    last = next((item for item in items if item.version.declared), None)
    page = render_template(
        "gone.html",
        ref=ref,
        newest=shown_version(items[0]),
        last=None if last is None else shown_version(last),
        text="" if last is None else as_yaml(last.version.declared),
    )
    return make_response(page, 404)
