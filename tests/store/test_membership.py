"""Groups of people, through all their parents."""

from __future__ import annotations

import pytest
from entity_rows import insert_edges
from sqlalchemy import event, insert

from portal.model.ref import EntityRef
from portal.store.membership import groups_of
from portal.store.tables import entities

EDGES = [
    ("user:default/ann", "memberOf", "group:default/team"),
    ("user:default/ann", "memberOf", "group:default/guild"),
    ("group:default/team", "childOf", "group:default/department"),
    ("group:default/department", "childOf", "group:default/company"),
    ("group:default/company", "childOf", "group:default/department"),
    ("group:default/team", "partOf", "system:default/other"),
    ("user:default/ghost", "memberOf", "group:default/team"),
    ("user:default/odd", "memberOf", "system:default/none"),
]


@pytest.fixture
def organisation(database):
    with database.writing() as connection:
        people = [f"user:default/{name}" for name in ("ann", "bob", "odd")]
        numbers = insert_edges(connection, [(*edge, False) for edge in EDGES], refs_too=people)
        row = dict.fromkeys([column.name for column in entities.columns if not column.nullable], "")
        connection.execute(
            insert(entities),
            [row | {"id": numbers[ref], "uid": ref, "document_id": numbers[ref], "ref": ref} for ref in people],
        )
    return database


def test_a_user_belongs_to_groups_and_their_parents(organisation):
    wanted = [EntityRef(f"user:default/{name}") for name in ("ann", "bob", "ghost", "odd", "a\0b")]
    with organisation.reading() as connection:
        assert groups_of(connection, wanted) == {
            "user:default/ann": [
                "group:default/company",
                "group:default/department",
                "group:default/guild",
                "group:default/team",
            ],
            "user:default/bob": [],
            "user:default/odd": [],
        }


def test_any_number_of_users_is_one_statement(organisation):
    statements = []
    event.listen(
        organisation.engine, "before_cursor_execute", lambda _connection, _cursor, text, *_: statements.append(text)
    )
    for users in (["ann"], ["ann", "bob", "odd"]):
        statements.clear()
        with organisation.reading() as connection:
            groups_of(connection, [EntityRef(f"user:default/{name}") for name in users])
        assert len([text for text in statements if "relations" in text]) == 1
