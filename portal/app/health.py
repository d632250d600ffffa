"""Says over HTTP whether a process that serves nothing else is well."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

_LIVENESS = "/.backstage/health/v1/liveness"
_READINESS = "/.backstage/health/v1/readiness"


class HealthServer:
    """Answers the two health routes of a server, and nothing else, until it is closed."""

    def __init__(self, host: str, port: int, is_ready: Callable[[], bool]) -> None:
        self._server = ThreadingHTTPServer((host, port), _handler(is_ready))
        self._thread = threading.Thread(target=self._server.serve_forever, name="portal-health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(is_ready: Callable[[], bool]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # one that asks nothing holds its thread no longer
        server_version = "portal"
        sys_version = ""

        def do_GET(self) -> None:  # the name that http.server calls
            if self.path == _LIVENESS or (self.path == _READINESS and is_ready()):
                self._answer(200, {"status": "ok"})
            elif self.path == _READINESS:
                self._answer(503, {"message": "The database does not answer", "status": "error"})
            else:
                self._answer(404, {"error": {"name": "NotFoundError", "message": "A worker only says how it is"}})

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            content = orjson.dumps(body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as http.server names it
            """Say nothing: a probe comes every few seconds."""

    return Handler
