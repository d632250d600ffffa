"""The pages of what is there to be used: routes for programs; actions, filters for templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, render_template, request

from portal.web.api_schema import Schemas
from portal.web.api_view import ApiView, Budget, Shape

if TYPE_CHECKING:
    from portal.services.scaffolding import ScaffoldingService

#: What stands for the types of all routes where a part of the reference is named.
_TYPES = "types"
#: More than Portal's own description has: nothing of it is left out.
_ENTRIES, _ROWS = 10_000, 1_000_000


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that a template can use: an action, a filter, a function, a value."""

    name: str
    description: str
    shapes: Sequence[Shape]
    examples: Sequence[Mapping[str, Any]]
    value: str = ""


def add_reference(
    blueprint: Blueprint,
    document: Callable[[], Mapping[str, Any]],
    scaffolding: ScaffoldingService,
    extensions: Callable[[], Mapping[str, Any]],
) -> None:
    """Add the pages. `document` gives the OpenAPI description of all routes, `extensions` filters and functions."""
    views: list[ApiView] = []

    @blueprint.get("/tools/api")
    def api_reference() -> str:
        if not views:
            views.append(_view(document()))
        view, part = views[0], request.args.get("part", "")
        # One part at a time: all of them together weigh more than everything else that a first visit loads.
        groups = {_TYPES if group.sort == _TYPES else group.name: group for group in view.groups}
        if part and part not in groups:
            abort(404, f"The reference has no part {part}.")
        return render_template("reference.html", view=view, groups=groups, part=part, shown=groups.get(part))

    @blueprint.get("/tools/actions")
    def actions() -> str:
        words = request.args.get("q", "").strip()
        found = [_offer(item["id"], item) for item in scaffolding.actions()]
        told = extensions()
        extended = {
            name: [_offer(key, item) for key, item in sorted(items.items())]
            for name, items in (
                ("filters", told["filters"]),
                ("functions", told["globals"]["functions"]),
                ("values", told["globals"]["values"]),
            )
        }
        return render_template(
            "actions.html",
            wanted=words,
            count=len(found),
            actions=_matching(found, words),
            extended={name: _matching(items, words) for name, items in extended.items()},
        )


def _view(document: Mapping[str, Any]) -> ApiView:
    from portal.web.openapi_view import openapi_view  # noqa: PLC0415  # few pages show a definition

    return openapi_view(document, budget=Budget(entries=_ENTRIES, rows=_ROWS))


def _matching(offers: Sequence[Offer], words: str) -> list[Offer]:
    return [item for item in offers if all(word in _text(item) for word in words.lower().split())]


def _text(offer: Offer) -> str:
    return f"{offer.name} {offer.description}".lower()


def _offer(name: str, told: Mapping[str, Any]) -> Offer:
    """Return what the API tells of an action or extension, its schemas as rows."""
    schema = told.get("schema") or {}
    schemas = Schemas(schema, Budget(), places=())
    shapes = [schemas.shape(use, schema[use]) for use in ("input", "output") if schema.get(use)]
    arguments = schema.get("arguments") or ()
    if arguments:
        rows = tuple(schemas.row(str(number), item) for number, item in enumerate(arguments, 1))
        shapes.insert(min(1, len(shapes)), Shape("parameters", rows=rows))
    value = "" if "value" not in told else str(told["value"])
    return Offer(name, told.get("description") or "", shapes, told.get("examples") or (), value)
