"""Several real processes of Portal on one PostgreSQL, behind one address."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from servers import ROOT, Server, free_port
from waiting import eventually

#: How long the proxy waits for a server to answer before it asks the next.
_ANSWER_SECONDS = 5.0
#: Several processes begin at once, and import for seconds each.
START_SECONDS = 180.0
_QUIET = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Member:
    """One process of a fleet, with those that it began."""

    def __init__(self, arguments: list[str], folder: Path, log: Path) -> None:
        command = [sys.executable, "-m", "portal", "--data", str(folder / "data"), *arguments]
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=output, stderr=output
            )

    @property
    def number(self) -> int:
        """The number by which a worker is known in the database."""
        return int(re.findall(r"Portal works as number (\d+)", self.log.read_text())[0])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all processes of it at once."""
        head = psutil.Process(self.process.pid)
        for member in [head, *head.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # a child ends by itself when its parent has
                member.send_signal(number)

    def kill(self) -> None:
        """Kill it, whatever state it is in."""
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
        self.process.wait()


class Fleet:
    """Servers that only answer, workers that only work, a proxy before the servers."""

    def __init__(self, folder: Path, database: str, *settings: str) -> None:
        self.folder = folder
        self.database = database
        self.settings = settings
        self.members: list[Member] = []
        self.servers: dict[int, Member] = {}
        self._numbers = count(1)
        self._proxy = _Proxy(self)
        self.address = Server(None, f"http://127.0.0.1:{self._proxy.port}", folder / "proxy.log")  # type: ignore[arg-type]

    def serve(self) -> Member:
        """Start a server; it gets requests when it answers."""
        port = free_port()
        member = self._start("serve", "--no-worker", "--port", str(port), "--database", self.database, *self.settings)
        self.servers[port] = member
        eventually(lambda: self._is_up(port, member), "the server to answer", seconds=START_SECONDS)
        return member

    def work(self, *arguments: str) -> Member:
        """Start a worker."""
        member = self._start("worker", "--database", self.database, *arguments)
        eventually(lambda: "Portal works as number" in _alive(member), "the worker", seconds=START_SECONDS)
        return member

    def ask_each(self, path: str) -> list[tuple[int, Any]]:
        """Ask every server itself."""
        return [
            Server(member.process, f"http://127.0.0.1:{port}", member.log).ask(path)
            for port, member in self.servers.items()
        ]

    def close(self) -> None:
        """End all."""
        for member in self.members:
            member.kill()
        self._proxy.close()

    def _start(self, *arguments: str) -> Member:
        log = self.folder / f"{arguments[0]}-{next(self._numbers)}.log"
        member = Member([*arguments], self.folder, log)
        self.members.append(member)
        return member

    @staticmethod
    def _is_up(port: int, member: Member) -> bool:
        _alive(member)
        try:
            return _forward(port, "GET", "/.backstage/health/v1/readiness", {}, b"")[0] == 200
        except OSError:
            return False


def _alive(member: Member) -> str:
    told = member.log.read_text()
    assert member.process.poll() is None, f"the process ended:\n{told}"
    return told


def _forward(
    port: int, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    except (http.client.HTTPException, urllib.error.URLError) as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


class _Proxy:
    """Gives each request to the next server, and to the one after that where it does not answer."""

    def __init__(self, fleet: Fleet) -> None:
        turns = count()

        class Handler(BaseHTTPRequestHandler):
            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _QUIET}
                ports = list(fleet.servers)
                first = next(turns)
                for place in range(len(ports)):
                    try:
                        status, told, content = _forward(
                            ports[(first + place) % len(ports)], self.command, self.path, headers, body
                        )
                        break
                    except OSError:
                        continue
                else:
                    status, told, content = 502, [], b""
                self.send_response_only(status)
                for name, value in told:
                    if name.lower() not in _QUIET:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = forward  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def fleet(folder: Path, database: str, *settings: str) -> Iterator[Fleet]:
    """A fleet without members yet; all are ended with the block."""
    made = Fleet(folder, database, *settings)
    try:
        yield made
    finally:
        made.close()
