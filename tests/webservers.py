"""Servers on loopback: files over HTTP, and git repositories as a host serves them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import pytest


class Host(Protocol):
    """What is served: it is told its port, and notes what is asked wrongly."""

    port: int
    faults: list[str]


AnyHost = TypeVar("AnyHost", bound=Host)


@dataclass
class WebServer:
    """A server whose `pages` (path to content, or to the url that it redirects to) may change; `asked` grows."""

    port: int = 0
    pages: dict[str, bytes | str] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The host as it stands in urls."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        """Return the url of a page."""
        return f"http://{self.host}{path}"


@dataclass
class GitHost:
    """A git host that serves the repositories of a folder, to those who bring the token where one is wanted."""

    port: int = 0
    token: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The host as it stands in urls."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        """Return the url of a page."""
        return f"http://{self.host}{path}"


def serve_git(handler: BaseHTTPRequestHandler, root: Path, path: str, *, user: str = "") -> None:
    """Answer a request for a path below a folder of repositories as a git host does; only a `user` may push."""
    program = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip()
    body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
    answer = subprocess.run(
        [f"{program}/git-http-backend"],
        input=body,
        capture_output=True,
        check=True,
        env=os.environ
        | ({"REMOTE_USER": user} if user else {})
        | {
            "GIT_PROJECT_ROOT": str(root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": urlsplit(handler.path).query,
            "REQUEST_METHOD": handler.command,
            "CONTENT_TYPE": handler.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": handler.headers.get("content-encoding", ""),
            "HTTP_GIT_PROTOCOL": handler.headers.get("git-protocol", ""),
        },
    ).stdout
    head, _, content = answer.partition(b"\r\n\r\n")
    lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    handler.send_response(int(lines.pop("Status", "200").split()[0]))
    for name, value in lines.items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def run_server(handler: type[BaseHTTPRequestHandler], started: Callable[[int], None]) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    started(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


class HostHandler(BaseHTTPRequestHandler):
    """Answers as the API of a git host does, in JSON."""

    def send_json(self, status: int, content: Any) -> None:
        text = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def refuse_git(self, status: int) -> None:
        """Ask git for a login, or tell it that something is wrong."""
        self.send_response(status)
        self.send_header("www-authenticate", "Basic")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving_host(handler: type[HostHandler], host: AnyHost) -> Iterator[AnyHost]:
    """Serve a host, and check at the end that it noted no faults."""

    def started(port: int) -> None:
        host.port = port

    yield from _served(run_server(handler, started), host)
    assert not host.faults, "\n".join(host.faults)


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server, empty at first; it knows etags."""
    served = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = served.pages.get(self.path)
            etag = f'"{hash(content)}"'
            if content is None:
                self._answer(404)
            elif isinstance(content, str):
                self._answer(302, {"location": content})
            elif self.headers.get("if-none-match") == etag:
                self._answer(304)
            else:
                self._answer(200, {"etag": etag} | served.headers.get(self.path, {}), content)

        def _answer(self, status: int, headers: dict[str, str] | None = None, content: bytes = b"") -> None:
            served.asked.append((self.path, status))
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    def started(port: int) -> None:
        served.port = port

    yield from _served(run_server(Handler, started), served)


@pytest.fixture
def git_host(tmp_path: Path) -> Iterator[GitHost]:
    """A git host for the repositories that `repo` makes: `/o/r` is the one named `o/r`."""
    served = GitHost()
    root = tmp_path / "repositories"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            login = self.headers.get("authorization", "")
            served.asked.append(f"{parts.path} {'with' if login else 'without'} login")
            given = base64.b64decode(login.removeprefix("Basic ")).decode().partition(":")[2]
            if served.token and given != served.token:
                self.send_response(401)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            repository, found, service = parts.path.partition("/info/refs")
            if not found:
                repository, found, service = parts.path.partition("/git-upload-pack")
            serve_git(self, root, f"{repository}/.git{found}{service}")

        do_POST = do_GET  # noqa: N815  # the name that the server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    def started(port: int) -> None:
        served.port = port

    yield from _served(run_server(Handler, started), served)


def _served(running, served):
    next(running)
    try:
        yield served
    finally:
        for _ in running:
            pass
