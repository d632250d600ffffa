"""What differs between the two databases, SQLite beside PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, TypeVar, cast

import orjson

# DBOS needs it, and is imported beside requests: a thread that builds a statement while this is half imported fails in
# SQLAlchemy's inspection (seen: `sqlalchemy.orm.exc` has no attribute `UnmappedClassError`).
import sqlalchemy.orm  # noqa: F401
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Dialect,
    Engine,
    Integer,
    Select,
    TableValuedAlias,
    Text,
    TypeDecorator,
    any_,
    bindparam,
    create_engine,
    event,
    func,
    literal,
    text,
    true,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeEngine, UserDefinedType

from portal.errors import SettingsError

Value = TypeVar("Value")

#: Values in one IN list: far below SQLite's limit of 32,766 and PostgreSQL's of 65,535 parameters.
CHUNK = 5_000
#: The name of the values that a statement with `among_wanted` is asked for.
WANTED = "wanted"
#: By which PostgreSQL knows our connections among others.
APPLICATION = "portal"
#: How long a connection of SQLite waits for another that writes.
BUSY_TIMEOUT_SECONDS = 60
#: Since when a connection of the pool has not been used, and how long that may be before it is asked whether it lives.
_RESTS_SINCE = "portal_rests_since"
_REST_SECONDS = 1.0
#: The option of a connection that holds what was found out in its transaction.
_FOUND = "portal_found"
#: So much of a SQLite file is read where the system keeps it, if a program wants that: each of its connections would
#: copy the same pages into a memory of its own (measured: half of what a connection takes to look through 300,000 texts
#: for the first time). Never by one that writes, which would hold all that it has written.
_MAPPED_BYTES = 1 << 31


def open_engine(url: str, *, maps_file: bool = False) -> Engine:
    """Return an engine for a database url (`sqlite:///path` or `postgresql://…`), set up alike for both.

    `maps_file` says that a SQLite file is read where the system keeps it.
    Raises `SettingsError` for a url of another database, or one that cannot be understood.
    """
    try:
        parsed = make_url(url)
    except Exception as error:
        raise SettingsError(
            "The database url cannot be understood; expected sqlite:///path or postgresql://…"
        ) from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _sqlite_engine(parsed, mapped_bytes=_MAPPED_BYTES if maps_file else 0)
    if backend == "postgresql":
        return _postgresql_engine(parsed.set(drivername="postgresql+psycopg"))
    raise SettingsError(f'The database "{backend}" is not supported; expected sqlite or postgresql')


def _postgresql_engine(url: URL) -> Engine:
    # What a statement that failed was given may not be seen: its fault goes to the log.
    engine = create_engine(url, pool_size=10, hide_parameters=True)
    ping_idle(engine)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.autocommit = True
        # Sets of ids are looked through row by row where the server expects them to outgrow its memory for one step;
        # compiling a statement takes longer than any of ours.
        connection.execute("SET work_mem = '64MB'")
        connection.execute("SET jit = off")
        connection.execute(f"SET application_name = '{APPLICATION}'")
        connection.autocommit = False

    return engine


def ping_idle(engine: Engine) -> None:
    """Make an engine look whether a connection that has had a rest is still alive, before it is used again.

    SQLAlchemy's own way (`pool_pre_ping`) asks the server each time, which is a tenth of what a task takes (measured).
    A server that was begun again took longer than this rest.
    """

    @event.listens_for(engine, "checkin")
    def _rests(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[_RESTS_SINCE] = monotonic()

    @event.listens_for(engine, "checkout")
    def _goes_on(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        since = record.info.get(_RESTS_SINCE)
        if since is None or monotonic() - since < _REST_SECONDS:
            return
        try:
            alive = engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            alive = False
        if not alive:
            raise InvalidatePoolError


def _sqlite_engine(url: URL, *, mapped_bytes: int) -> Engine:
    timeout = {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
    engine = create_engine(url, connect_args=timeout, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        # The driver's own transaction handling begins late and commits DDL; SQLAlchemy's "begin" event does better.
        connection.isolation_level = None
        cursor = connection.cursor()
        # Before the first table is made; a database that is there keeps its own (measured: commits take half as long).
        cursor.execute("PRAGMA page_size=8192")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA cache_size=-65536")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("portal_mode", "DEFERRED")
        if mapped_bytes:
            connection.exec_driver_sql(f"PRAGMA mmap_size={mapped_bytes if mode == 'DEFERRED' else 0}")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that sees one state of the catalog from its first statement to its last."""
    if engine.dialect.name == "postgresql":
        options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", _FOUND: {}}
        with engine.connect() as plain, plain.execution_options(**options).begin() as begun:
            yield begun.connection
    else:
        with engine.connect() as plain, plain.execution_options(**{_FOUND: {}}).begin() as begun:
            yield begun.connection


def once(connection: Connection, name: str, find: Callable[[], Value]) -> Value:
    """Return what `find` returns; in a transaction that only reads, in which that stays the same, it is asked once."""
    found: dict[str, Value] | None = connection.get_execution_options().get(_FOUND)
    if found is None:
        return find()
    if name not in found:
        found[name] = find()
    return found[name]


