"""Requests that come slowly, or are too large, on a real server with real sockets."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from catalogs import component, documents, group
from servers import Server, serving
from waiting import eventually

from portal.api.bodies import MOST_BODIES

pytestmark = pytest.mark.slow

ENTITY = "/api/catalog/entities/by-name/component/default/a"
POST = b"POST /api/catalog/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "catalog-info.yaml").write_text(documents(component("a"), group("team-a")))
    with serving(folder, "--catalog", str(folder)) as running:
        yield running


@contextmanager
def _connected(server: Server) -> Iterator[socket.socket]:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=90) as opened:
        yield opened


def _answer(opened: socket.socket) -> tuple[int, dict[str, str], Any]:
    """Return the status, headers and JSON of an answer."""
    with opened.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        headers = {}
        while line := stream.readline().decode().rstrip():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        content = stream.read(int(headers.get("content-length", 0)))
    return status, headers, json.loads(content) if "json" in headers.get("content-type", "") else content


def test_bodies_that_never_come_keep_nobody_else_waiting(server: Server) -> None:
    with ExitStack() as opened:
        senders = [opened.enter_context(_connected(server)) for _ in range(4 * MOST_BODIES)]
        for sender in senders:
            sender.sendall(POST + b"Content-Length: 100\r\n\r\n{")
        answered, _, _ = select.select(senders, [], [], 60)
        status, headers, told = _answer(answered[0])
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        assert told["error"]["name"] == "ServiceUnavailableError"
        for _ in range(5):
            assert server.ask(ENTITY)[0] == 200
            assert server.ask("/api/catalog/entities")[0] == 200
            assert server.ask("/")[0] == 200
    eventually(
        lambda: server.ask("/api/catalog/refresh", method="POST", body={"entityRef": "component:default/a"})[0] == 200,
        "the places of those who have left",
    )


def test_headers_that_never_come_keep_nobody_else_waiting(server: Server) -> None:
    with ExitStack() as opened:
        senders = [opened.enter_context(_connected(server)) for _ in range(200)]
        for sender in senders:
            sender.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert server.ask(ENTITY)[0] == 200
        # Each is closed when its time is over.
        assert [sender.recv(1024) for sender in senders] == [b""] * len(senders)


@pytest.mark.parametrize("size", [10 * MEBIBYTE + 1, 10**15])
def test_a_body_that_is_too_large_is_refused_unread(server: Server, size: int) -> None:
    with _connected(server) as sender:
        sender.sendall(POST + f"Content-Length: {size}\r\n\r\n{{".encode())
        status, headers, told = _answer(sender)

    assert (status, told["error"]["name"]) == (413, "PayloadTooLargeError")
    assert "x-request-id" in headers


def test_a_body_without_a_length_that_grows_too_large_is_refused(server: Server) -> None:
    piece = b"100000\r\n" + b" " * MEBIBYTE + b"\r\n"
    with _connected(server) as sender:
        sender.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            sender.sendall(piece)
        sender.sendall(b"5\r\n     \r\n")
        status, _, told = _answer(sender)

    assert (status, told["error"]["name"]) == (413, "PayloadTooLargeError")


@pytest.mark.parametrize(
    "body",
    [
        b'Content-Length: 35\r\n\r\n{"entityRef":"component:default/a"}',
        b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"ent\r\n1e\r\nityRef":"component:default/a"}\r\n0\r\n\r\n',
    ],
)
def test_a_body_comes_whole_however_it_is_sent(server: Server, body: bytes) -> None:
    with _connected(server) as sender:
        sender.sendall(POST + body)

        assert _answer(sender)[0] == 200


def test_a_body_that_breaks_off_is_not_acted_on(server: Server) -> None:
    with _connected(server) as sender:
        sender.sendall(POST + b'Content-Length: 99\r\n\r\n{"entityRef":"component:default/a"}')
        sender.shutdown(socket.SHUT_WR)
        status, _, told = _answer(sender)

    assert (status, told["error"]["message"]) == (400, "The body broke off after 35 of 99 bytes")


def test_headers_that_are_too_large_are_refused(server: Server) -> None:
    with _connected(server) as sender:
        sender.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"a" * (256 * 1024) + b"\r\n\r\n")

        assert _answer(sender)[0] == 431


@pytest.mark.parametrize("name", ["X-Request-ID", "Host", "X-Odd"])
def test_no_header_of_a_client_becomes_one_of_the_answer(server: Server, name: str) -> None:
    with _connected(server) as sender:
        sender.sendall(f"GET /?a=%0d%0aX-Made: 1 HTTP/1.1\r\n{name}: a%0d%0aX-Made: 1\r\nX-B: b\r\n\r\n".encode())
        _, headers, _ = _answer(sender)

    assert "x-made" not in headers
