"""Lets each request see what its sender may read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from flask import Flask, g

from portal.api.actor import current_actor
from portal.model.visibility import ALL, NOTHING_AT_ALL, Visibility
from portal.services.identity import Actor
from portal.services.visibility import VisibilityService
from portal.store.sight import look

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


class Sight:
    """What the sender of one request may read, worked out when it is first asked for.

    It stays the same while the request is answered, unless that goes on for later revisions.
    """

    def __init__(self, service: VisibilityService, actor: Actor) -> None:
        self._service = service
        self._actor = actor
        self._found: Visibility | None = None
        self._revision: int | None = None

    def __call__(self, revision: int | None = None, /) -> Visibility:
        """Return it, as of a revision that was just read, the newest if None."""
        if self._found is None or (revision is not None and revision != self._revision):
            self._found = self._service.of(self._actor, revision=revision)
            self._revision = revision
        return self._found


class OwnContext:
    """A WSGI application that runs each request of another one, and sends its answer, in a context of its own.

    Nothing may be read in it before somebody says who asks. An answer that is sent bit by bit is still read as its
    sender sees the catalog, after the request itself is over; whatever the thread does next is not.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request. Rule: PEP 3333."""
        context = copy_context()
        context.run(look, _sees_nothing)
        answer = context.run(self._application, environ, start_response)
        return _Answer(answer, context)


class _Answer:
    """An answer that is read, and closed, in its context."""

    def __init__(self, answer: Iterable[bytes], context: Context) -> None:
        self._answer = answer
        self._parts: Iterator[bytes] | None = None
        self._context = context

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._parts is None:
            self._parts = self._context.run(iter, self._answer)
        return self._context.run(next, self._parts)

    def close(self) -> None:
        """Close the answer. Rule: PEP 3333."""
        with suppress(AttributeError):
            close = self._answer.close  # type: ignore[attr-defined]  # what has no such method needs none
            self._context.run(close)


def register_sight(app: Flask, service: VisibilityService) -> None:
    """Make an application show each actor what they may read; it comes after `register_actor`."""
    app.wsgi_app = OwnContext(app.wsgi_app)  # type: ignore[method-assign]  # as Flask has it

    @app.before_request
    def see() -> None:
        g.portal_sight = sight = Sight(service, current_actor())
        look(sight)


def visibility_key(revision: int) -> str:
    """Return what tells apart the answers of those who may read different things; empty for who may read all."""
    sight: Sight | None = g.get("portal_sight")
    return key_of(ALL if sight is None else sight(revision))


def key_of(visibility: Visibility) -> str:
    """Return what tells a visibility apart from others; empty for that of all."""
    return "" if visibility is ALL else visibility.key


def _sees_nothing(_revision: int | None = None, /) -> Visibility:
    return NOTHING_AT_ALL
