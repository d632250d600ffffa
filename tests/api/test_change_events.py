"""The stream of changes, from a server in a process of its own."""

from __future__ import annotations

import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from catalogs import component, documents
from flask.testing import FlaskClient
from repositories import MakeRepository, Repository
from servers import Server, serving
from waiting import eventually

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings

EVENTS = "/api/catalog/changes/events"
FOLLOWERS = 3


class Stream:
    """A client that follows as EventSource does: `place` is the last id, `told` are the events' data."""

    def __init__(self, server: Server, *, query: str = "", place: str = "") -> None:
        headers = {"Last-Event-ID": place} if place else {}
        request = urllib.request.Request(f"{server.url}{EVENTS}{query}", headers=headers)
        self.response = urllib.request.urlopen(request, timeout=60)
        self.place = place
        self.told: list[dict[str, Any]] = []
        self.comments = 0
        self.has_ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for line in self.response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    self.place = value
                elif name == "data":
                    self.told.append(orjson.loads(value))
                elif line.startswith(b":"):
                    self.comments += 1
        except (OSError, ValueError):
            return
        self.has_ended = True

    def wait(self, count: int) -> list[tuple[str, str]]:
        """Return the changes told, once there are so many."""
        eventually(lambda: len(self.told) >= count, f"{count} events; there were {self.told}")
        return [(item["change"], item["entityRef"]) for item in self.told]

    def leave(self) -> None:
        """Go away without a word."""
        self.response.fp.raw._sock.shutdown(2)
        self._thread.join()


@pytest.fixture
def made(repo: MakeRepository) -> Repository:
    return repo({"catalog-info.yaml": component("a")})


@pytest.fixture
def server(made: Repository, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server with one thread beside those of the followers."""
    monkeypatch.setenv("PORTAL_THREADS", "1")
    monkeypatch.setenv("PORTAL_FOLLOWERS", str(FOLLOWERS))
    monkeypatch.setenv("PORTAL_REFRESH_SECONDS", "0")
    with serving(tmp_path, "--database", database_url, "--catalog", f"{made.path}#main:catalog-info.yaml") as found:
        yield found


def _commit(server: Server, made: Repository, *names: str, owner: str = "team-a") -> str:
    commit = made.commit({"catalog-info.yaml": documents(*(component(name, owner=owner) for name in names))})
    assert server.ask("/api/catalog/refresh", method="POST", body={"entityRef": "component:default/a"})[0] == 200
    return commit


def test_a_client_is_told_of_commits_and_misses_nothing_while_it_is_away(server: Server, made: Repository) -> None:
    stream = Stream(server)
    eventually(lambda: stream.place, "the place to begin from")
    commit = _commit(server, made, "a", "b")

    assert stream.wait(1) == [("added", "component:default/b")]
    assert stream.told[0]["commit"] == commit
    assert stream.told[0] in server.ask("/api/catalog/changes?since=1")[1]["items"]
    stream.leave()
    _commit(server, made, "a", "b", "c")
    _commit(server, made, "a", "c", owner="team-b")
    again = Stream(server, place=stream.place, query="?since=0")

    told = again.wait(4)
    assert told[0] == ("added", "component:default/c")
    assert sorted(told[1:]) == [
        ("changed", "component:default/a"),
        ("changed", "component:default/c"),
        ("removed", "component:default/b"),
    ]
    assert Stream(server, query="?since=1").wait(5) == [("added", "component:default/b"), *told]


def test_those_who_follow_hold_up_nobody_and_end_with_the_server(server: Server, made: Repository) -> None:
    streams = [Stream(server) for _ in range(FOLLOWERS)]
    eventually(lambda: all(stream.place for stream in streams), "all to follow")

    assert server.ask(f"{EVENTS}")[0] == 503
    assert server.ask("/api/catalog/entities/by-name/component/default/a")[0] == 200
    # That a client has left is noticed when it is told something, a comment at the latest.
    streams.pop().leave()
    streams.append(eventually(lambda: _followed(server), "a place to become free"))
    assert streams[0].comments
    _commit(server, made, "a", "b")
    assert [stream.wait(1) for stream in streams] == [[("added", "component:default/b")]] * FOLLOWERS

    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=15) == 0
    eventually(lambda: all(stream.has_ended for stream in streams), "the streams to end")


def _followed(server: Server) -> Stream | None:
    try:
        return Stream(server)
    except urllib.error.HTTPError as error:
        error.close()
        return None


@pytest.fixture
def portal(tmp_path: Path, database_url: str) -> Iterator[Portal]:
    overrides = {"data": str(tmp_path / "data"), "database": database_url, "followers": 1}
    with build(load_settings(environment={}, overrides=overrides)) as made:
        made.migrate()
        yield made


@pytest.fixture
def client(portal: Portal) -> FlaskClient:
    return create_app(portal).test_client()


@pytest.mark.parametrize(
    ("query", "place"),
    [("?since=1", ""), ("?since=x", ""), ("?other=1", ""), ("", "1"), ("", "-1"), ("", "one"), ("", "9" * 20)],
)
def test_a_place_that_is_not_there_is_refused(client: FlaskClient, query: str, place: str) -> None:
    answer = client.get(f"{EVENTS}{query}", headers={"Last-Event-ID": place} if place else {})

    assert answer.status_code == 400
    assert answer.get_json()["error"]["name"] == "InputError"


def test_a_question_for_the_head_alone_follows_nothing(client: FlaskClient, portal: Portal) -> None:
    answer = client.head(EVENTS)

    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    assert portal.feed.followers == 0


def test_the_first_event_tells_only_the_place(client: FlaskClient, portal: Portal) -> None:
    answer = client.get(EVENTS, buffered=False)

    assert next(answer.response) == b"id: 0\n\n"
    assert portal.feed.followers == 1
    answer.close()
    assert portal.feed.followers == 0
