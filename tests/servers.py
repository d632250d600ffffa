"""A real `portal serve` in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import forks
import orjson
import psutil
from waiting import eventually

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_portal(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a portal command in a folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "160"}
    return forks.run(["--data", str(folder / "data"), *arguments], folder=folder, environment=environment)


def told(folder: Path, *words: str) -> str:
    """Return what `portal owners` tells in a folder."""
    done = run_portal("owners", *words, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Server:
    """A server that runs."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    def ask(self, path: str, *, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        """Return the status and the JSON (or text) of an answer."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else orjson.dumps(body),
            headers={"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, _content(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _content(error)

    def kill(self) -> None:
        """Kill the server and all its processes at once."""
        family = psutil.Process(self.process.pid)
        for member in [*family.children(recursive=True), family]:
            member.send_signal(signal.SIGKILL)
        self.process.wait()


def _content(response: Any) -> Any:
    content = response.read()
    return orjson.loads(content) if "json" in response.headers.get("content-type", "") else content.decode()


@contextmanager
def serving(folder: Path, *arguments: str, port: int | None = None) -> Iterator[Server]:
    """Serve from a folder until the block ends."""
    number = port or free_port()
    log = folder / "serve.log"
    command = [
        sys.executable,
        "-m",
        "portal",
        "--data",
        str(folder / "data"),
        "serve",
        "--port",
        str(number),
        *arguments,
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=output, stderr=output
        )
    server = Server(process, f"http://127.0.0.1:{number}", log)
    try:
        eventually(lambda: _answers(server), "the server to answer")
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()


def _answers(server: Server) -> bool:
    if server.process.poll() is not None:
        raise AssertionError(f"the server ended:\n{server.log.read_text()}")
    try:
        return server.ask("/.backstage/health/v1/readiness")[0] == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
