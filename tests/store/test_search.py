from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert

from portal.model.filter import Match
from portal.model.searchable import searchable
from portal.model.words import phrases
from portal.store import search
from portal.store.database import Database
from portal.store.schema import upgrade
from portal.store.tables import entities


def _add(database: Database, documents: Mapping[str, Mapping[str, object]]) -> None:
    """Add Components by name with what their metadata says beyond it."""
    with database.writing() as connection:
        declared = {
            number: {"kind": "Component", "metadata": {"name": name, **metadata}, "spec": {}}
            for number, (name, metadata) in enumerate(documents.items(), start=1)
        }
        rows = [
            {
                "id": number,
                "ref": f"component:default/{document['metadata']['name']}",
                "uid": str(number),
                "etag": "",
                "kind": "component",
                "title": document["metadata"].get("title", document["metadata"]["name"]),
                "document_id": number,
                "source_id": "s",
                "location": "url:x",
                "digest": "",
                "body": orjson.dumps(document).decode(),
            }
            for number, document in declared.items()
        ]
        connection.execute(insert(entities), rows)
        search.put_words(
            connection, {number: searchable(document) for number, document in declared.items()}, new=declared
        )


def _names(database: Database, term: str, *, offset: int = 0, limit: int = 100) -> list[str]:
    with database.reading() as connection:
        hits = search.find(connection, phrases(term), None, term=term, offset=offset, limit=limit)
    return [orjson.loads(body)["metadata"]["name"] for body in hits.bodies]


def test_a_word_counts_most_in_a_name_and_more_in_a_tag_than_in_the_text(database: Database) -> None:
    _add(
        database,
        {
            "a": {"description": "about payments"},
            "b": {"tags": ["payments"], "description": "x"},
            "c-payments": {"description": "x"},
            "payments": {"description": "a longer text than all the others have"},
            "other": {"description": "x"},
        },
    )

    assert _names(database, "payments") == ["payments", "c-payments", "b", "a"]


def test_words_may_go_on_and_all_must_be_there(database: Database) -> None:
    _add(database, {"fraud-model": {"description": "finds frauds"}, "fraud-data": {}, "churn-model": {}})

    assert set(_names(database, "fra")) == {"fraud-model", "fraud-data"}
    assert _names(database, "mod fra") == ["fraud-model"]
    assert _names(database, '"frau"') == []
    assert _names(database, '"finds frauds"') == ["fraud-model"]
    assert _names(database, '"frauds finds"') == []


@pytest.mark.parametrize("term", ["cafe", "CAFÉ", "caf"])
def test_accents_make_no_difference(database: Database, term: str) -> None:
    _add(database, {"a": {"description": "im Café"}, "b": {}})

    assert _names(database, term) == ["a"]


def test_scripts_without_spaces_are_searched_by_parts_of_a_sentence(database: Database) -> None:
    _add(
        database,
        {
            "a": {"title": "深度学习模型"},
            "b": {"description": "機械学習の特徴量"},
            "c": {"description": "习学"},
            "d": {"description": "คลังข้อมูล"},
        },
    )

    assert _names(database, "学习") == ["a"]
    assert _names(database, "学習") == ["b"]
    assert _names(database, "特徴量") == ["b"]
    assert _names(database, "ข้อมูล") == ["d"]


def test_words_end_where_a_part_of_the_entity_does(database: Database) -> None:
    _add(database, {"name": {"tags": ["tag"], "description": "text"}})

    assert _names(database, '"tag text"') == []
    assert _names(database, '"name component"') == []


def test_an_entity_is_found_by_its_newest_words_alone(database: Database) -> None:
    _add(database, {"a": {"description": "old"}, "b": {"description": "old"}})
    with database.writing() as connection:
        words = searchable({"kind": "Component", "metadata": {"name": "a", "description": "new"}})
        search.put_words(connection, {1: words})
        search.delete_words(connection, [2])

    assert (_names(database, "old"), _names(database, "new")) == ([], ["a"])


def test_answers_come_in_parts_with_their_whole_number(database: Database) -> None:
    _add(database, {f"m{number}": {"description": "model"} for number in range(5)})

    assert _names(database, "model", offset=2, limit=2) == ["m2", "m3"]
    with database.reading() as connection:
        beyond = search.find(connection, phrases("model"), None, term="model", offset=9, limit=2)
        filtered = search.find(connection, phrases("model"), Match("kind", ("group",)), term="model", offset=0, limit=2)
        everything = search.find(connection, [], None, term="", offset=0, limit=2)
    assert (beyond.bodies, beyond.total) == ([], 5)
    assert (filtered.bodies, filtered.total) == ([], 0)
    assert (len(everything.bodies), everything.total) == (2, 5)


def test_sqlite_looks_words_up_once_whatever_a_filter_leaves(tmp_path: Path) -> None:
    # Looked up anew for each entity of a kind, 6,000 of them took 1.5 s.
    with Database(f"sqlite:///{tmp_path / 'portal.db'}") as database:
        upgrade(database)
        with database.reading() as connection:
            asked: list[tuple[str, object]] = []
            event.listen(
                connection, "before_cursor_execute", lambda _c, _cur, text, values, *_: asked.append((text, values))
            )
            search.find(connection, phrases("a"), Match.of("kind", ["api"]), term="a", offset=0, limit=2)
            ((text, values),) = asked
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all()

    assert "MATERIALIZE hits" in {row[3] for row in plan}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=200).filter(lambda text: "\0" not in text and text.isprintable()))
def test_no_text_is_too_odd_to_be_found(database: Database, text: str) -> None:
    words = searchable({"kind": "Component", "metadata": {"name": "a", "description": text}})
    with database.writing() as connection:
        search.put_words(connection, {77: words})
    wanted = phrases(text)[:5]

    with database.reading() as connection:
        found = connection.execute(search.hits_of(connection, wanted).select()).all() if wanted else []

    assert [row.id for row in found] == ([77] if wanted else [])


def test_a_text_that_is_very_long_can_be_kept(database: Database) -> None:
    letters = "".join(chr(0x4E00 + number % 20_000) for number in range(60_000))
    _add(database, {"long": {"description": letters}, "words": {"description": " ".join(map(str, range(20_000)))}})

    assert _names(database, letters[5:8]) == ["long"]
    assert _names(database, "7777") == ["words"]
