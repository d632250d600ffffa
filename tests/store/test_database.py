from sqlalchemy import select

from portal.store.database import Database
from portal.store.dialect import insert_rows
from portal.store.tables import sources


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
        }
        for number in range(10)
    ]
    with database.writing() as connection:
        insert_rows(connection, sources, rows)

    with database.reading() as connection:
        found = connection.execute(select(sources).order_by(sources.c.id)).mappings().all()

    assert [dict(row) for row in found] == rows
