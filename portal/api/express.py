"""Answers what is asked most before the web framework sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from portal.api.answers import JSON
from portal.api.edge import ACTOR, REQUEST_ID, ROUTE, SAFE_HEADER, STATUS
from portal.api.remembered import AnswerMemory, question
from portal.api.request_id import HEADER
from portal.api.sight import key_of
from portal.model.ref import EntityRef
from portal.model.visibility import Visibility

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

#: What somebody who asks without credentials may read, as of a revision.
SeenByAnybody = Callable[[int], Visibility]
#: The JSON text of an entity that may be read so, None where there is none.
BodyFor = Callable[[SeenByAnybody, EntityRef], str | None]

_ENTITY = "/api/catalog/entities/by-name/"
#: Below these are the routes whose answers are remembered.
_REMEMBERED = ("/api/catalog/entit", "/api/search/")
#: By these somebody may be known, or another origin's page, which gets headers of its own.
_TELLING = frozenset({"HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_ORIGIN", ACTOR})
#: The route as the application declares it.
_ROUTE = f"{_ENTITY}<kind>/<namespace>/<name>"
#: kind, namespace, name.
_PARTS = 3


class Express:
    """A WSGI application around another one, for whoever needs no credentials: entities by name, remembered answers.

    Everything that is not quite that goes on to the application: credentials, entities that are not there, what nobody
    has asked for at this revision. Flask spends three to four times as long on routing, contexts, sessions and a
    response object as the catalog does on the answer (measured: 300 and 450 µs in all, 60 and 90 here).
    """

    def __init__(
        self,
        application: WSGIApplication,
        seen: SeenByAnybody,
        *,
        body_for: BodyFor,
        revision: Callable[[], int],
        memory: AnswerMemory,
    ) -> None:
        self._application = application
        self._seen = seen
        self._body_for = body_for
        self._revision = revision
        self._memory = memory

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request. Rule: PEP 3333."""
        path: str = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "GET" and path.startswith(_REMEMBERED) and _TELLING.isdisjoint(environ):
            try:
                found = self._entity(path, environ) or self._remembered(environ)
            except Exception:  # noqa: BLE001  # the application fails in its own words
                found = None
            if found is not None:
                content, headers, route = found
                environ[ROUTE], environ[STATUS] = route, 200
                start_response("200 OK", [*headers, (HEADER, environ.get(REQUEST_ID, "")), SAFE_HEADER])
                return (content,)
        return self._application(environ, start_response)

    def _entity(self, path: str, environ: dict[str, Any]) -> tuple[bytes, Sequence[tuple[str, str]], str] | None:
        if not path.startswith(_ENTITY) or environ.get("QUERY_STRING"):
            return None
        parts = path[len(_ENTITY) :].split("/")
        if len(parts) != _PARTS or not path.isascii() or "\0" in path:
            return None
        body = self._body_for(self._seen, EntityRef.of(*parts))
        if body is None:
            return None
        content = body.encode()
        return content, [("Content-Type", JSON), ("Content-Length", str(len(content)))], _ROUTE

    def _remembered(self, environ: dict[str, Any]) -> tuple[bytes, Sequence[tuple[str, str]], str] | None:
        now = self._revision()
        found = self._memory.get(key_of(self._seen(now)) + question(environ), revision=now)
        return None if found is None else (found.content, found.headers, found.route)
