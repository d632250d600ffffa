"""The catalog's table as comma-separated values, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import orjson
from flask import Response

from portal.model.ref import EntityRef
from portal.services.catalog import CatalogService
from portal.services.columns import Entry
from portal.services.table import TableView

_AT_ONCE = 1_000
_HEADINGS = (
    "ref",
    "kind",
    "namespace",
    "name",
    "title",
    "type",
    "layer",
    "owner",
    "system",
    "lifecycle",
    "tags",
    "description",
)
#: What a spreadsheet takes for the beginning of a formula. Rule: owasp.org, CSV Injection.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
#: By which spreadsheets know that it is UTF-8.
_MARK = "\ufeff"


def csv_response(view: TableView, catalog: CatalogService) -> Response:
    """Return all that a query finds, sent while it is read; headings are the same in every language."""

    def lines() -> Iterator[str]:
        yield _MARK + _lines([_HEADINGS])
        for first in range(0, view.total, _AT_ONCE):
            entries = view.entries(first, _AT_ONCE)
            bodies = catalog.by_refs([EntityRef(entry.row.ref) for entry in entries])
            # What is gone meanwhile has no line.
            told = [(entry, bodies.get(EntityRef(entry.row.ref))) for entry in entries]
            yield _lines([_cells(entry, body) for entry, body in told if body is not None])

    response = Response(lines(), mimetype="text/csv")
    response.headers["Content-Disposition"] = "attachment; filename=catalog.csv"
    response.headers["Cache-Control"] = "no-store"
    return response


def _cells(entry: Entry, body: str) -> Sequence[str]:
    document = orjson.loads(body)
    row, metadata = entry.row, document["metadata"]
    return [
        _guarded(cell)
        for cell in (
            row.ref,
            document["kind"],
            metadata.get("namespace") or EntityRef(row.ref).namespace,
            metadata["name"],
            row.title,
            entry.type,
            row.layer or "",
            row.owner or "",
            row.system or "",
            entry.lifecycle,
            " ".join(entry.tags),
            metadata.get("description") or "",
        )
    ]


def _guarded(cell: object) -> str:
    text = str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _lines(rows: Sequence[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
