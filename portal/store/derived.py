"""Keeps lists that follow from the newest survey of the catalog, so that a page of them is read alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, delete, select

from portal.store.bulk import insert_tuples
from portal.store.dialect import WANTED, among_wanted, in_chunks
from portal.store.tables import derived

_AT_ONCE = 200
_WHOLE = (
    select(derived.c.name, derived.c.body).where(among_wanted(derived.c.name)).order_by(derived.c.name, derived.c.part)
)


def put(connection: Connection, lists: Mapping[str, Sequence[Any]]) -> None:
    """Keep these lists of JSON values, by name, instead of all that are kept."""
    connection.execute(delete(derived))
    rows = [
        (name, part, orjson.dumps(items[start : start + _AT_ONCE]).decode())
        for name, items in lists.items()
        for part, start in enumerate(range(0, len(items), _AT_ONCE))
    ]
    insert_tuples(connection, derived, ("name", "part", "body"), rows)


def pages(connection: Connection, names: Sequence[str], *, limit: int, offset: int) -> dict[str, list[Any]]:
    """Return the same page of several lists; that of one that is not kept is empty."""
    first, last = offset // _AT_ONCE, (offset + limit - 1) // _AT_ONCE
    wanted = (
        select(derived.c.name, derived.c.body)
        .where(derived.c.name.in_(names), derived.c.part.between(first, last))
        .order_by(derived.c.name, derived.c.part)
    )
    found: dict[str, list[Any]] = {name: [] for name in names}
    for name, items in connection.execute(wanted):
        found[name] += orjson.loads(items)
    start = offset - first * _AT_ONCE
    return {name: items[start : start + limit] for name, items in found.items()}


def whole_lists(connection: Connection, names: Collection[str]) -> dict[str, list[Any]]:
    """Return several lists; those that are not kept are left out."""
    found: dict[str, list[Any]] = {}
    for chunk in in_chunks(sorted(names)):
        for name, body in connection.execute(_WHOLE, {WANTED: chunk}):
            found.setdefault(name, []).extend(orjson.loads(body))
    return found


def whole(connection: Connection, name: str) -> list[Any]:
    """Return a list; one that is not kept is empty."""
    return whole_lists(connection, [name]).get(name, [])
