"""Takes the bodies of requests in, so that slow ones leave threads for everybody else."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

from portal.api.addresses import address_of
from portal.api.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication

#: Bodies that are taken in at once. The server has as many threads more than those that answer.
MOST_BODIES = 16
#: Of these, as many as one client may have: another must not be kept out by it.
_MOST_OF_ONE = 12
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Bodies:
    """A WSGI application around another one, which gets each body whole.

    The server runs a request on a thread as soon as its headers are there, and waits for a body without an end: two
    dozen connections that send a byte now and then would keep all threads (tried). So few wait for bodies at once, and
    the rest is refused; who asks without a body always finds a thread.
    """

    def __init__(self, application: WSGIApplication, *, size_limit_bytes: int, proxies: int = 0) -> None:
        self._application = application
        self._size_limit_bytes = size_limit_bytes
        self._proxies = proxies
        self._lock = threading.Lock()
        self._reading: Counter[str] = Counter()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request. Rule: PEP 3333."""
        if environ["REQUEST_METHOD"] not in _WITH_BODY:
            return self._application(environ, start_response)
        told = environ.get("CONTENT_LENGTH") or ""
        is_told = told.isascii() and told.isdecimal()
        if is_told and not 0 < int(told) <= self._size_limit_bytes:
            # Nothing to wait for: what is too large is refused unread.
            return self._application(environ, start_response)
        if not is_told and "HTTP_TRANSFER_ENCODING" not in environ:
            return self._application(environ, start_response)
        with self._place(address_of(environ, proxies=self._proxies)) as is_free:
            if not is_free:
                message = "Too many requests wait for their bodies; send it again"
                return refuse(
                    environ,
                    start_response,
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    name="ServiceUnavailableError",
                    message=message,
                    retry_seconds=1,
                )
            content = environ["wsgi.input"].read(int(told) if is_told else self._size_limit_bytes + 1)
        if is_told and len(content) < int(told):
            message = f"The body broke off after {len(content)} of {int(told)} bytes"
            return refuse(environ, start_response, HTTPStatus.BAD_REQUEST, name="InputError", message=message)
        environ["wsgi.input"] = BytesIO(content)
        environ["wsgi.input_terminated"] = False
        environ["CONTENT_LENGTH"] = str(len(content))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return self._application(environ, start_response)

    @contextmanager
    def _place(self, client: str) -> Iterator[bool]:
        """Keep a place for the time of a body, if there is one; tell whether there is."""
        with self._lock:
            is_free = self._reading.total() < MOST_BODIES and self._reading[client] < _MOST_OF_ONE
            if is_free:
                self._reading[client] += 1
        try:
            yield is_free
        finally:
            if is_free:
                with self._lock:
                    self._reading[client] -= 1
                    self._reading += Counter()  # those that have none are forgotten
