"""The pages where people register what the catalog is to read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.errors import ConflictError, InputError
from portal.model.login import holds_login, without_credentials
from portal.model.problem import Problem
from portal.services.ownership import OwnershipService
from portal.web.asking import Asking, against_unregistering
from portal.web.links import is_safe
from portal.web.listed import MOST_SHOWN, Listed
from portal.web.tones import tones_by_layer

if TYPE_CHECKING:
    from portal.services.locations import Location, LocationsService
    from portal.services.rehearsal import Rehearsal, RehearsalService

_LONGEST_TARGET = 4_000
#: Of so many entities that a location brought its page tells more than their number.
_LOOKED_AT = 500
_CREATE, _READ = "catalog.location.create", "catalog.location.read"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands, as people read it; `url` shows it, empty where nothing is known to."""

    text: str
    url: str


def add_register(
    blueprint: Blueprint,
    locations: LocationsService,
    rehearsals: RehearsalService,
    ownership: OwnershipService,
    *,
    asking: Asking,
    told: Callable[[str], None],
) -> None:
    """Add the pages. `told` is for the name of what was written, where the request itself does not say it."""

    @blueprint.get("/register")
    def register() -> ResponseReturnValue:
        return _without_login() or _form(target=request.args.get("target", ""))

    @blueprint.post("/register")
    def register_preview() -> ResponseReturnValue:
        target = _target()
        try:
            rehearsal = rehearsals.rehearse(target)
        except InputError as error:
            # htmx puts nothing but a success into a page.
            return _form(target=target, fault=error.message), 200 if "HX-Request" in request.headers else 422
        response = make_response(_form(target=target, rehearsal=rehearsal))
        # Whoever comes back, or is sent the address, finds the form filled in.
        response.headers["HX-Push-Url"] = url_for("web.register", target=target)
        return response

    @blueprint.post("/register/locations")
    def register_location() -> ResponseReturnValue:
        target = _target()
        try:
            found = locations.register("url", target, waits=False).location
        except InputError as error:
            return _form(target=target, fault=error.message), 422
        except ConflictError:
            found = next(item for item in locations.list() if item.target == target)
        told(_shown(found))
        return redirect(url_for("web.registered", location_id=found.id), 303)

    @blueprint.get("/register/<location_id>")
    def registered(location_id: str) -> str:
        found = locations.progress(location_id)
        nodes = ownership.nodes(found.entity_refs[:_LOOKED_AT])
        ordered = sorted(nodes.values(), key=lambda node: (node.kind, node.title.lower(), node.ref))
        listed = Listed(ordered[:MOST_SHOWN], len(found.entity_refs))
        named = {ref for node in listed.shown for ref in (node.owner, node.layer) if ref is not None}
        return render_template(
            "registered.html",
            location=found.location,
            shown=without_credentials(found.location.target),
            is_read=found.is_read,
            nodes=listed,
            known=ownership.nodes({*named, found.location.entity_ref}),
            tones=tones_by_layer(ownership.layers()),
            problems=Listed.of(found.problems),
            findings=Listed.of([item for item in ownership.findings(list(nodes)) if item.exemption is None]),
            place=_place_of,
            may_refresh=bool(asking.among("catalog.entity.refresh", [found.location.entity_ref])),
            why_not=against_unregistering(asking, locations, location_id),
        )

    @blueprint.post("/register/<location_id>/delete")
    def delete_location(location_id: str) -> ResponseReturnValue:
        told(_shown(locations.delete(location_id)))
        return redirect(url_for("web.register"), 303)

    def _form(*, target: str, rehearsal: Rehearsal | None = None, fault: str = "") -> str:
        wanted = request.args.get("q", "").strip()
        readable = () if asking.against(_READ) else locations.list()
        found = [(item, without_credentials(item.target)) for item in readable]
        return render_template(
            "register.html",
            target=_bare(target),
            fault=fault,
            rehearsal=rehearsal,
            suggestion=_suggestion(rehearsal),
            coming={item.node.ref: item.node for item in rehearsal.entities} if rehearsal is not None else {},
            entities=Listed.of(rehearsal.entities if rehearsal is not None else ()),
            problems=Listed.of(rehearsal.problems if rehearsal is not None else ()),
            findings=Listed.of(rehearsal.findings if rehearsal is not None else ()),
            tones=tones_by_layer(ownership.layers()),
            place=_place_of,
            place_at=_place_at,
            without_credentials=without_credentials,
            registered=Listed.of([item for item in reversed(found) if wanted.lower() in item[1].lower()]),
            count=len(found),
            wanted=wanted,
            why_not=asking.against(_CREATE),
        )


def _target() -> str:
    """Return what was pasted; whoever reads it tells what is no url."""
    return request.form.get("target", "").strip()[:_LONGEST_TARGET]


def _bare(target: str) -> str:
    """Return a target without a login, which is refused: browsers keep pages, and others what their addresses say."""
    return without_credentials(target) if holds_login(target) else target


def _without_login() -> ResponseReturnValue | None:
    """Return the way to the form without the login that its address holds, None where it holds none."""
    target = request.args.get("target", "")
    return redirect(url_for("web.register", target=_bare(target)), 303) if holds_login(target) else None


def _shown(location: Location) -> str:
    return f"{location.type}:{without_credentials(location.target)}"


def _suggestion(rehearsal: Rehearsal | None) -> str:
    """Return a catalog file to begin with, empty where there is none to propose."""
    if rehearsal is None or rehearsal.suggested is None:
        return ""
    from portal.ingest.yaml_text import to_yaml  # noqa: PLC0415  # what reads files is loaded when something is read

    entity: dict[str, Any] = dict(rehearsal.suggested)
    entity["spec"] = {**entity["spec"], "owner": "NAME-OF-A-GROUP"}
    return to_yaml(entity)


def _place_of(problem: Problem) -> Place:
    return _place_at(problem.location, problem.span.line if problem.span is not None else None)


def _place_at(location: str, line: int | None) -> Place:
    """Return the path of a file in its repository where the location tells it, else its url, with the line."""
    target = without_credentials(location.removeprefix("url:"))
    path = target.partition("#")[2].partition(":")[2] or target
    text = path if line is None else f"{path}:{line}"
    url = target if location.startswith("url:http") and "#" not in target and is_safe(target) else ""
    return Place(text, f"{url}#L{line}" if url and line is not None else url)
