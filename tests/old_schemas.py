"""Databases as earlier versions of the schema had them, made from the rows of today's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from sqlalchemy import Connection, column, inspect, table

from portal.model.searchable import searchable
from portal.store import dump
from portal.store.migrate import run_migrations
from portal.store.search import put_words
from portal.store.tables import metadata

Rows = dict[str, list[dict[str, Any]]]


def rows_of(connection: Connection) -> Rows:
    """Return all rows of a database, by table."""
    _, layouts = dump.layouts(connection)
    return {
        item.name: [
            dict(zip(item.columns, row, strict=True)) for rows in dump.portions(connection, item) for row in rows
        ]
        for item in layouts
    }


def make_old(connection: Connection, rows: Rows, version: str) -> None:
    """Make the tables of a version in an empty database, with rows as they were then."""
    run_migrations(connection, version)
    old = {name: [dict(row) for row in found] for name, found in rows.items()}
    for undone in sorted(_UNDO, reverse=True):
        if undone > version:
            _UNDO[undone](old)
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    for name in [item.name for item in metadata.sorted_tables if item.name in there]:
        # What came with a later version is left out: tables, columns.
        columns = [item["name"] for item in inspector.get_columns(name)]
        found = [{key: row[key] for key in columns if key in row} for row in old[name]]
        if found:
            connection.execute(table(name, *map(column, found[0])).insert(), found)
    if version >= "0006":
        # Since then words are kept in tables that are each database's own.
        words = {row["id"]: searchable(orjson.loads(row["body"])) for row in rows["entities"]}
        put_words(connection, words, new=list(words))


def _declared_in_documents(rows: Rows) -> None:
    """Undo 0009: each document tells its own text."""
    told = {(row["ref"], row["digest"]): row["declared"] for row in rows["versions"] if row["change"] != "removed"}
    for row in rows["documents"]:
        if row["declared"] is None:
            row["declared"] = told[row["ref"], row["digest"]]


def _relations_by_name(rows: Rows) -> None:
    """Undo 0008: relations name references and types in full."""
    refs = {row["id"]: row["ref"] for row in rows["refs"]}
    types = {row["id"]: row["name"] for row in rows["relation_types"]}
    rows["relations"] = [
        {
            "source": refs[row["source_id"]],
            "type": types[row["type_id"]],
            "target": refs[row["target_id"]],
            "is_inverse": row["is_inverse"],
        }
        for row in rows["relations"]
    ]


def _relations_in_index(rows: Rows) -> None:
    """Undo 0007: relations name their origin, and are terms as uids are."""
    ids = {row["ref"]: row["id"] for row in rows["entities"]}
    told = [(row["id"], "metadata.uid", row["uid"]) for row in rows["entities"]]
    for row in rows["relations"]:
        row["origin"] = row["target"] if row["is_inverse"] else row["source"]
        if row["source"] in ids:
            told.append((ids[row["source"]], f"relations.{row['type'].lower()}", row["target"]))
    terms = {(row["key"], row["value"], row["display"]): row["id"] for row in rows["terms"]}
    postings = {(row["term_id"], row["entity_id"]) for row in rows["postings"]}
    for entity, key, value in told:
        number = terms.setdefault((key, value, value), max(terms.values()) + 1)
        postings.add((number, entity))
    rows["terms"] = [{"id": n, "key": k, "value": v, "display": d} for (k, v, d), n in terms.items()]
    rows["postings"] = [{"term_id": term, "entity_id": entity} for term, entity in sorted(postings)]


def _findings_in_json(rows: Rows) -> None:
    """Undo 0023: findings tell most in one text."""
    for row in rows["findings"]:
        related, exemption = (orjson.loads(row[name] or "null") for name in ("related", "exemption"))
        more = {"fix": row["fix"], "related": related or [], "exemption": exemption}
        row["more"] = orjson.dumps(more | {"said": [row["said"], row["said_fix"]]}).decode()


#: What a migration did to rows that were there, undone; what it only added needs no word here.
_UNDO: dict[str, Callable[[Rows], None]] = {
    "0007": _relations_in_index,
    "0008": _relations_by_name,
    "0009": _declared_in_documents,
    "0023": _findings_in_json,
}
