from collections.abc import Callable

import pytest
from entity_rows import document, insert
from sqlalchemy import Engine, event, select, text
from sqlalchemy.exc import IntegrityError

from portal.store import derived, dialect
from portal.store.bulk import insert_rows
from portal.store.database import Connection, Database
from portal.store.dialect import open_engine
from portal.store.jobs import jobs_engine
from portal.store.sources import current_revision
from portal.store.tables import sources, tasks

TASK = {
    "id": "t",
    "status": "open",
    "spec": "{}",
    "secrets": None,
    "created_by": None,
    "created_at_ms": 0,
    "last_heartbeat_at_ms": None,
}


def test_a_statement_that_fails_does_not_tell_what_it_was_given(database: Database) -> None:
    rows = [TASK | {"spec": "s3cret-word"}] * 2
    with pytest.raises(IntegrityError) as error, database.writing() as connection:
        connection.execute(tasks.insert(), rows)
    assert "INSERT INTO tasks" in str(error.value)
    assert "s3cret-word" not in str(error.value)


def test_rows_written_in_bulk_are_read_back(database: Database) -> None:
    rows = [
        {
            "id": f"s{number}",
            "type": "url",
            "target": f'https://example.com/{number}\t"x"\\n',
            "registered": number % 2 == 0,
            "fingerprint": "",
            "revision": 0,
            "created_at_ms": number,
            "refreshed_at_ms": None,
            "generation": 0,
        }
        for number in range(10)
    ]
    with database.writing() as connection:
        insert_rows(connection, sources, rows)

    with database.reading() as connection:
        found = connection.execute(select(sources).order_by(sources.c.id)).mappings().all()

    assert [dict(row) for row in found] == rows


def test_a_task_is_recorded_while_a_refresh_is_being_written(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer")
    with database.writing(), database.recording() as connection:
        insert_rows(connection, tasks, [TASK])

    with database.reading() as connection:
        assert connection.execute(select(tasks.c.id)).scalars().all() == ["t"]


@pytest.mark.parametrize(("changed", "is_known"), [(19_999, False), (20_000, True)])
def test_after_a_large_write_postgresql_knows_its_tables(database: Database, changed: int, is_known: bool) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite needs no statistics")
    insert(database, [document("Component", f"c{number}") for number in range(3)])

    database.take_stock(changed=changed)

    with database.reading() as connection:
        known = connection.execute(text("SELECT reltuples FROM pg_class WHERE oid = 'entities'::regclass")).scalar_one()
    assert (known == 3) == is_known


def test_taking_stock_leaves_what_is_stored(database: Database) -> None:
    insert(database, [document("Component", "c")])

    database.take_stock(changed=20_000)

    assert database.lookup.body("component:default/c") is not None


def test_after_a_large_survey_postgresql_knows_what_it_kept(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite needs no statistics")
    with database.writing() as connection:
        derived.put(connection, {"a": [1], "b": [2]})

    database.take_stock(changed=20_000, is_survey=True)

    with database.reading() as connection:
        known = connection.execute(text("SELECT reltuples FROM pg_class WHERE oid = 'derived'::regclass")).scalar_one()
    assert known == 2


def test_a_transaction_that_reads_finds_the_revision_once_and_one_that_writes_each_time(database: Database) -> None:
    def newest(connection: Connection) -> list[int]:
        return [current_revision(connection) for _ in range(2)]

    seen: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    with database.reading() as connection:
        found = newest(connection)
    once = [text for text in seen if "revisions" in text]
    seen.clear()
    with database.writing() as connection:
        found += newest(connection)

    assert found == [0, 0, 0, 0]
    assert len(once) == 1
    assert len([text for text in seen if "revisions" in text]) == 2


@pytest.mark.parametrize("opened", [open_engine, jobs_engine])
def test_a_connection_that_died_at_rest_is_replaced(
    opened: Callable[[str], Engine], postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect, "_REST_SECONDS", 0.0)
    engine, other = opened(postgres_url), open_engine(postgres_url)
    who, end = text("SELECT pg_backend_pid()"), text("SELECT pg_terminate_backend(:number, 10000)")
    with engine.connect() as connection:
        first = connection.execute(who).scalar_one()
    with other.connect() as connection:
        assert connection.execute(end, {"number": first}).scalar_one()
    with engine.connect() as connection:
        assert connection.execute(who).scalar_one() != first
    engine.dispose()
    other.dispose()
