"""The pages of what is there to be used: routes for programs; actions, filters for templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, render_template, request, url_for
from markupsafe import Markup

from portal.model.sentence import Sentence
from portal.web.api_schema import Schemas
from portal.web.api_view import ApiView, Budget, Group, Shape
from portal.web.language import language, translated

if TYPE_CHECKING:
    from portal.services.scaffolding import ScaffoldingService

#: What stands for the types of all routes where a part of the reference is named.
_TYPES = "types"
#: The members of an OpenAPI document that people read.
_WORDS = frozenset({"summary", "description"})
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
    view_in = cache(lambda _language: _view(_translated(document())))
    offers = cache(lambda: _offers(scaffolding.actions(), extensions()))

    def view() -> ApiView:
        return view_in(language())

    @cache
    def entries(_root: str, _language: str, part: str) -> Markup:
        """Return what a part of the reference tells, for a language, where all pages are below `_root`.

        It stays as long as the server runs, and takes longer to be written than all else of the page.
        """
        types = "" if part == _TYPES else url_for("web.api_reference", part=_TYPES)
        return Markup(render_template("reference_part.html", shown=_groups(view())[part], types=types))  # noqa: S704  # of our own template

    @cache
    def inside(_root: str, _language: str, sort: str, number: int) -> Markup:
        """Return what an offer tells when it is opened, by its sort and number there; as `entries` does."""
        return Markup(render_template("offer.html", item=offers()[sort][number]))  # noqa: S704  # of our own template

    @blueprint.get("/tools/api")
    def api_reference() -> str:
        part = request.args.get("part", "")
        # One part at a time: all of them together weigh more than everything else that a first visit loads.
        groups = _groups(view())
        if part and part not in groups:
            abort(404, Sentence("The reference has no part %(part)s.", part=part))
        return render_template(
            "reference.html",
            view=view(),
            groups=groups,
            part=part,
            shown=groups.get(part),
            entries=entries(request.script_root, language(), part) if part else "",
        )

    @blueprint.get("/tools/actions")
    def actions() -> str:
        words = request.args.get("q", "").strip()
        found = {
            sort: [
                (item, inside(request.script_root, language(), sort, number))
                for number, item in enumerate(items)
                if _has(item, words)
            ]
            for sort, items in offers().items()
        }
        return render_template("actions.html", wanted=words, actions=found.pop("actions"), extended=found)


def _groups(view: ApiView) -> Mapping[str, Group]:
    """Return the parts of the reference by the name that addresses have for them."""
    return {_TYPES if group.sort == _TYPES else group.name: group for group in view.groups}


def _offers(actions: Sequence[Mapping[str, Any]], extensions: Mapping[str, Any]) -> Mapping[str, Sequence[Offer]]:
    """Return everything that templates can use, by its sort."""
    sorts = {
        "filters": extensions["filters"],
        "functions": extensions["globals"]["functions"],
        "values": extensions["globals"]["values"],
    }
    return {
        "actions": [_offer(item["id"], item) for item in actions],
        **{name: [_offer(key, item) for key, item in sorted(items.items())] for name, items in sorts.items()},
    }


def _translated(told: Any) -> Any:
    """Return a part of the OpenAPI document with what it says in words in the reader's language."""
    if isinstance(told, Mapping):
        return {
            name: translated(value) if name in _WORDS and isinstance(value, str) else _translated(value)
            for name, value in told.items()
        }
    return [_translated(item) for item in told] if isinstance(told, list) else told


def _view(document: Mapping[str, Any]) -> ApiView:
    from portal.web.openapi_view import openapi_view  # noqa: PLC0415  # few pages show a definition

    return openapi_view(document, budget=Budget(entries=_ENTRIES, rows=_ROWS))


def _has(offer: Offer, words: str) -> bool:
    text = f"{offer.name} {offer.description} {translated(offer.description)}".lower()
    return all(word in text for word in words.lower().split())


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