def lasting_lock(engine: Engine, key: int, number: int, *, silence_seconds: float) -> Any:
    """Return a connection of PostgreSQL's driver that holds an advisory lock, None where another holds it.

    The lock is there as long as the connection, which the server ends when nothing is heard on it for so long: a
    process that is stopped, or cut off, loses it as surely as one that has died.
    """
    # Not from the pool: it must not serve anything else.
    pooled = engine.raw_connection()
    connection: Any = pooled.dbapi_connection
    pooled.detach()
    try:
        connection.autocommit = True
        silence = str(int(silence_seconds * 1000))
        connection.execute("SELECT set_config('idle_session_timeout', %s, false)", (silence,))
        (is_held,) = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (key, number)).fetchone()
    except BaseException:
        connection.close()
        raise
    if is_held:
        return connection
    connection.close()
    return None


def let_go(engine: Engine, connection: Any) -> None:
    """Close a connection that `lasting_lock` returned; what it held is free for others when this returns.

    A server lets the locks of a closed connection go a moment later, when others may have asked already, so they are
    given back first. Where it does not answer, it has let go or will by itself.
    """
    with suppress(engine.dialect.loaded_dbapi.Error):
        connection.execute("SELECT pg_advisory_unlock_all()")
    connection.close()


def take_stock(engine: Engine, names: Sequence[str]) -> None:
    """Let PostgreSQL learn what tables have become; SQLite chooses the same way without (measured).

    Until the server does it by itself, minutes later, it knows neither how many rows there are nor which of them
    everybody sees, so that it looks each one up (measured at 100,000: 47 instead of 10 ms for an ordered page).
    """
    if engine.dialect.name == "postgresql":
        quote = engine.dialect.identifier_preparer.quote
        with engine.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            alone.exec_driver_sql(f"VACUUM (ANALYZE) {', '.join(map(quote, names))}")


def matching_rows(
    connection: Connection, wanted: tuple[Column[Any], Sequence[Column[Any]]], keys: Sequence[Sequence[str]]
) -> Iterator[Sequence[Any]]:
    """Yield (id, *key) of the rows with these keys, which are texts; `wanted` is the id's column and the key's.

    Each key is looked up in the index: for a list of rows in `IN`, SQLite reads the whole table, and so does PostgreSQL
    for a join with some hundred (measured: 40 ms for 557 of 66,000, 10 so).
    """
    identity, columns = wanted
    quote = connection.dialect.identifier_preparer.quote
    names = [quote(column.name) for column in columns]
    if connection.dialect.name == "postgresql":
        aliases = [f"k{place}" for place in range(len(names))]
        given = f"unnest({', '.join(f'CAST(:{alias} AS text[])' for alias in aliases)}) AS given({', '.join(aliases)})"
        source = f"{given} CROSS JOIN LATERAL"
        asked = [f"given.{alias}" for alias in aliases]
        parameters: dict[str, Any] = {alias: [key[place] for key in keys] for place, alias in enumerate(aliases)}
    else:
        # CROSS JOIN keeps SQLite from turning the order round.
        source = f"json_each(:given) AS given CROSS JOIN {quote(identity.table.name)} AS found"
        asked = [f"json_extract(given.value, '$[{place}]')" for place in range(len(names))]
        parameters = {"given": orjson.dumps([list(key) for key in keys]).decode()}
    shown = ", ".join(f"found.{name}" for name in (quote(identity.name), *names))
    conditions = " AND ".join(f"found.{name} = {value}" for name, value in zip(names, asked, strict=True))
    if connection.dialect.name == "postgresql":
        # An offset keeps it from being made a join of.
        table = f"{quote(identity.table.name)} AS found"
        statement = f"SELECT {shown} FROM {source} (SELECT * FROM {table} WHERE {conditions} OFFSET 0) AS found"  # noqa: S608  # the names are our tables'
    else:
        statement = f"SELECT {shown} FROM {source} WHERE {conditions}"  # noqa: S608  # as above
    yield from connection.execute(text(statement), parameters)


class _ByDatabase(GenericFunction[bool]):
    """One of two conditions that mean the same: the first on SQLite, the second on PostgreSQL.

    It is of no type: to what is Boolean SQLAlchemy adds "= 1" on SQLite, which then uses no index.
    """

    inherit_cache = True
    name = "portal_by_database"


@compiles(_ByDatabase, "sqlite")
def _first_on_sqlite(element: _ByDatabase, compiler: Any, **options: Any) -> str:
    sqlite, _ = element.clauses
    return f"({compiler.process(sqlite, **options)})"


@compiles(_ByDatabase, "postgresql")
def _second_on_postgresql(element: _ByDatabase, compiler: Any, **options: Any) -> str:
    _, postgresql = element.clauses
    return f"({compiler.process(postgresql, **options)})"


