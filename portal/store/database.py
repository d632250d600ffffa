"""A handle on the database that services hold without speaking SQL."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from types import TracebackType
from typing import Self

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from portal.model.visibility import ALL, Visibility
from portal.store import bulk, dialect, sight, turns
from portal.store.calls import Calls
from portal.store.lookup import Lookup
from portal.store.statements import trace_statements
from portal.store.tables import derived, entities, findings, postings, refs, relation_types, relations, surveys, terms

__all__ = ["Connection", "Database"]

_log = logging.getLogger(__name__)

#: Entities of which so many were written at once change what questions cost (measured: 1 s of a first ingest of
#: 100,000, 0.4 of 10,000); fewer are left to what the server does by itself.
_MANY = 20_000
#: What `portal.store.query` reads.
_ASKED = (entities, postings, refs, relation_types, relations, terms)
#: What a survey writes.
_SURVEYED = (derived, findings, surveys)


class Database:
    """One database, SQLite or PostgreSQL; its connections are for functions of `portal.store` only.

    With `maps_file` all connections that read share the memory in which the system keeps a SQLite file. Writers
    do not wait much longer than `lease_seconds` for a process that is stopped in the middle of writing.
    """

    def __init__(self, url: str, *, maps_file: bool = False, lease_seconds: float = 30.0) -> None:
        self.url = url
        self._lease_seconds = lease_seconds
        self.engine = dialect.open_engine(url, maps_file=maps_file)
        self.lookup = Lookup(self.engine)
        self.calls = Calls(self.engine)
        self._guarded = sight.guarded(self.engine)
        self._sees_everything = False
        self._line = threading.Lock()

    @cached_property
    def whole(self) -> Database:
        """The same database for what must see everything whoever asks: what writes the catalog, what says who may."""
        found = copy.copy(self)
        found._sees_everything = True  # noqa: SLF001  # of this class
        return found

    def visibility(self, revision: int | None = None) -> Visibility:
        """Return what whoever asks may read, as of a revision that was just read, the newest if None."""
        return ALL if self._sees_everything else sight.current(revision)

    @property
    def driver_error(self) -> type[Exception]:
        """What the driver raises where rows go past SQLAlchemy, as those of `portal.store.bulk` do."""
        found: type[Exception] = self.engine.dialect.loaded_dbapi.Error
        return found

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the catalog from beginning to end.

        It sees what whoever asks may read; see `portal.store.sight`.
        """
        visibility = self.visibility()
        if visibility.is_all:
            with dialect.reading(self.engine) as connection:
                yield connection
            return
        with dialect.reading(self._guarded) as connection:
            sight.restrict(connection, visibility)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open the one transaction that may write the catalog; it commits when the block ends without an error."""
        turn = turns.writing(self.engine, exclusive=True, lease_seconds=self._lease_seconds, within=self._line)
        with turn as connection, bulk.behind(connection):
            yield connection

    @contextmanager
    def recording(self) -> Iterator[Connection]:
        """Open a transaction that writes tasks and their events; on PostgreSQL a refresh does not hold it up."""
        turn = turns.writing(self.engine, exclusive=False, lease_seconds=self._lease_seconds, within=self._line)
        with turn as connection:
            yield connection

    @contextmanager
    def noting(self) -> Iterator[Connection]:
        """Open a connection for one statement that writes what `recording` does.

        On PostgreSQL the statement is its own transaction: no silence in the middle can hold anybody up, and nothing
        is to be begun and ended. On SQLite it is as `recording`.
        """
        if self.engine.dialect.name == "sqlite":
            with self.recording() as connection:
                yield connection
            return
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    def take_stock(self, *, changed: int, is_survey: bool = False) -> None:
        """Let the database get to know what it holds, if so many entities, or findings of a survey, are many.

        Comes after the transaction that wrote them, which stands even if this fails: reads are slow until the server
        does it by itself.
        """
        if changed >= _MANY:
            try:
                dialect.take_stock(self.engine, [table.name for table in (_SURVEYED if is_survey else _ASKED)])
            except SQLAlchemyError:
                _log.warning("the database could not take stock of its tables", exc_info=True)

    def trace(self) -> Callable[[], None]:
        """Make each statement a stretch of work; return what ends that."""
        return trace_statements(self.engine)

    def close(self) -> None:
        """Close all connections."""
        self.calls.close()
        self.lookup.close()
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
