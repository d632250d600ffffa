"""Answers the question that is asked most before the web framework sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from portal.api.answers import JSON
from portal.model.ref import EntityRef

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

_PREFIX = "/api/catalog/entities/by-name/"
#: kind, namespace, name.
_PARTS = 3


class EntityExpress:
    """A WSGI application around another one, which answers `GET .../by-name/...` for whoever needs no credentials.

    Everything that is not quite that goes on to the application: parameters, credentials, entities that are not there.
    Flask spends three times as long on routing, contexts and a response object as the catalog does on the answer
    (measured: 300 µs in all, 60 here). `body` gives nothing where whoever has no credentials may not read everything.
    """

    def __init__(self, application: WSGIApplication, body: Callable[[EntityRef], str | None]) -> None:
        self._application = application
        self._body = body

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request. Rule: PEP 3333."""
        path: str = environ["PATH_INFO"]
        if path.startswith(_PREFIX) and environ["REQUEST_METHOD"] == "GET":
            parts = path[len(_PREFIX) :].split("/")
            is_plain = not environ.get("QUERY_STRING") and "HTTP_AUTHORIZATION" not in environ
            if len(parts) == _PARTS and is_plain and path.isascii() and "\0" not in path:
                body = self._body_or_none(EntityRef.of(*parts))
                if body is not None:
                    content = body.encode()
                    start_response("200 OK", [("Content-Type", JSON), ("Content-Length", str(len(content)))])
                    return (content,)
        return self._application(environ, start_response)

    def _body_or_none(self, ref: EntityRef) -> str | None:
        try:
            return self._body(ref)
        except Exception:  # noqa: BLE001  # the application fails in its own words
            return None
