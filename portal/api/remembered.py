"""Remembers answers of a blueprint until the catalog changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, g, request
from flask_smorest import Blueprint

from portal.api.sight import visibility_key

_MEMORY_BYTES = 64 * 1024 * 1024
#: Who has waited so long for another's answer works it out alone.
_PATIENCE_SECONDS = 10
#: What an entry costs beside its content.
_ENTRY_BYTES = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, by the route that was declared so; headers are those that no other request changes."""

    content: bytes
    headers: tuple[tuple[str, str], ...]
    route: str = ""


class AnswerMemory:
    """Answers of one revision of the catalog, by what was asked; those not asked for longest go first."""

    def __init__(self, *, size_bytes: int = _MEMORY_BYTES) -> None:
        self._most = size_bytes
        self._size = 0
        self._revision = -1
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, asked: str, *, revision: int) -> Answer | None:
        """Return the answer of a revision, or None."""
        with self._lock:
            if revision != self._revision:
                return None
            found = self._answers.get(asked)
            if found is not None:
                self._answers.move_to_end(asked)
            return found

    def put(self, asked: str, answer: Answer, *, revision: int) -> None:
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


def remember(
    blueprint: Blueprint,
    endpoints: Collection[str],
    *,
    revision: Callable[[], int],
    memory: AnswerMemory | None = None,
) -> None:
    """Make a blueprint answer GET requests to these endpoints from memory as long as the catalog stays as it is.

    The revision is read for each request, so that what another process commits is seen by the next one. An answer is
    kept with the revision that was read before it was worked out: it may be newer than that, and never older. Those who
    may read the same are answered alike: what they may read is a part of what was asked. Several blueprints may share a
    `memory`.
    """
    kept = AnswerMemory() if memory is None else memory
    pending: dict[str, threading.Event] = {}
    names = frozenset(f"{blueprint.name}.{endpoint}" for endpoint in endpoints)

    def recall() -> Response | None:
        if request.endpoint not in names or request.method != "GET":
            return None
        now = revision()
        asked = visibility_key(now) + question(request.environ)
        found = kept.get(asked, revision=now)
        if found is None:
            # Of many who ask the same at once one works it out: eight would each take eight times as long.
            working = pending.setdefault(asked, (mine := threading.Event()))
            if working is mine:
                g.portal_working = (asked, mine)
            else:
                working.wait(_PATIENCE_SECONDS)
                found = kept.get(asked, revision=now)
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
            route = "" if request.url_rule is None else request.url_rule.rule
            kept.put(asked[0], Answer(response.get_data(), headers, route), revision=asked[1])
        return response


def question(environ: Mapping[str, Any]) -> str:
    """Return what a request asks for, whoever sends it. Rule: PEP 3333."""
    return f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
