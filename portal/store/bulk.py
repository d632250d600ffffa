"""Inserts many rows on a thread of its own, while those that come next are made."""

from __future__ import annotations

import sys
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from operator import itemgetter
from typing import Any

import orjson
from psycopg.copy import LibpqWriter
from sqlalchemy import Connection, TableClause, event

from portal.store.dialect import CHUNK, in_chunks

_OPTION = "portal_behind"
#: Fewer rows than this are not worth the other thread.
_FEW = 100
#: So many inserts wait at most: each holds its rows as text.
_WAITING = 2
#: So many rows are gathered at first, and twice as many each time up to so many, about 16 MB: while a table is small
#: its pages stay in memory anyway, and what is inserted early need not be waited for at the end.
_FIRST, _MOST = 10_000, 20_000
#: Eight bytes each while they are gathered.
_PAIRS = 10
#: Characters of a row from which on its values are long.
_LONG = 500
#: Below SQLite's limit of values in one statement, 32,766.
_VALUES = 30_000
#: The thread that inserts needs Python's lock a few times for each insert, a moment each; it waits so long for it,
#: instead of five milliseconds. One transaction at a time writes.
_TURN_S = 0.001
#: So many bytes go to PostgreSQL in one call.
_AT_ONCE = 1 << 20
#: What comes before and after rows, and a row of two whole numbers that are 0, eight bytes each.
#: Rule: PostgreSQL 16, "COPY", Binary Format.
_BEFORE, _AFTER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_PAIR = b"\0\2" + 2 * (b"\0\0\0\x08" + bytes(8))


class _Behind:
    """Runs inserts in their order on one thread."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Future[None]] = deque()

    def run(self, work: Callable[[], None]) -> None:
        """Run work after all that was given before; what that raises is raised by a later call."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="portal-insert")
        while len(self._pending) >= _WAITING:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(work))

    def settle(self) -> None:
        """Wait until all is done."""
        while self._pending:
            self._pending.popleft().result()

    def close(self) -> None:
        """Let go of what has not begun, wait for what has."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


@contextmanager
def behind(connection: Connection) -> Iterator[None]:
    """Let large inserts of a transaction run on a thread of their own until the block ends.

    Every other statement waits for them, and so does the end of the block: nobody sees a difference but in time. An
    insert that fails is raised by what comes after it.
    """
    queue = _Behind()
    connection.execution_options(**{_OPTION: queue})
    event.listen(connection, "before_cursor_execute", lambda *_: queue.settle())
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    try:
        yield
        queue.settle()
    finally:
        sys.setswitchinterval(interval)
        queue.close()


def insert_rows(connection: Connection, table: TableClause, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns."""
    if rows:
        columns = list(rows[0])
        insert_tuples(connection, table, columns, [tuple([row[name] for name in columns]) for row in rows])


