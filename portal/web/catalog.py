"""The page of all entities as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from heapq import nsmallest

from flask import Blueprint, Response, make_response, render_template, request

from portal.model.ref import EntityRef
from portal.services.catalog import CatalogService
from portal.services.columns import FACETS, NONE, Columns, Entry
from portal.services.ownership import layer_views
from portal.services.table import SORTS, TableService, TableView
from portal.web.language import gettext
from portal.web.links import entity_url, owner_url
from portal.web.table_csv import csv_response
from portal.web.table_state import COLUMNS, TableState
from portal.web.tones import tones_by_layer

_AT_ONCE = 50
#: So many values of a facet are shown, those with most entities; of one that is opened so many.
_VALUES_SHOWN, _WIDE_SHOWN = 8, 300
_DESCRIPTION_SHOWN = 240


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a facet: `count` entities would be found by it."""

    value: str
    label: str
    count: int
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A facet with the values that are shown of it, of `total`."""

    name: str
    title: str
    choices: list[Choice]
    total: int

    @property
    def tells(self) -> bool:
        """Whether there is anything to choose: that nothing has a value is not."""
        return any(choice.value != NONE or choice.is_chosen for choice in self.choices)


@dataclass(frozen=True, slots=True)
class Named:
    """A reference as the table shows it; `url` is None for what is not in the catalog."""

    ref: str
    title: str
    url: str | None
    tone: int | None = None


@dataclass(frozen=True, slots=True)
class ShownRow:
    """An entity in the table."""

    ref: EntityRef
    title: str
    kind: str
    entry: Entry
    layer: Named | None
    owner: Named | None
    system: Named | None
    description: str


def add_catalog(blueprint: Blueprint, table: TableService, catalog: CatalogService) -> None:
    """Add the page, and the same as a file of comma-separated values."""

    @blueprint.get("/catalog", endpoint="catalog")
    def catalog_page() -> Response:
        state = TableState.of(request.args)
        view = table.view(state.query)
        first = view.first(state.place, direction=state.direction, limit=_AT_ONCE)
        entries = view.entries(first, _AT_ONCE)
        titles = _titles()
        tones = tones_by_layer(layer_views(table.layers(), (), {}))
        refs = [EntityRef(entry.row.ref) for entry in entries] if "description" in state.columns else []
        described = catalog.descriptions(refs, longest=_DESCRIPTION_SHOWN)
        last = first + len(entries)
        response = make_response(
            render_template(
                "catalog.html",
                state=state,
                titles=titles,
                facets=[facet for facet in (_facet(view, state, name, titles[name]) for name in FACETS) if facet.tells],
                chips=_chips(view.columns, state, titles),
                all_columns=COLUMNS,
                sorts=SORTS,
                rows=[_row(view.columns, entry, tones, described) for entry in entries],
                total=view.total,
                size=len(view.columns.refs),
                first=first + 1,
                last=last,
                newer=state.at(view.place(first), "before").url() if first and entries else None,
                older=state.at(view.place(last - 1), "after").url() if last < view.total and entries else None,
            )
        )
        if "HX-Request" in request.headers:
            # While somebody types, each letter shall not be a step of the way back.
            is_typing = request.headers.get("HX-Trigger") == "q"
            response.headers["HX-Replace-Url" if is_typing else "HX-Push-Url"] = state.url()
        response.vary.add("HX-Request")
        return response

    @blueprint.get("/catalog.csv")
    def catalog_csv() -> Response:
        return csv_response(table.view(TableState.of(request.args).query), catalog)


def _titles() -> dict[str, str]:
    """Return what facets and columns are called."""
    return {
        "title": gettext("Name"),
        "description": gettext("Description"),
        "kind": gettext("Kind"),
        "type": gettext("Type"),
        "layer": gettext("Layer"),
        "owner": gettext("Owner"),
        "system": gettext("System"),
        "lifecycle": gettext("Lifecycle"),
        "tag": gettext("Tag"),
        "tags": gettext("Tags"),
    }


def _facet(view: TableView, state: TableState, name: str, title: str) -> Facet:
    counts = view.counts(name)
    chosen = state.chosen.get(name, ())
    most = _WIDE_SHOWN if state.wide == name else _VALUES_SHOWN
    # Those without any come last, however many they are. Of thousands of values only those shown get their names.
    ranked = nsmallest(most, counts, key=lambda value: (value == NONE, -counts[value], value))
    shown = [*ranked, *(value for value in chosen if value not in ranked)]
    choices = [
        Choice(value, _label(view.columns, name, value), counts.get(value, 0), value in chosen) for value in shown
    ]
    choices.sort(key=lambda choice: (choice.value == NONE, -choice.count, choice.label.lower()))
    return Facet(name, title, choices, len(counts))


def _label(columns: Columns, facet: str, value: str) -> str:
    return gettext("none") if value == NONE else columns.name(facet, value)


def _chips(columns: Columns, state: TableState, titles: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (facet, value, address without it) of each filter."""
    return [
        (titles[facet], _label(columns, facet, value), state.without(facet, value).url())
        for facet, values in state.chosen.items()
        for value in values
    ]


def _row(
    columns: Columns, entry: Entry, tones: Mapping[EntityRef, int], described: Mapping[EntityRef, str]
) -> ShownRow:
    row = entry.row
    ref = EntityRef(row.ref)
    layer = _named(columns, row.layer)
    if layer is not None:
        layer = Named(layer.ref, layer.title, layer.url, tones.get(EntityRef(layer.ref), 0))
    return ShownRow(
        ref,
        row.title,
        columns.name("kind", row.kind),
        entry,
        layer,
        _named(columns, row.owner, address=owner_url),
        _named(columns, row.system),
        described.get(ref, ""),
    )


def _named(columns: Columns, text: str | None, *, address: Callable[[str], str] = entity_url) -> Named | None:
    if text is None:
        return None
    found = columns.entry(text)
    if found is None:
        return Named(text, text, None)
    return Named(text, found.row.title, address(text))
