"""Answers the requests that steps of tasks send to Portal itself, within this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from portal.actions.request import Answer, Question
from portal.errors import ActionError
from portal.model.ref import EntityRef
from portal.services.identity import Actor

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class OwnRequests:
    """Portal's API without a connection: no address is named, so none can be another's.

    A worker has no server, and a server need not be reachable at its `base_url` from where it runs. The application is
    made when it is first asked. Who asks is handed over beside the headers, where no client can put anything.
    """

    def __init__(self, make: Callable[[], WSGIApplication], *, base_url: str) -> None:
        self._make = make
        self._base_url = base_url
        self._making = threading.Lock()

    def ask(
        self,
        question: Question,
        *,
        user: EntityRef | None,
        scopes: frozenset[str] | None,
        seconds: float,
        size_limit_bytes: int,
    ) -> Answer:
        """See `portal.actions.request.OwnPortal`. What takes too long ends by itself, unheard."""
        from werkzeug.test import EnvironBuilder  # noqa: PLC0415  # a worker has no web framework until it is asked

        from portal.api.edge import ACTOR  # noqa: PLC0415  # as above

        builder = EnvironBuilder(
            path=question.path,
            base_url=self._base_url,
            query_string=question.query,
            method=question.method,
            headers=list((question.headers or {}).items()),
            data=question.body,
            environ_base={"REMOTE_ADDR": "127.0.0.1"},
        )
        environ = builder.get_environ()
        if user is not None and "HTTP_AUTHORIZATION" not in environ:
            environ[ACTOR] = Actor("user", user, scopes=scopes)
        answers: SimpleQueue[Answer | Exception] = SimpleQueue()

        def answer() -> None:
            try:
                answers.put(_answer(self._application, environ, size_limit_bytes))
            except Exception as error:  # noqa: BLE001  # raised again where it is waited for
                answers.put(error)

        # A thread of its own also has nothing of what the step's may read.
        threading.Thread(target=answer, name="own-request", daemon=True).start()
        try:
            found = answers.get(timeout=seconds)
        except Empty:
            raise ActionError(f"Request was aborted as it took longer than {seconds:g} seconds") from None
        if isinstance(found, Exception):
            raise found
        return found

    @property
    def _application(self) -> WSGIApplication:
        with self._making:
            return self._made

    @cached_property
    def _made(self) -> WSGIApplication:
        return self._make()


def _answer(application: WSGIApplication, environ: dict[str, Any], size_limit_bytes: int) -> Answer:
    begun: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], object]:
        begun.update(status=int(status.split(" ", 1)[0]), headers={name.lower(): text for name, text in headers})
        return lambda _content: None

    parts = application(environ, start_response)
    try:
        if begun["headers"].get("content-type", "").startswith("text/event-stream"):
            raise ActionError(
                f"{environ['PATH_INFO']} answers with a stream, which does not end; ask for a list instead"
            )
        content = bytearray()
        for part in parts:
            content += part
            if len(content) > size_limit_bytes:
                raise ActionError(f"The answer has more than {size_limit_bytes:,} bytes; ask for less")
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    return Answer(begun["status"], begun["headers"], bytes(content))
