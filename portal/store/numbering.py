"""Numbers texts that are told often, so that rows elsewhere name them by number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, Table, func, select

from portal.store.bulk import SortedRows
from portal.store.dialect import in_chunks, matching_rows

#: So many are remembered between calls (about 200 bytes each); the others are looked up.
_REMEMBERED = 300_000

Key = str | tuple[str, ...]


class Numbering:
    """Gives the rows of a table numbers in one transaction: `id` beside the columns that make its key.

    A key is the text of one column, or a tuple of the texts of several. What is new is gathered; `flush` comes before
    anything reads it.
    """

    def __init__(self, connection: Connection, table: Table, columns: Sequence[str]) -> None:
        self._connection = connection
        self._wanted = table.c.id, [table.c[name] for name in columns]
        self._is_text = len(columns) == 1
        self._rows = SortedRows(connection, table, ("id", *columns), order=range(1, len(columns) + 1))
        self._ids: dict[Key, int] = {}
        self._next = int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()) + 1
        #: Whether what is not remembered is new.
        self._knows_all = self._next == 1

    def ids(self, keys: Iterable[Key]) -> Mapping[Key, int]:
        """Return numbers by key, those of all keys given among them; what is new is added."""
        ids = self._ids
        if len(ids) > _REMEMBERED:
            self._rows.flush()
            ids = self._ids = {}
            self._knows_all = False
        missing = list(dict.fromkeys(key for key in keys if key not in ids))
        if missing and not self._knows_all:
            for chunk in in_chunks(missing):
                asked = [(key,) if isinstance(key, str) else key for key in chunk]
                for number, *key in matching_rows(self._connection, self._wanted, asked):
                    ids[key[0] if self._is_text else tuple(key)] = number
            missing = [key for key in missing if key not in ids]
        numbered = dict(zip(missing, range(self._next, self._next + len(missing)), strict=True))
        self._rows.add((number, key) if isinstance(key, str) else (number, *key) for key, number in numbered.items())
        ids.update(numbered)
        self._next += len(missing)
        return ids

    def flush(self) -> None:
        """Write what has been gathered."""
        self._rows.flush()
