from importlib.resources import files

import orjson
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from portal.model.filter import Match
from portal.model.query import EntityQuery
from portal.model.words import phrases
from portal.services.audit import AuditService
from portal.store import catalog, schema, search
from portal.store.database import Database
from portal.store.entities import declared_texts
from portal.store.looks import WANTED, take
from portal.store.relations import SOURCES, TARGETS, relations_by_ref
from portal.store.tables import (
    audit_records,
    documents,
    entities,
    looks,
    metadata,
    postings,
    relation_types,
    relations,
    sources,
    terms,
    versions,
)


def _migrated(connection: Connection, version: str) -> None:
    """Run the migrations up to a version."""
    config = Config()
    config.set_main_option("script_location", str(files("portal.store") / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, version)


@pytest.mark.parametrize("is_migrated", [False, True], ids=["at once", "by all migrations"])
def test_a_new_database_has_the_tables_that_are_declared(database_url: str, is_migrated: bool) -> None:
    with Database(database_url) as database:
        if is_migrated:
            with database.writing() as connection:
                _migrated(connection, "0001")
        before, after = schema.upgrade(database)
        assert (before, after) == ("0001" if is_migrated else "", schema.newest_version())
        with database.reading() as connection:
            # SQLAlchemy has no words for full-text tables: each database has its own.
            options = {"compare_type": True, "include_name": lambda name, *_: "search_words" not in (name or "")}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, metadata) == []
            assert context.get_current_revision() == schema.newest_version()
            assert connection.execute(text("SELECT count(*) FROM search_words")).scalar() == 0


def test_a_database_with_other_tables_is_migrated(database_url: str) -> None:
    """Tables that are not Portal's do not keep it from making its own."""
    with Database(database_url) as database:
        with database.writing() as connection:
            connection.execute(text("CREATE TABLE others (id INTEGER)"))

        assert schema.upgrade(database) == ("", schema.newest_version())


def test_an_upgrade_of_the_newest_schema_changes_nothing(database_url: str) -> None:
    with Database(database_url) as database:
        schema.upgrade(database)

        assert schema.upgrade(database) == (schema.newest_version(), schema.newest_version())


def test_an_upgrade_finds_the_words_of_entities_that_are_there(database_url: str) -> None:
    body = orjson.dumps({"kind": "Model", "metadata": {"name": "m", "description": "finds fraud"}}).decode()
    row = {"id": 1, "ref": "model:default/m", "uid": "u", "etag": "", "kind": "model", "title": "m", "body": body}
    held = {"document_id": 1, "source_id": "s", "location": "url:x", "digest": ""}
    with Database(database_url) as database:
        with database.writing() as connection:
            _migrated(connection, "0005")
            connection.execute(insert(entities), row | held)

        schema.upgrade(database)

        with database.reading() as connection:
            found = search.find(connection, phrases("fraud"), None, term="fraud", offset=0, limit=9)
        assert found.bodies == [body]


def test_an_upgrade_keeps_relations_and_terms_findable(database_url: str) -> None:
    """Relations and uids leave the index of terms; each entity learns which of the others are its own."""
    held = {"etag": "", "title": "m", "body": "{}", "document_id": 1, "source_id": "s", "location": "", "digest": ""}
    rows = [{"id": n, "ref": f"model:default/{name}", "uid": name, "kind": "model"} for n, name in enumerate("ab", 1)]
    told = [(1, "kind", "model"), (2, "metadata.uid", "a"), (3, "relations.dependson", "model:default/b")]
    told += [(4, "spec.type", "x"), (5, "relations.dependencyof", "model:default/a"), (6, "metadata.uid", "b")]
    a, b = (row["ref"] for row in rows)
    forth, back = {"source": a, "type": "dependsOn", "target": b}, {"source": b, "type": "dependencyOf", "target": a}
    with Database(database_url) as database:
        with database.writing() as connection:
            _migrated(connection, "0006")
            connection.execute(insert(entities), [row | held for row in rows])
            connection.execute(
                insert(terms), [{"id": n, "key": key, "value": value, "display": value} for n, key, value in told]
            )
            connection.execute(
                insert(postings),
                [{"term_id": t, "entity_id": e} for t, e in [(4, 1), (1, 1), (2, 1), (3, 1), (1, 2), (5, 2), (6, 2)]],
            )
            statement = text(
                "INSERT INTO relations (source, type, target, origin) VALUES (:source, :type, :target, :o)"
            )
            # The first is declared by a; the second, the same seen from b, by both.
            connection.execute(statement, [forth | {"o": a}, back | {"o": a}, back | {"o": b}, forth | {"o": b}])

        schema.upgrade(database)

        with database.reading() as connection:
            keys = ["kind", "spec.type", "metadata.uid", "relations.dependson", "relations.dependencyof"]
            assert catalog.facets(connection, keys) == {
                "kind": [("model", 2)],
                "spec.type": [("x", 1)],
                "metadata.uid": [("a", 1), ("b", 1)],
                "relations.dependson": [(b, 1)],
                "relations.dependencyof": [(a, 1)],
            }
            found = connection.execute(select(entities.c.term_ids).order_by(entities.c.id)).scalars()
            assert [orjson.loads(item) for item in found] == [[1, 4], [1]]
            told = relations_by_ref(SOURCES.c.ref, relation_types.c.name, TARGETS.c.ref, relations.c.is_inverse)
            told = told.join(relation_types, relation_types.c.id == relations.c.type_id)
            assert sorted(map(tuple, connection.execute(told))) == sorted(
                (*edge.values(), is_inverse) for edge in (forth, back) for is_inverse in (False, True)
            )
            assert catalog.count(connection, EntityQuery(Match.of("relations.dependson", [b]))) == 1


