"""A git server on loopback that can leave out blobs."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Serve the repositories of `repo` by `git daemon`: `serve() + "/repository"` is a url."""
    running: list[subprocess.Popen[bytes]] = []

    def start() -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [
            "git", "daemon", "--listen=127.0.0.1", f"--port={port}", "--export-all", "--reuseaddr", "--verbose",
            "--log-destination=stderr", f"--base-path={tmp_path / 'repositories'}",
        ]  # fmt: skip
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        running.append(process)
        assert process.stderr is not None
        assert b"Ready to rumble" in process.stderr.readline()
        return f"git://127.0.0.1:{port}"

    yield start
    for process in running:
        process.terminate()
        assert process.stderr is not None
        process.stderr.close()
        process.wait()
