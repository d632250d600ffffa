"""Limits how many requests a client may send in a while."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request

from portal.api.addresses import address_of
from portal.api.health import PREFIX
from portal.api.refusal import refuse
from portal.services.identity import Actor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication

#: What is asked by machines that look after Portal, and must be answered just when there is much to do.
_FREE = (f"{PREFIX}/", "/metrics")
#: Credentials that were good, kept as digests.
_MOST_KNOWN = 10_000
#: Clients that are counted one by one in one window of time; further ones count as one, so that memory is bounded.
_MOST_CLIENTS = 100_000
_PERIODS = {"second": 1, "minute": 60, "hour": 3600}


class Window:
    """Counts what clients do in each window of time, and tells whether that is still allowed.

    The library `limits` keeps what it counts in memory without a bound, which those with many addresses could fill, and
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
        application: WSGIApplication,
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

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
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
        return f"address:{address_of(environ, proxies=self._proxies)}"

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

    def forget(self, environ: dict[str, Any]) -> None:
        """Take note that the credentials of a request are good no longer, if they were."""
        digest = _digest(environ)
        if digest is not None:
            with self._lock:
                self._known.pop(digest, None)

    def _refuse(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        seconds = self._window.remaining_seconds
        allowed = self._rate.replace("/", " requests a ")
        return refuse(
            environ,
            start_response,
            HTTPStatus.TOO_MANY_REQUESTS,
            name="TooManyRequestsError",
            message=f"One client may send {allowed}; ask again in {seconds} s",
            retry_seconds=seconds,
        )


def register_rate_limit(app: Flask, rate: str, *, proxies: int = 0) -> None:
    """Put a limit around an application with its layers, which tells it whose credentials are good."""
    limit = RateLimit(app.wsgi_app, rate, proxies=proxies)

    @app.after_request
    def tell(response: Response) -> Response:
        actor: Actor | None = g.get("portal_actor")
        if actor is not None:
            limit.knows(request.environ, actor)
        elif response.status_code == HTTPStatus.UNAUTHORIZED:
            limit.forget(request.environ)
        return response

    app.wsgi_app = limit  # type: ignore[method-assign]  # as Flask has it


def _digest(environ: dict[str, Any]) -> bytes | None:
    """Return a digest of a request's credentials, None where it has none."""
    told = environ.get("HTTP_AUTHORIZATION") or environ.get("HTTP_COOKIE")
    return hashlib.blake2b(told.encode("latin-1", "replace"), digest_size=16).digest() if told else None
