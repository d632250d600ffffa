"""Restricts what a connection reads to what whoever asks may read, in the database itself.

On a restricted connection each table that tells of entities is put into a statement as those of its rows that may be
read. It happens where SQLAlchemy writes a table's name into SQL, so that it holds for every statement of this room,
those that are yet to be written among them: whoever asks sees what a Portal would show that holds only the entities
they may read. Statements of a connection that sees everything are not touched. Decision 0028 tells why.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Executable, Select, Table, case, event, exists, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.util import LRUCache

from portal.model.query import EntityQuery
from portal.model.visibility import ALL, Visibility
from portal.store.conditions import matching
from portal.store.tables import documents, entities, findings, problems, relations, versions


class Sight(Protocol):
    """Works out what whoever asks may read; asked each time that a transaction begins."""

    def __call__(self, revision: int | None = None, /) -> Visibility:
        """Return it, as of a revision that was just read, the newest if None."""
        ...


_OPTION = "portal_visibility"
#: Of so many visibilities the SQL is remembered, and of each so many statements.
_MOST_CACHES, _MOST_STATEMENTS = 64, 300
#: For a statement that sees everything on a restricted connection.
WHOLE: Mapping[str, Any] = {_OPTION: ALL, "compiled_cache": None}

_looking: ContextVar[Sight | None] = ContextVar("portal_sight", default=None)
_caches: OrderedDict[str, LRUCache[Any, Any]] = OrderedDict()
_caches_lock = Lock()


@contextmanager
def seeing(sight: Sight | None) -> Iterator[None]:
    """Let all that is read in this block, in this thread, be read as somebody sees it; None sees everything."""
    token = _looking.set(sight)
    try:
        yield
    finally:
        _looking.reset(token)


def look(sight: Sight | None) -> None:
    """Let all that is read from now on, in this context, be read as somebody sees it; None sees everything."""
    _looking.set(sight)


def current(revision: int | None = None) -> Visibility:
    """Return what may be read in this context, as of a revision that was just read, the newest if None."""
    sight = _looking.get()
    return ALL if sight is None else sight(revision)


def guarded(engine: Engine) -> Engine:
    """Return an engine, on the same connections, whose connections may be restricted."""
    found = engine.execution_options()
    event.listen(found, "before_execute", _marked, retval=True)
    return found


def restrict(connection: Connection, visibility: Visibility) -> None:
    """Let a connection of a `guarded` engine read only what may be read, from now on."""
    connection.execution_options(**{_OPTION: visibility, "compiled_cache": _cache(visibility)})


def visibility_of(connection: Connection) -> Visibility:
    """Return what a connection may read."""
    found: Visibility = connection.get_execution_options().get(_OPTION, ALL)
    return found


def _cache(visibility: Visibility) -> LRUCache[Any, Any]:
    """Return where the SQL of a visibility is remembered: its values are part of it."""
    with _caches_lock:
        found = _caches.pop(visibility.key, None)
        if found is None:
            found = LRUCache(_MOST_STATEMENTS)
        _caches[visibility.key] = found
        while len(_caches) > _MOST_CACHES:
            _caches.popitem(last=False)
    return found


def _marked(
    _connection: Connection,
    statement: Executable,
    several: Any,
    parameters: Any,
    options: Mapping[str, Any],
) -> tuple[Executable, Any, Any]:
    """Return a statement that tells the compiler what may be read: the options of a connection do not reach it."""
    visibility = options.get(_OPTION, ALL)
    if visibility.is_all:
        return statement, several, parameters
    return statement.execution_options(**{_OPTION: visibility}), several, parameters


@compiles(Table)
def _named(table: Table, compiler: Any, **options: Any) -> str:
    """Write a table into a statement: as its name, or as those of its rows that may be read."""
    name: str = compiler.visit_table(table, **options)
    visibility: Visibility = getattr(compiler, "execution_options", {}).get(_OPTION, ALL)
    restricted = None if visibility.is_all else _RESTRICTED.get(table.name)
    if restricted is None or not options.get("asfrom") or options.get("iscrud"):
        return name
    # What says which rows may be read looks at all of them.
    compiler.execution_options = compiler.execution_options.union({_OPTION: ALL})
    try:
        rows = compiler.process(restricted(visibility), asfrom=True)
    finally:
        compiler.execution_options = compiler.execution_options.union({_OPTION: visibility})
    enclosing = options.get("enclosing_alias")
    is_named = enclosing is not None and enclosing.element is table
    return f"({rows})" if is_named else f"({rows}) AS {name}"


def _may_be_read(visibility: Visibility) -> Any:
    # Entity by entity: a set of all that may be read would be gathered anew for each statement.
    return matching(EntityQuery(visibility.readable), few=False)


def _entities(visibility: Visibility) -> Select[Any]:
    return select(entities).where(_may_be_read(visibility))


def _relations(visibility: Visibility) -> Select[Any]:
    """Return the relations that an entity declares that may be read, wherever they lead."""
    declaring = case((relations.c.is_inverse, relations.c.target_id), else_=relations.c.source_id)
    told = exists().where(entities.c.id == declaring, _may_be_read(visibility)).select_from(entities)
    return select(relations).where(told.correlate(relations))


def _of_entity(table: Table) -> Callable[[Visibility], Select[Any]]:
    """Return what gives the rows of a table that belong to an entity that is there and may be read."""

    def rows(visibility: Visibility) -> Select[Any]:
        told = exists().where(entities.c.ref == table.c.ref, _may_be_read(visibility)).select_from(entities)
        return select(table).where(told.correlate(table))

    return rows


#: The tables that tell of entities. `terms`, `postings` and `refs` are read beside one of them.
_RESTRICTED: Mapping[str, Callable[[Visibility], Select[Any]]] = {
    "entities": _entities,
    "relations": _relations,
    **{table.name: _of_entity(table) for table in (documents, findings, problems, versions)},
}