def test_an_upgrade_leaves_texts_to_versions_that_tell_them(database_url: str) -> None:
    """The document that holds an entity has a version with its text; one that lost the claim keeps its own."""
    source = {"id": "s", "type": "url", "target": "x", "registered": False, "fingerprint": "", "revision": 1}
    document = {"source_id": "s", "ref": "model:default/m", "location": "url:x", "line": 1, "occurrence": 0}
    document |= {"commit": "", "author": "", "is_orphan": False}
    told = {"ref": "model:default/m", "source_id": "s", "location": "url:x", "commit": "", "author": ""}
    told |= {"revision": 1, "recorded_at_ms": 0}
    with Database(database_url) as database:
        with database.writing() as connection:
            _migrated(connection, "0008")
            connection.execute(insert(sources), source | {"created_at_ms": 0})
            connection.execute(
                insert(documents),
                [
                    document | {"id": 1, "digest": "d", "declared": "held"},
                    document | {"id": 2, "digest": "e", "declared": "lost", "occurrence": 1},
                    document | {"id": 3, "digest": "f", "declared": "gone", "occurrence": 2},
                ],
            )
            connection.execute(
                insert(versions),
                [
                    told | {"change": "added", "digest": "d", "declared": "held"},
                    told | {"change": "removed", "digest": "f", "declared": ""},
                ],
            )

        schema.upgrade(database)

        with database.reading() as connection:
            own = connection.execute(select(documents.c.declared).order_by(documents.c.id)).scalars()
            assert list(own) == [None, "lost", "gone"]
            assert declared_texts(connection, [1, 2, 3]) == {1: "held", 2: "lost", 3: "gone"}


def test_an_upgrade_keeps_the_looks_that_somebody_wants(database_url: str) -> None:
    """Those of pushes, taken or not, and those that were asked for by hand; a source that is gone is not looked at."""
    source = {"type": "url", "registered": False, "fingerprint": "", "revision": 0, "created_at_ms": 0}
    rows = [source | {"id": name, "target": name} for name in ("planned", "new", "taken", "by hand", "regular")]
    planned = {"due_at_ms": 9_000, "again": "[]", "holder": None}
    pushed = [("planned", 0), ("new", 0), ("taken", 1 << 40), ("gone", 0)]
    with Database(database_url) as database:
        with database.writing() as connection:
            _migrated(connection, "0017")
            connection.execute(insert(sources), rows)
            connection.execute(
                insert(looks),
                [
                    planned | {"source_id": "planned"},
                    planned | {"source_id": "taken"},
                    planned | {"source_id": "by hand", "again": '["url:x"]', "holder": 7},
                    planned | {"source_id": "regular", "holder": 7},
                ],
            )
            statement = text("INSERT INTO pending_refreshes VALUES (:id, 1, 5000, :until)")
            connection.execute(statement, [{"id": name, "until": until} for name, until in pushed])

        schema.upgrade(database)

        with database.reading() as connection:
            found = connection.execute(select(looks.c.source_id, looks.c.due_at_ms, looks.c.wanted_at_ms))
            assert {row.source_id: tuple(row)[1:] for row in found} == {
                "planned": (9_000, 0),
                "new": (5_000, 0),
                "taken": (9_000, 0),
                "by hand": (9_000, 0),
                "regular": (9_000, None),
            }
        with database.writing() as connection:
            assert take(connection, WANTED, holder=8, living={8}, now_ms=10, next_due_ms=None, limit=9) == {
                "planned": "[]",
                "new": "[]",
                "taken": "[]",
                "by hand": '["url:x"]',
            }


@pytest.mark.parametrize("is_migrated", [False, True], ids=["at once", "by all migrations"])
def test_the_database_itself_keeps_audit_records_as_they_are(database_url: str, is_migrated: bool) -> None:
    with Database(database_url) as database:
        if is_migrated:
            with database.writing() as connection:
                _migrated(connection, "0001")
        schema.upgrade(database)
        service = AuditService(database, days=1)
        service.record("a", actor="b", target="c", result="success")
        service.close()
        for statement in (
            update(audit_records).values(actor="somebody else"),
            update(audit_records).values(at_ms=1),
            delete(audit_records),
            text("DELETE FROM audit_records WHERE id > 0"),
        ):
            with pytest.raises(SQLAlchemyError, match="audit records"), database.recording() as connection:
                connection.execute(statement)

        with database.reading() as connection:
            assert connection.execute(select(audit_records.c.actor)).scalars().all() == ["b"]