def insert_tuples(
    connection: Connection, table: TableClause, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows given by position: COPY on PostgreSQL, one statement on SQLite.

    Values are None, texts, numbers, booleans.
    """
    name, names = _quoted(connection, table, columns)
    queue = _queue(connection) if len(rows) > _FEW else None
    if connection.dialect.name == "postgresql":
        # One text for many rows: the driver's own writing of a row costs as much as the server's reading. It is made
        # here and not behind, as the server is what is waited for.
        texts = [_tuple_lines(chunk).encode() for chunk in in_chunks(rows)]
        _copy(connection, f"COPY {name} ({names}) FROM STDIN", texts, queue)
        return
    insert, marks = f"INSERT INTO {name} ({names})", f"({', '.join('?' * len(columns))})"
    # On a thread of its own, one statement for many rows: for each row of an `executemany` Python's lock is let go, to
    # be waited for again. Short values go in faster as one text, long ones one by one.
    if queue is not None and sum(len(value) for value in rows[0] if isinstance(value, str)) > _LONG:
        for chunk in in_chunks(rows, _VALUES // len(columns)):
            _run(connection, f"{insert} VALUES {', '.join([marks] * len(chunk))}", [*chain.from_iterable(chunk)], queue)
    elif queue is not None:
        values = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(len(columns)))
        statement = f"{insert} SELECT {values} FROM json_each(?)"  # noqa: S608  # our tables' names
        _run(connection, statement, [orjson.dumps(rows).decode()], queue)
    elif rows:
        # The driver takes tuples as they are; SQLAlchemy's own executemany spends as long again on binding each row.
        connection.exec_driver_sql(f"{insert} VALUES {marks}", list(rows))


def insert_pairs(connection: Connection, table: TableClause, columns: tuple[str, str], pairs: Sequence[int]) -> None:
    """Insert pairs of whole numbers below 2**31, each pair given as one number: the first times 2**32, the second."""
    name, names = _quoted(connection, table, columns)
    queue = _queue(connection) if len(pairs) > _FEW else None
    if connection.dialect.name == "postgresql":
        texts = [_BEFORE, *(_pair_rows(chunk) for chunk in in_chunks(pairs, _PAIRS * CHUNK)), _AFTER]
        _copy(connection, f"COPY {name} ({names}) FROM STDIN (FORMAT binary)", texts, queue)
    elif pairs:
        # One text of numbers: binding each of them costs more than all that SQLite does with it.
        values = "value >> 32, value & 4294967295"
        statement = f"INSERT INTO {name} ({names}) SELECT {values} FROM json_each(?)"  # noqa: S608  # our tables' names
        _run(connection, statement, [orjson.dumps(pairs).decode()], queue)


class SortedRows:
    """Gathers rows of one table to insert many at once in their order.

    Neighbours then fall into the same pages of the table and its indexes: inserting batch by batch as rows are found
    writes each page of a large table as many times as there are batches.
    """

    def __init__(
        self, connection: Connection, table: TableClause, columns: Sequence[str], *, order: Sequence[int] = ()
    ) -> None:
        self._connection = connection
        self._table = table
        self._columns = columns
        #: The places of the values that make the order; none: the order is that of the rows themselves.
        self._order = itemgetter(*order) if order else None
        self._rows: list[tuple[Any, ...]] = []
        self._enough = _FIRST

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take in rows, which are inserted when many have come together, or by `flush`."""
        self._rows.extend(rows)
        if len(self._rows) >= self._enough:
            self.flush()
            self._enough = min(2 * self._enough, _MOST)

    def flush(self) -> None:
        """Insert what has been gathered."""
        rows, self._rows = sorted(self._rows, key=self._order), []
        for chunk in in_chunks(rows):
            insert_tuples(self._connection, self._table, self._columns, chunk)


class SortedPairs:
    """Gathers pairs as `insert_pairs` takes them, to insert many at once in their order as `SortedRows` does."""

    def __init__(self, connection: Connection, table: TableClause, columns: tuple[str, str]) -> None:
        self._connection = connection
        self._table = table
        self._columns = columns
        self._pairs = array("q")
        self._enough = _PAIRS * _FIRST

    def add(self, pairs: Iterable[int]) -> None:
        """Take in pairs, which are inserted when many have come together, or by `flush`."""
        self._pairs.extend(pairs)
        if len(self._pairs) >= self._enough:
            self.flush()
            self._enough = min(2 * self._enough, _PAIRS * _MOST)

    def flush(self) -> None:
        """Insert what has been gathered."""
        pairs, self._pairs = sorted(self._pairs), array("q")
        for chunk in in_chunks(pairs, _PAIRS * CHUNK):
            insert_pairs(self._connection, self._table, self._columns, chunk)


def _quoted(connection: Connection, table: TableClause, columns: Sequence[str]) -> tuple[str, str]:
    preparer = connection.dialect.identifier_preparer
    return preparer.format_table(table), ", ".join(map(preparer.quote, columns))


def _queue(connection: Connection) -> _Behind | None:
    found: _Behind | None = connection.get_execution_options().get(_OPTION)
    return found


def _run(connection: Connection, statement: str, values: Sequence[Any], queue: _Behind | None) -> None:
    if queue is None:
        connection.exec_driver_sql(statement, tuple(values))
        return
    driver = _driver(connection)

    def work() -> None:
        driver.execute(statement, values).close()

    queue.run(work)


def _copy(connection: Connection, statement: str, texts: Sequence[bytes], queue: _Behind | None) -> None:
    driver = _driver(connection)

    def work() -> None:
        with driver.cursor() as cursor, cursor.copy(statement, writer=_BlockingWriter(cursor)) as copy:
            for text in texts:
                copy.write(text)

    if queue is not None:
        queue.run(work)
        return
    running = _queue(connection)
    if running is not None:
        # SQLAlchemy does not see this statement.
        running.settle()
    work()


class _BlockingWriter(LibpqWriter):
    """Sends what it is given in as few calls as can be.

    The driver's own writer comes back after each few kilobytes, and waits for Python's lock each time.
    """

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; return when the server has them."""
        self._pgconn.nonblocking = 0
        try:
            for start in range(0, len(data), _AT_ONCE):
                self._pgconn.put_copy_data(data[start : start + _AT_ONCE])
        finally:
            self._pgconn.nonblocking = 1


def _driver(connection: Connection) -> Any:
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection is closed")
    return driver


def _tuple_lines(rows: Sequence[tuple[Any, ...]]) -> str:
    """Return rows as COPY's text format wants them. Rule: PostgreSQL 16, "COPY", File Formats."""
    line = "\t".join(["%s"] * len(rows[0])) + "\n"
    # No text that PostgreSQL takes holds the character that stands for None meanwhile.
    full = [tuple(["\0" if value is None else value for value in row]) if None in row else row for row in rows]
    text = "".join([line % row for row in full])
    has_marks = "\\" in text or "\r" in text or text.count("\n") > len(rows)
    if has_marks or text.count("\t") > len(rows) * line.count("\t"):
        return "".join(["\t".join([_copy_value(value) for value in row]) + "\n" for row in rows])
    return text.replace("\0", "\\N")


def _pair_rows(pairs: Sequence[int]) -> bytes:
    """Return pairs as COPY's binary format wants them, put together byte by byte of all pairs at once."""
    numbers = array("q", pairs)
    if sys.byteorder == "little":
        numbers.byteswap()
    halves, rows = numbers.tobytes(), bytearray(_PAIR * len(numbers))
    for place in range(4):
        rows[10 + place :: len(_PAIR)] = halves[place::8]
        rows[22 + place :: len(_PAIR)] = halves[4 + place :: 8]
    return bytes(rows)


def _copy_value(value: Any) -> str:
    if value is None:
        return "\\N"
    text = str(value)
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return text
