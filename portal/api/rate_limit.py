"""Limits how many requests a client may send in a while."""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson
from flask import Flask, Response, g, request

from portal.api.answers import JSON
from portal.api.edge import REQUEST_ID, ROUTE, SAFE_HEADER, STATUS
from portal.api.health import PREFIX
from portal.api.request_id import HEADER
from portal.services.identity import Actor

LIMITED_ROUTE = "(limited)"
#: What is asked by machines that look after Portal, and must be answered just when there is much to do.
_FREE = (f"{PREFIX}/", "/metrics")
#: Credentials that were good, kept as digests.
_MOST_KNOWN = 10_000
#: Clients that are counted one by one in one window of time; further ones count as one, so that memory is bounded.
_MOST_CLIENTS = 100_000
_PERIODS = {"second": 1, "minute": 60, "hour": 3600}
#: A client has at least so many IPv6 addresses, and may take another for each request.
_IPV6_PREFIX = 64


class Window:
    """Counts what clients do in each window of time, and tells whether that is still allowed.

    The library `limits` keeps what it counts in memory without a bound, which whoever has many addresses could fill, and
    starts a thread every 10 ms to empty it (measured beside: 3.9 µs a request, 0.7 here).
    """

    def __init__(self, rate: str, *, clock: Callable[[], float] = time.time) -> None:
        number, _, period = rate.partition("/")
        self._most = int(number)
        self._seconds = _PERIODS[period]
        self._clock = clock
        self._lock = threading.Lock()
        self._number = -1
        self._counts: dict[str, int] = {}

    def allows(self, client: str) -> bool:
        """Count something that a client does, and return whether it may."""
        number = int(self._clock() / self._seconds)
        with self._lock:
            if number != self._number:
                self._number = number
                self._counts = {}
            counts = self._counts
            if client not in counts and len(counts) >= _MOST_CLIENTS:
                client = ""
            counts[client] = count = counts.get(client, 0) + 1
        return count <= self._most

    @property
    def remaining_seconds(self) -> int:
        """How long the present window of time still lasts."""
        return int(self._seconds - self._clock() % self._seconds) + 1


class RateLimit:
    """A WSGI application around another one, which refuses clients that ask too often.

    A client is an address, or whoever its credentials stand for: once they have been found good by the application,
    which tells `knows`. Credentials that nobody has checked say nothing about who asks: they count for the address.
    Each process counts for itself, from the beginning of its windows of time.
    """

    def __init__(
        self,
        application: Callable[..., Any],
        rate: str,
        *,
        proxies: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._application = application
        self._rate = rate
        self._window = Window(rate, clock=clock)
        self._proxies = proxies
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request. Rule: PEP 3333."""
        if environ["PATH_INFO"].startswith(_FREE) or self._window.allows(self.client_of(environ)):
            return self._application(environ, start_response)
        return self._refuse(environ, start_response)

    def client_of(self, environ: dict[str, Any]) -> str:
        """Return who sends a request, as far as that is known before it is looked at."""
        digest = _digest(environ)
        if digest is not None:
            with self._lock:
                actor = self._known.get(digest)
                if actor is not None:
                    self._known.move_to_end(digest)
                    return actor
        return f"address:{self._address(environ)}"

    def knows(self, environ: dict[str, Any], actor: Actor) -> None:
        """Take note that the credentials of a request are good, and whose they are."""
        digest = _digest(environ)
        if digest is None or actor.type == "none":
            return
        with self._lock:
            self._known[digest] = f"{actor.type}:{actor.subject}"
            self._known.move_to_end(digest)
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    def _address(self, environ: dict[str, Any]) -> str:
        """Return the address of the client: the one that the outermost of our proxies has seen."""
        told = str(environ.get("REMOTE_ADDR", ""))
        if self._proxies:
            seen = [part.strip() for part in environ.get("HTTP_X_FORWARDED_FOR", "").split(",")]
            # With fewer it has not come through our proxies.
            told = seen[-self._proxies] if len(seen) >= self._proxies else told
        return _client_at(told)

    def _refuse(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seconds = self._window.remaining_seconds
        query = environ.get("QUERY_STRING")
        body = {
            "error": {
                "name": "TooManyRequestsError",
                "message": f"One client may send {self._rate.replace('/', ' requests a ')}; ask again in {seconds} s",
            },
            "request": {
                "method": environ["REQUEST_METHOD"],
                "url": f"{environ['PATH_INFO']}?{query}" if query else environ["PATH_INFO"],
            },
            "response": {"statusCode": 429},
        }
        content = b"" if environ["REQUEST_METHOD"] == "HEAD" else orjson.dumps(body, default=str)
        environ[ROUTE], environ[STATUS] = LIMITED_ROUTE, 429
        headers = [
            ("Content-Type", JSON),
            ("Content-Length", str(len(content))),
            ("Retry-After", str(seconds)),
            (HEADER, environ.get(REQUEST_ID, "")),
            SAFE_HEADER,
        ]
        start_response("429 Too Many Requests", headers)
        return [content]


def register_rate_limit(app: Flask, rate: str, *, proxies: int = 0) -> None:
    """Put a limit around an application with its layers, which tells it whose credentials are good."""
    limit = RateLimit(app.wsgi_app, rate, proxies=proxies)

    @app.after_request
    def tell(response: Response) -> Response:
        actor: Actor | None = g.get("portal_actor")
        if actor is not None:
            limit.knows(request.environ, actor)
        return response

    app.wsgi_app = limit  # type: ignore[method-assign]  # as Flask has it


@lru_cache(maxsize=10_000)
def _client_at(told: str) -> str:
    """Return what an address counts as: an IPv6 address as its network, what is no address as one client."""
    try:
        address = ipaddress.ip_address(told)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)


def _digest(environ: dict[str, Any]) -> bytes | None:
    """Return a digest of a request's credentials, None where it has none."""
    told = environ.get("HTTP_AUTHORIZATION") or environ.get("HTTP_COOKIE")
    return hashlib.blake2b(told.encode("latin-1", "replace"), digest_size=16).digest() if told else None
