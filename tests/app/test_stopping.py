"""A server that is asked to end: nothing that it has begun to answer is cut, its tasks go on elsewhere."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from repositories import MakeRepository
from servers import Server, free_port, serving
from waiting import eventually

SLOW = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: slow}
spec:
  type: service
  owner: group:default/team
  parameters: []
  steps:
    - {id: first, name: First, action: debug:log, input: {message: begun}}
    - {id: wait, name: Wait, action: debug:wait, input: {seconds: SECONDS}}
    - {id: last, name: Last, action: debug:log, input: {message: done}}
"""
ENTITIES = "/api/catalog/entities"


class Client(threading.Thread):
    """Asks again and again, each time on a connection of its own, until it is refused; `whole` counts whole answers."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._host = urlsplit(server.url).netloc
        self.whole = 0
        self.cut: list[str] = []

    def run(self) -> None:
        while True:
            with closing(http.client.HTTPConnection(self._host, timeout=60)) as connection:
                try:
                    connection.connect()
                except OSError:
                    return
                try:
                    connection.request("GET", ENTITIES)
                    response = connection.getresponse()
                except (OSError, http.client.HTTPException):
                    continue  # it was never looked at: the server's log tells that
                try:
                    json.loads(response.read())
                    self.whole += response.status == 200
                except (OSError, ValueError, http.client.HTTPException) as error:
                    self.cut.append(repr(error))


class Asked(threading.Thread):
    """Asks one thing, which takes until the server ends it."""

    def __init__(self, server: Server, path: str) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=90)
        self._path = path
        self.status = 0
        self.body = b""
        self.fault = ""
        self.start()

    def run(self) -> None:
        try:
            self._connection.request("GET", self._path)
            response = self._connection.getresponse()
            self.status = response.status
            self.body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.fault = repr(error)
        finally:
            self._connection.close()


def _task(server: Server) -> str:
    status, created = server.ask(
        "/api/scaffolder/v2/tasks", method="POST", body={"templateRef": "template:default/slow", "values": {}}
    )
    assert status == 201, created
    task = f"/api/scaffolder/v2/tasks/{created['id']}"
    eventually(lambda: "Beginning step Wait" in json.dumps(server.ask(f"{task}/events")[1]), "the task to wait")
    return task


def _logged(server: Server, message: str) -> list[dict[str, object]]:
    lines = [line for line in server.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in map(json.loads, lines) if line["message"] == message]


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_LOG_FORMAT", "json")
    monkeypatch.setenv("PORTAL_LOG_REQUESTS", "true")
    monkeypatch.setenv("PORTAL_STOP_SECONDS", "60")


def test_under_load_no_answer_is_cut_streams_end_and_the_task_is_handed_back(
    tmp_path: Path, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": SLOW.replace("SECONDS", "600")})
    port = free_port()
    with serving(tmp_path, "--catalog", made.url, port=port) as server:
        task = _task(server)
        clients = [Client(server) for _ in range(6)]
        for client in clients:
            client.start()
        changes = Asked(server, f"{ENTITIES[:-9]}/changes/events")
        events = Asked(server, f"{task}/eventstream")
        poll = Asked(server, f"{task}/events?after=1000000")
        eventually(lambda: changes.status == events.status == 200, "the streams to begin")
        eventually(lambda: all(client.whole > 5 for client in clients), "some load")

        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=120) == 0
        for thread in (*clients, changes, events, poll):
            thread.join(timeout=60)
            assert not thread.is_alive()

        assert [client.cut for client in clients] == [[]] * len(clients)
        answered = Counter((line["path"], line["status"]) for line in _logged(server, "a request was answered"))
        assert answered[ENTITIES, 200] == sum(client.whole for client in clients)
        for asked in (changes, events, poll):
            assert (asked.status, asked.fault) == (200, "")
        assert b"completion" not in events.body
        assert poll.body == b"[]"
        assert _logged(server, "the process ends by a fault") == _logged(server, "background work did not start") == []

    made.commit({"catalog-info.yaml": SLOW.replace("SECONDS", "0")})
    with serving(tmp_path, "--catalog", made.url, port=port) as server:
        # Its own steps, of before: it waits again, and is cancelled.
        eventually(lambda: "broken off" in json.dumps(server.ask(f"{task}/events")[1]), "the task to go on")
        assert server.ask(f"{task}/cancel", method="POST")[0] == 200
        eventually(lambda: server.ask(task)[1]["status"] != "processing", "the task to end")
        told = json.dumps(server.ask(f"{task}/events")[1])
        assert (told.count("Beginning step First"), told.count("Beginning step Wait")) == (1, 2)


def test_a_request_that_never_ends_does_not_keep_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_STOP_SECONDS", "2")
    (tmp_path / "catalog-info.yaml").write_text(SLOW)
    with serving(tmp_path, "--catalog", str(tmp_path)) as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port)) as sender:
            sender.sendall(b"POST /api/catalog/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
            assert server.ask("/.backstage/health/v1/liveness")[0] == 200
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(timeout=60) == 0
