"""Rows come out as they went in, in whatever way they are inserted; what fails leaves nothing behind."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import DatabaseError

from portal.store import bulk
from portal.store.bulk import SortedPairs, SortedRows, insert_pairs, insert_tuples
from portal.store.database import Connection, Database
from portal.store.tables import entities, files, postings, terms

COLUMNS = (
    "id",
    "ref",
    "uid",
    "document_id",
    "kind",
    "source_id",
    "digest",
    "etag",
    "title",
    "location",
    "body",
    "owner",
)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["\\", "\\N", "\t", "\n", "\r\n", '"', "'", "a\\tb", '{"a": "b\\n"}', "é", "\u2028", "z" * 700]
)
rows = st.lists(st.tuples(texts, texts, texts, texts, st.none() | texts), min_size=1, max_size=12)
#: How many times the rows are repeated: so few that they are inserted at once, so many that it is done behind.
TIMES = [1, 120]


@pytest.mark.parametrize("times", TIMES)
def test_rows_come_out_as_they_went_in(database: Database, times: int) -> None:
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(given_rows=rows)
    def check(given_rows: list[tuple[Any, ...]]) -> None:
        found = [
            (number, f"r{number}", f"u{number}", 2**40 + number, "", "", "", *given)
            for number, given in enumerate(given_rows * times)
        ]
        with database.writing() as connection:
            connection.execute(entities.delete())
            insert_tuples(connection, entities, COLUMNS, found)
            read = connection.execute(select(*(entities.c[name] for name in COLUMNS)).order_by(entities.c.id)).all()
        assert list(map(tuple, read)) == found

    check()


@pytest.mark.parametrize("times", TIMES)
def test_pairs_come_out_as_they_went_in(database: Database, times: int) -> None:
    pairs = [(number, 2**31 - 1 - number) for number in range(3 * times)]
    with database.writing() as connection:
        insert_pairs(connection, postings, ("term_id", "entity_id"), [a << 32 | b for a, b in pairs])
        assert sorted(map(tuple, connection.execute(select(postings)))) == pairs


@pytest.mark.parametrize("count", [3, 250_000])
def test_what_is_gathered_is_inserted_once(database: Database, count: int) -> None:
    with database.writing() as connection:
        gathered = SortedRows(connection, terms, ("id", "key", "value", "display"), order=(1, 2))
        entries = SortedPairs(connection, postings, ("term_id", "entity_id"))
        for start in range(0, count, 5_000):
            numbers = range(start, min(count, start + 5_000))
            gathered.add((number, "k", f"{-number}", "d") for number in numbers)
            entries.add(number << 32 | 1 for number in numbers)
        gathered.flush()
        entries.flush()
        for table, column in ((terms, terms.c.id), (postings, postings.c.term_id)):
            found = connection.execute(select(func.count(), func.min(column), func.max(column)).select_from(table))
            assert tuple(found.one()) == (count, 0, count - 1)


@pytest.mark.parametrize("count", [2, 1_000])
def test_an_insert_that_fails_is_told_and_leaves_nothing(database: Database, count: int) -> None:
    """Drivers raise themselves what is inserted behind: it may be told by a later statement, or at the end."""
    doubled = [(number // 2, "k", str(number), "d") for number in range(count)]

    def write(connection: Connection) -> None:
        insert_tuples(connection, terms, ("id", "key", "value", "display"), [(5_000, "first", "", "")])
        insert_tuples(connection, terms, ("id", "key", "value", "display"), doubled)

    with pytest.raises((DatabaseError, sqlite3.Error, psycopg.Error)), database.writing() as connection:
        write(connection)

    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(terms)).scalar_one() == 0


def test_an_error_of_the_caller_is_told_and_leaves_nothing(database: Database) -> None:
    def fail(connection: Connection) -> None:
        for start in range(0, 10_000, 1_000):
            found = [(number, "k", str(number), "d") for number in range(start, start + 1_000)]
            insert_tuples(connection, terms, ("id", "key", "value", "display"), found)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), database.writing() as connection:
        fail(connection)

    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(terms)).scalar_one() == 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("portal-insert")]


def test_nothing_to_insert_is_nothing(database: Database) -> None:
    with database.writing() as connection:
        insert_tuples(connection, files, ("source_id", "location", "blob", "inputs"), [])
        bulk.insert_rows(connection, files, [])
        insert_pairs(connection, postings, ("term_id", "entity_id"), [])
