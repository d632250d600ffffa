"""Numbers texts that are told often, so that rows elsewhere name them by number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, Table, func, select

from portal.store.bulk import SortedRows
from portal.store.dialect import in_chunks, matching_rows

#: So many are remembered between calls (about 200 bytes each); the others are looked up.
_REMEMBERED = 40_000


class Numbering:
    """Gives the rows of a table numbers in one transaction: `id` beside the text that is its other column.

    What is new is gathered; `flush` comes before anything reads it.
    """

    def __init__(self, connection: Connection, table: Table, column: str) -> None:
        self._connection = connection
        self._wanted = table.c.id, [table.c[column]]
        self._rows = SortedRows(connection, table, ("id", column), order=(1,))
        self._ids: dict[str, int] = {}
        self._next = int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()) + 1
        #: Whether what is not remembered is new.
        self._knows_all = self._next == 1

    @property
    def next_id(self) -> int:
        """The number that the next new text will have."""
        return self._next

    def ids(self, texts: Iterable[str]) -> Mapping[str, int]:
        """Return numbers by text, those of all texts given among them; what is new is added."""
        ids = self._ids
        if len(ids) > _REMEMBERED:
            self._rows.flush()
            ids = self._ids = {}
            self._knows_all = False
        missing = list(dict.fromkeys(text for text in texts if text not in ids))
        if missing and not self._knows_all:
            for chunk in in_chunks(missing):
                found = matching_rows(self._connection, self._wanted, [(text,) for text in chunk])
                ids.update((text, number) for number, text in found)
            missing = [text for text in missing if text not in ids]
        numbered = dict(zip(missing, range(self._next, self._next + len(missing)), strict=True))
        self._rows.add((number, text) for text, number in numbered.items())
        ids.update(numbered)
        self._next += len(missing)
        return ids

    def flush(self) -> None:
        """Write what has been gathered."""
        self._rows.flush()
