"""Remembers answers of a blueprint until the catalog changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass

from flask import Response, g, request
from flask_smorest import Blueprint

from portal.api.sight import visibility_key

_MEMORY_BYTES = 64 * 1024 * 1024
#: Who has waited so long for another's answer works it out alone.
_PATIENCE_SECONDS = 10
#: What an entry costs beside its content.
_ENTRY_BYTES = 500


@dataclass(frozen=True, slots=True)
class _Answer:
    content: bytes
    headers: tuple[tuple[str, str], ...]


class AnswerMemory:
    """Answers of one revision of the catalog, by what was asked; those not asked for longest go first."""

    def __init__(self, *, size_bytes: int = _MEMORY_BYTES) -> None:
        self._most = size_bytes
        self._size = 0
        self._revision = -1
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, asked: str, *, revision: int) -> _Answer | None:
        """Return the answer of a revision, or None."""
        with self._lock:
            if revision != self._revision:
                return None
            found = self._answers.get(asked)
            if found is not None:
                self._answers.move_to_end(asked)
            return found

    def put(self, asked: str, answer: _Answer, *, revision: int) -> None:
        """Keep an answer that was worked out when `revision` or a later one was the newest."""
        size = len(answer.content) + len(asked) + _ENTRY_BYTES
        with self._lock:
            if revision < self._revision or size > self._most // 8:
                return
            if revision > self._revision:
                self._revision, self._size = revision, 0
                self._answers.clear()
            if asked in self._answers:
                return
            self._answers[asked] = answer
            self._size += size
            while self._size > self._most:
                old, gone = self._answers.popitem(last=False)
                self._size -= len(gone.content) + len(old) + _ENTRY_BYTES


def remember(blueprint: Blueprint, endpoints: Collection[str], *, revision: Callable[[], int]) -> None:
    """Make a blueprint answer GET requests to these endpoints from memory as long as the catalog stays as it is.

    The revision is read for each request, so that what another process commits is seen by the next one. An answer is
    kept with the revision that was read before it was worked out: it may be newer than that, and never older. Those who
    may read the same are answered alike: what they may read is a part of what was asked.
    """
    memory = AnswerMemory()
    pending: dict[str, threading.Event] = {}
    names = frozenset(f"{blueprint.name}.{endpoint}" for endpoint in endpoints)

    def recall() -> Response | None:
        if request.endpoint not in names or request.method != "GET":
            return None
        now = revision()
        asked = _asked(visibility_key(now))
        found = memory.get(asked, revision=now)
        if found is None:
            # Of many who ask the same at once one works it out: eight would each take eight times as long.
            working = pending.setdefault(asked, (mine := threading.Event()))
            if working is mine:
                g.portal_working = (asked, mine)
            else:
                working.wait(_PATIENCE_SECONDS)
                found = memory.get(asked, revision=now)
        if found is None:
            g.portal_asked = (asked, now)
            return None
        answer = Response(found.content)
        answer.headers.clear()
        answer.headers.extend(found.headers)
        return answer

    # Before all other checks of the blueprint: what is remembered has passed them.
    blueprint.before_request_funcs.setdefault(None, []).insert(0, recall)

    @blueprint.teardown_request
    def release(_error: BaseException | None) -> None:
        done = g.pop("portal_working", None)
        if done is not None:
            pending.pop(done[0], None)
            done[1].set()

    @blueprint.after_request
    def keep(response: Response) -> Response:
        asked = g.pop("portal_asked", None)
        if asked is not None and response.status_code == 200 and not response.is_streamed:  # noqa: PLR2004  # OK
            headers = tuple((name, value) for name, value in response.headers.items())
            memory.put(asked[0], _Answer(response.get_data(), headers), revision=asked[1])
        return response


def _asked(key: str) -> str:
    environment = request.environ
    return f"{key}{environment['PATH_INFO']}?{environment.get('QUERY_STRING', '')}"
