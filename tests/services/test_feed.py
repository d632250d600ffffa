from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from catalogs import component, documents
from portals import Catalog
from repositories import MakeRepository, Repository
from sqlalchemy import event
from waiting import eventually

from portal.errors import InputError, ServiceUnavailableError
from portal.services.feed import ChangeFeed, Follower
from portal.store.database import Database


@pytest.fixture
def feed(database: Database) -> Iterator[ChangeFeed]:
    made = ChangeFeed(database, most=5, look_seconds=0.01, beat_seconds=0.05)
    yield made
    made.close()


@pytest.fixture
def made(catalog: Catalog, repo: MakeRepository) -> Repository:
    """A repository that the catalog has read: two entities and the Location that led there."""
    found = repo({"catalog-info.yaml": documents(component("a"), component("b"))})
    catalog.ingest(found.url)
    return found


def _commit(catalog: Catalog, made: Repository, names: str, *, owner: str = "team-a") -> None:
    made.commit({"catalog-info.yaml": documents(*(component(name, owner=owner) for name in names))})
    catalog.service.refresh()


def _next(follower: Follower, count: int) -> list[tuple[int, str, str]]:
    """Return the next (id, change, name) that a follower is told."""
    found: list[tuple[int, str, str]] = []
    for portion in follower.portions():
        found += [(version.id, version.change, version.ref.name) for version in portion]
        if len(found) >= count:
            return found
    raise AssertionError(f"the follower's stream ended after {found}")


def _changes(follower: Follower, count: int) -> list[tuple[str, str]]:
    return [(change, name) for _, change, name in _next(follower, count)]


def test_a_follower_is_told_what_is_committed_from_then_on(
    feed: ChangeFeed, catalog: Catalog, made: Repository
) -> None:
    follower = feed.follow()
    _commit(catalog, made, "bc")

    assert sorted(_changes(follower, 2)) == [("added", "c"), ("removed", "a")]
    _commit(catalog, made, "bc", owner="team-b")
    assert sorted(_changes(follower, 2)) == [("changed", "b"), ("changed", "c")]


def test_a_follower_is_told_all_that_came_after_a_revision(
    feed: ChangeFeed, catalog: Catalog, made: Repository
) -> None:
    _commit(catalog, made, "bc")

    assert len(_changes(feed.follow(since=0), 5)) == 5
    assert sorted(_changes(feed.follow(since=1), 2)) == [("added", "c"), ("removed", "a")]
    with pytest.raises(InputError, match="There is no revision 3 yet; the newest is 2"):
        feed.follow(since=3)


def test_one_who_comes_back_to_any_place_misses_nothing(feed: ChangeFeed, catalog: Catalog, made: Repository) -> None:
    _commit(catalog, made, "bc")
    whole = _next(feed.follow(since=0), 5)

    for number, (place, *_) in enumerate(whole[:-1], 1):
        follower = feed.follow(place=place)
        assert _next(follower, len(whole) - number) == whole[number:]
        follower.close()
    with pytest.raises(InputError, match=f"There is no change {whole[-1][0] + 1} yet"):
        feed.follow(place=whole[-1][0] + 1)


def test_one_who_is_told_nothing_for_a_while_is_told_that(feed: ChangeFeed, made: Repository) -> None:
    assert made
    assert next(feed.follow().portions()) == []


def test_an_empty_catalog_can_be_followed(feed: ChangeFeed, catalog: Catalog, repo: MakeRepository) -> None:
    follower = feed.follow()
    catalog.ingest(repo({"catalog-info.yaml": component("a")}).url)

    assert ("added", "a") in _changes(follower, 2)


@pytest.mark.parametrize("count", [1, 5])
def test_what_is_new_is_read_once_for_all(database: Database, catalog: Catalog, made: Repository, count: int) -> None:
    """Beats are far apart here, so that all stand at one place when the change comes."""
    asked: list[str] = []
    feed = ChangeFeed(database, most=5, look_seconds=0.01, beat_seconds=3_600)
    followers = [feed.follow() for _ in range(count)]
    event.listen(
        database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: asked.append(statement),
    )
    with ThreadPoolExecutor(count) as pool, closing(feed):
        told = [pool.submit(_changes, follower, 1) for follower in followers]
        _commit(catalog, made, "abc")
        assert [found.result(timeout=30) for found in told] == [[("added", "c")]] * count
        more = [pool.submit(list, follower.portions()) for follower in followers]
        feed.close()
        assert [found.result()[:-1] for found in more] == [[]] * count
    reads = [text for text in asked if "versions.id >" in text]

    # What follows the first place before and after the commit, and what follows the second.
    assert len(reads) <= 3


def test_no_more_than_so_many_may_follow(feed: ChangeFeed, made: Repository) -> None:
    assert made
    followers = [feed.follow() for _ in range(5)]
    with pytest.raises(ServiceUnavailableError, match="No more than 5 clients"):
        feed.follow()
    followers[0].close()
    followers[0].close()

    assert feed.followers == 4
    assert list(followers[0].portions()) == []
    feed.follow()


def test_all_streams_end_with_the_feed(database: Database, made: Repository) -> None:
    assert made
    feed = ChangeFeed(database, most=2, beat_seconds=60)
    waiting = [threading.Thread(target=list, args=(feed.follow().portions(),)) for _ in range(2)]
    for thread in waiting:
        thread.start()
    feed.close()

    eventually(lambda: not any(thread.is_alive() for thread in waiting), "the streams to end")
    with pytest.raises(ServiceUnavailableError):
        feed.follow()
