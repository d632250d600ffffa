"""Refuses requests that name another host than Portal's own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from portal.api.answers import JSON
from portal.api.edge import REQUEST_ID, SAFE_HEADER, STATUS
from portal.api.request_id import HEADER
from portal.model.sign_in import is_loopback

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

#: Listened on, and no name that people could call Portal by.
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104
_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")
#: Whoever probes asks an address; nothing is told there that a page could make use of.
_PROBED = ("/.backstage/health/", "/metrics")
_REMEMBERED = 100


def trusted_hosts(base_url: str, *, listens_on: str, more: Sequence[str]) -> frozenset[str]:
    """Return the names that requests may ask for, without ports; none: any, as settings do not tell Portal's own.

    `more` may hold names with `*.` before them. `listens_on` is an address that a proxy beside Portal may name; what
    is on this machine goes by all names that this machine has.
    """
    own = urlsplit(base_url).hostname or ""
    if own in _ANY:
        return frozenset(name.lower() for name in more)
    found = {own, *more} | ({listens_on} - _ANY)
    if is_loopback(own) or is_loopback(listens_on):
        found |= {"localhost", "127.0.0.1", "::1"}
    return frozenset(f"[{name}]" if ":" in name and "[" not in name else name.lower() for name in found)


class TrustedHosts:
    """A WSGI application around another one, which sees no request for a host that is not trusted.

    A page of another site whose name leads to this machine (DNS rebinding) is stopped here, and no link in an answer
    can be another's (host-header poisoning): what is made of the host is of one that settings name.
    """

    def __init__(self, application: WSGIApplication, hosts: Collection[str]) -> None:
        self._application = application
        self._hosts = frozenset(name for name in hosts if not name.startswith("*."))
        self._above = tuple(name[1:] for name in hosts if name.startswith("*."))
        #: Those seen that are trusted: looking costs more than many an answer.
        self._seen: set[str] = set()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request. Rule: PEP 3333."""
        host: str | None = environ.get("HTTP_HOST")
        if host is None or host in self._seen or self._is_trusted(host) or environ["PATH_INFO"].startswith(_PROBED):
            return self._application(environ, start_response)
        body = orjson.dumps(
            {
                "error": {"name": "InputError", "message": "This is no host of Portal; see the setting trusted_hosts"},
                "request": {"method": environ["REQUEST_METHOD"], "url": environ["PATH_INFO"]},
                "response": {"statusCode": 400},
            }
        )
        environ[STATUS] = 400
        id_header = (HEADER, environ.get(REQUEST_ID, ""))
        length = ("Content-Length", str(len(body)))
        start_response("400 Bad Request", [("Content-Type", JSON), length, id_header, SAFE_HEADER])
        return (body,)

    def _is_trusted(self, host: str) -> bool:
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        is_named = found[1] in self._hosts or found[1].endswith(self._above)
        if not is_named and (self._hosts or self._above):
            return False
        if len(self._seen) < _REMEMBERED:
            self._seen.add(host)
        return True
