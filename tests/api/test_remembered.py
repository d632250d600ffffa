from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from catalogs import component, documents
from flask.testing import FlaskClient
from repositories import MakeRepository
from sqlalchemy import event

from portal.api.remembered import Answer, AnswerMemory
from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings

PAGE = "/api/catalog/entities/by-query?filter=kind=component&orderField=metadata.name,asc&limit=20"


@pytest.fixture
def portals(tmp_path: Path, database_url: str) -> Iterator[tuple[Portal, Portal]]:
    """Two Portals on one database, as two processes would have them."""
    settings = load_settings(environment={}, overrides={"data": str(tmp_path / "data"), "database": database_url})
    with build(settings) as first, build(settings) as second:
        first.migrate()
        yield first, second


def _names(client: FlaskClient) -> list[str]:
    return [item["metadata"]["name"] for item in client.get(PAGE).get_json()["items"]]


def test_what_another_process_commits_is_answered_at_once(portals: tuple[Portal, Portal], repo: MakeRepository) -> None:
    reader, writer = portals
    made = repo({"catalog-info.yaml": documents(component("a"))})
    writer.ingest([("file", str(made.path))])
    client = create_app(reader).test_client()
    assert _names(client) == ["a"]
    assert _names(client) == ["a"]

    made.commit({"catalog-info.yaml": documents(component("a"), component("b"))})
    writer.refresh.refresh()

    assert _names(client) == ["a", "b"]


def test_the_same_question_costs_one_statement_the_second_time(
    portals: tuple[Portal, Portal], repo: MakeRepository
) -> None:
    reader, _ = portals
    made = repo({"catalog-info.yaml": documents(component("a"))})
    reader.ingest([("file", str(made.path))])
    client = create_app(reader).test_client()
    first = client.get(PAGE)
    seen: list[str] = []
    event.listen(reader.database.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))

    again = client.get(PAGE)

    assert seen == []  # the revision is asked on a connection of its own
    assert again.data == first.data
    assert again.headers["content-type"] == first.headers["content-type"]


def test_the_short_way_answers_as_the_long_one_does(portals: tuple[Portal, Portal], repo: MakeRepository) -> None:
    reader, _ = portals
    made = repo({"catalog-info.yaml": documents(component("a"))})
    reader.ingest([("file", str(made.path))])
    client = create_app(reader).test_client()
    unlike = {"x-request-id"}
    for path in (PAGE, "/api/catalog/entity-facets?facet=kind", "/api/catalog/entities/by-name/component/default/a"):
        # Another origin's page is answered by the application itself; so is the first who asks.
        long = client.get(path, headers={"origin": "https://elsewhere.example"})
        short = client.get(path)

        assert (short.status_code, short.data) == (200, long.data)
        found = [sorted((k.lower(), v) for k, v in one.headers if k.lower() not in unlike) for one in (short, long)]
        assert found[0] == found[1]
        assert short.headers["x-request-id"] != long.headers["x-request-id"]
    counted = client.get("/metrics").text
    assert 'count{method="GET",route="/api/catalog/entities/by-query",status="200"} 2.0' in counted


def test_many_who_ask_the_same_at_once_make_one_work_it_out(
    portals: tuple[Portal, Portal], repo: MakeRepository
) -> None:
    reader, _ = portals
    made = repo({"catalog-info.yaml": documents(*(component(f"c{number}") for number in range(100)))})
    reader.ingest([("file", str(made.path))])
    app = create_app(reader)
    counted: list[str] = []
    event.listen(reader.database.engine, "before_cursor_execute", lambda *given: counted.append(given[2]))
    app.test_client().get(PAGE)
    alone = len(counted)
    counted.clear()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: app.test_client().get(f"{PAGE}&offset=1").data, range(8)))

    assert len(set(answers)) == 1
    assert len(counted) < 8 * alone


def test_a_question_that_is_refused_is_refused_again(portals: tuple[Portal, Portal]) -> None:
    client = create_app(portals[0]).test_client()

    assert [client.get("/api/catalog/entity-facets?limit=1").status_code for _ in range(2)] == [400, 400]


def test_answers_that_were_not_asked_for_longest_go_first() -> None:
    memory = AnswerMemory(size_bytes=10_000)
    for number in range(20):
        memory.put(str(number), Answer(b"x" * 300, ()), revision=1)
        memory.get("0", revision=1)

    assert memory.get("0", revision=1) is not None
    assert memory.get("1", revision=1) is None
    assert memory.get("19", revision=1) is not None


def test_an_answer_of_an_older_revision_is_not_kept() -> None:
    memory = AnswerMemory()
    memory.put("a", Answer(b"new", ()), revision=2)
    memory.put("b", Answer(b"old", ()), revision=1)

    assert memory.get("b", revision=2) is None
    assert memory.get("a", revision=1) is None
    assert memory.get("a", revision=2) == Answer(b"new", ())