def by_database(*, sqlite: ColumnElement[bool], postgresql: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return a condition that is met in one way by SQLite, in another by PostgreSQL."""
    return _ByDatabase(sqlite, postgresql)


def apart(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition as one that PostgreSQL meets by itself: with a set that it hashes, or row by row.

    Otherwise it turns conditions into joins and puts these into the order of what it expects. A term is held by one
    entity or by all, so it expects wrongly (measured, statistics and all: 19 s for a filter of three values).
    """
    return by_database(sqlite=condition, postgresql=condition.is_(true()))


def is_listed(column: Column[Any], found: Select[Any] | CompoundSelect[Any]) -> ColumnElement[bool]:
    """Return the condition that a column's value is among those that a statement finds, which are found first."""
    listed = func.array(found.scalar_subquery())
    return by_database(sqlite=column.in_(found), postgresql=column == any_(listed))


class _EachNumber(GenericFunction[Any]):
    """The numbers of a JSON list, as rows."""

    inherit_cache = True
    name = "portal_each_number"


@compiles(_EachNumber, "sqlite")
def _each_on_sqlite(element: _EachNumber, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_EachNumber, "postgresql")
def _each_on_postgresql(element: _EachNumber, compiler: Any, **options: Any) -> str:
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS json))"


def each_number(numbers: ColumnElement[str]) -> tuple[TableValuedAlias, ColumnElement[int]]:
    """Return the numbers of a JSON list as something to select from, with the column that they stand in."""
    listed = _EachNumber(numbers).table_valued("value")
    return listed, listed.c.value.cast(BigInteger)


class _IsListed(GenericFunction[bool]):
    """Whether a column's value is in a JSON list; of no type, for the reason that `_ByDatabase` has."""

    inherit_cache = True
    name = "portal_is_listed"


@compiles(_IsListed, "sqlite")
def _listed_on_sqlite(element: _IsListed, compiler: Any, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608  # compiled clauses


@compiles(_IsListed, "postgresql")
def _listed_on_postgresql(element: _IsListed, compiler: Any, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY({values})"


class _IsWanted(_IsListed):
    """What `_IsListed` says, in words that do not tell PostgreSQL how many values there are, of what a type there is.

    It plans a statement that is kept anew each time while that seems cheaper than a plan for any number of values,
    which it does for good where the first few were asked for little (measured: 1.2 ms of planning, to answer in 0.1).
    """

    inherit_cache = True
    name = "portal_is_wanted"


@compiles(_IsWanted, "postgresql")
def _wanted_on_postgresql(element: _IsWanted, compiler: Any, **options: Any) -> str:
    column, values = element.clauses
    told = compiler.process(values, **options)
    item = cast("_Values", values.type).item
    return f"{compiler.process(column, **options)} = ANY((SELECT {told})::{item}[])"


class _Array(UserDefinedType[str]):
    """An array of PostgreSQL, written as the server reads it."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, item: str) -> None:
        self.item = item

    def get_col_spec(self, **_options: Any) -> str:
        """Return its name in SQL."""
        return f"{self.item}[]"


class _Values(TypeDecorator[Sequence[Any]]):
    """Many texts or whole numbers as one parameter: JSON on SQLite, an array on PostgreSQL.

    PostgreSQL knows how many an array holds. Of a table of values it expects a hundred, and then reads all of ours to
    meet them (measured: 23 ms for 3 of 10,000). The driver would look at each value by itself to write the array
    (measured: 1 ms for a thousand, 0.2 so).
    """

    impl = Text
    cache_ok = True

    def __init__(self, item: str) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return what a database takes."""
        return dialect.type_descriptor(_Array(self.item) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> Any:
        """Return the parameter as a driver takes it."""
        if value is None:
            return None
        if dialect.name != "postgresql":
            return orjson.dumps(value).decode()
        if self.item != "TEXT" or not value:
            return f"{{{','.join(map(str, value))}}}"
        told = '","'.join([text.replace("\\", "\\\\").replace('"', '\\"') for text in value])
        return f'{{"{told}"}}'


def among(column: Column[Any], values: Collection[str] | Collection[int]) -> ColumnElement[bool]:
    """Return the condition that a column of texts or whole numbers has one of many values.

    They go in as one parameter: an IN list of 5,000 takes longer to write than to answer. The condition goes when
    nothing needs it, as one made of a table of values does not, which refers to itself.
    """
    return _IsListed(column, literal([*values], _values_of(column)))


def among_wanted(column: Column[Any]) -> ColumnElement[bool]:
    """Return what `among` does for a statement that is kept: the values come with it, as its parameter `WANTED`.

    To put a statement together takes as long as to answer it for a few. As it is always the same text, PostgreSQL need
    not plan it anew for each number of values.
    """
    return _IsWanted(column, bindparam(WANTED, type_=_values_of(column)))


def _values_of(column: Column[Any]) -> _Values:
    return _Values("BIGINT" if isinstance(column.type, Integer) else "TEXT")


def in_chunks(values: Sequence[Value], size: int = CHUNK) -> Iterator[Sequence[Value]]:
    """Yield the values in portions; unless told otherwise these fit an IN list."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
