"""The id of the request that is being answered: that of the client, or one made here."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from itertools import count

HEADER = "X-Request-ID"
#: What is taken from a client, so that nobody writes lines of their own into a log.
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=+/@-]{0,127}", re.ASCII)
_current: ContextVar[str] = ContextVar("portal_request_id", default="")


class RequestIds:
    """Gives each request its id; those made here are unique among all processes, and tell the order in one."""

    def __init__(self) -> None:
        # Nobody keeps a secret in an id: one random text a process, and a number, cost less than one for each.
        self._prefix = f"{secrets.token_hex(6)}-"
        self._numbers = count(1)

    def begin(self, given: str | None) -> str:
        """Return the id of the request that begins on this thread: the one that is given, if it is well-formed."""
        if given is None or not _WELL_FORMED.fullmatch(given):
            request_id = f"{self._prefix}{next(self._numbers)}"
        else:
            request_id = given
        # It stays until the thread begins another: a stream is still being sent when its request has been answered.
        _current.set(request_id)
        return request_id


def current_request_id() -> str:
    """Return the id of the request of this thread; empty outside of requests."""
    return _current.get()
