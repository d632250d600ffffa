"""Reads all rows of a database, table by table, in an order that both databases share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Connection, String, collate, column, func, inspect, null, select, table

from portal.errors import ConflictError
from portal.store.schema import newest_version, table_names, version_of
from portal.store.tables import metadata

#: What no copy of a database holds: secrets of tasks, even as ciphertext. A restored task does not go on, see
#: `portal.store.replacing`.
LEFT_OUT = frozenset({("tasks", "secrets")})
#: A portion ends with so many rows, or so many characters.
_MOST_ROWS, _MOST_CHARACTERS = 1_000, 1 << 20
_FETCHED = 500


@dataclass(frozen=True, slots=True)
class Layout:
    """A table as it is in a database now, which may have an older schema than this code: names, key, size."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: int


def layouts(connection: Connection) -> tuple[str, list[Layout]]:
    """Return the schema's version with the tables that are there, those that others refer to first.

    The words for full text are not among them: each database keeps these in its own way, and they follow from entities.
    Raises `ConflictError` for a database without Portal's tables, or with tables that this code does not know yet.
    """
    version = version_of(connection)
    if not version:
        raise ConflictError("The database holds no tables of Portal yet; there is nothing to back up")
    if version > newest_version():
        raise ConflictError(
            f"The database has schema {version}; this Portal knows schemas up to {newest_version()}. Use the Portal "
            "that the database belongs to"
        )
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    found = []
    for name in [name for name in table_names() if name in there]:
        names = [str(item["name"]) for item in inspector.get_columns(name)]
        # Columns that migrations added stand last there, and elsewhere in a table that was made at once.
        declared = metadata.tables[name].columns.keys() if name in metadata.tables else []
        known = [column_name for column_name in declared if column_name in names]
        columns = (*known, *sorted(set(names) - set(known)))
        key = tuple(map(str, inspector.get_pk_constraint(name)["constrained_columns"])) or columns
        rows = connection.execute(select(func.count()).select_from(table(name))).scalar_one()
        found.append(Layout(name, columns, key, rows))
    return version, found


def portions(connection: Connection, layout: Layout) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Yield the rows of a table by its key, a few at a time; values are None, texts, numbers, booleans."""
    types = {item["name"]: item["type"] for item in inspect(connection).get_columns(layout.name)}
    source = table(layout.name, *(column(name, types[name]) for name in layout.columns))
    shown = [null().label(name) if (layout.name, name) in LEFT_OUT else source.c[name] for name in layout.columns]
    is_postgresql = connection.dialect.name == "postgresql"
    order = [
        collate(source.c[name], "C") if is_postgresql and isinstance(types[name], String) else source.c[name]
        for name in layout.key
    ]
    options = {"stream_results": True, "yield_per": _FETCHED}
    flags = [place for place, name in enumerate(layout.columns) if isinstance(types[name], Boolean)]
    texts = [place for place, name in enumerate(layout.columns) if isinstance(types[name], String)]
    gathered: list[tuple[Any, ...]] = []
    size = 0
    with connection.execute(select(*shown).order_by(*order), execution_options=options) as rows:
        for row in rows:
            # SQLite gives what was written past SQLAlchemy as a number.
            gathered.append(_with_booleans(row, flags) if flags else tuple(row))
            size += sum([len(row[place] or "") for place in texts])
            if len(gathered) >= _MOST_ROWS or size >= _MOST_CHARACTERS:
                yield gathered
                gathered, size = [], 0
    if gathered:
        yield gathered


def _with_booleans(row: Sequence[Any], places: Sequence[int]) -> tuple[Any, ...]:
    values = list(row)
    for place in places:
        values[place] = None if values[place] is None else bool(values[place])
    return tuple(values)
