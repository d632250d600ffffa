"""A handle on the database that services hold without speaking SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy import Connection

from portal.store import bulk, dialect
from portal.store.lookup import Lookup

__all__ = ["Connection", "Database"]


class Database:
    """One database, SQLite or PostgreSQL; its connections are for functions of `portal.store` only."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = dialect.open_engine(url)
        self.lookup = Lookup(self.engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the catalog from beginning to end."""
        with dialect.reading(self.engine) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open the one transaction that may write the catalog; it commits when the block ends without an error."""
        with dialect.writing(self.engine, exclusive=True) as connection, bulk.behind(connection):
            yield connection

    @contextmanager
    def recording(self) -> Iterator[Connection]:
        """Open a transaction that writes tasks and their events; on PostgreSQL a refresh does not hold it up."""
        with dialect.writing(self.engine, exclusive=False) as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.lookup.close()
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
