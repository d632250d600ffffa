"""Gives a server most of its routes when one is first asked for: what they need takes long to import."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.routing import Map, Rule
from werkzeug.wsgi import get_path_info

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Adds routes to an application.
Stage = Callable[[Flask], None]


class LateRoutes:
    """An application around another one, which gets the routes of the next stage when it does not know a path.

    No route of a stage may have a path that one before it answers (a test compares them).
    """

    def __init__(self, app: Flask, inner: WSGIApplication, stages: Sequence[Stage]) -> None:
        self._app = app
        self._inner = inner
        self._left = list(stages)
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        while self._left and not self._knows(environ):
            with self._lock:
                # Another request may have waited for the same stage.
                if self._left and not self._knows(environ):
                    self._add_next()
        return self._inner(environ, start_response)

    def load(self) -> None:
        """Add all stages that are left; requests for anything else go on meanwhile."""
        while self._left:
            with self._lock:
                if self._left:
                    self._add_next()

    def _knows(self, environ: WSGIEnvironment) -> bool:
        return self._app.url_map.bind("").test(get_path_info(environ), environ["REQUEST_METHOD"])

    def _add_next(self) -> None:
        _extend(self._app, self._left[0])
        del self._left[0]


def _extend(app: Flask, add: Stage) -> None:
    """Let `add` register routes on an application that has answered already.

    Flask allows that before the first request only, as others might find the map of urls half made. So they are put
    into another map, which takes the place of the first when it is whole.
    """
    templates = app.jinja_env  # made when first asked for, and shall be one for both
    staged = copy.copy(app)
    staged.jinja_env = templates
    staged.__dict__["_got_first_request"] = False
    staged.url_map = _copied(app.url_map)
    add(staged)
    staged.url_map.update()
    app.url_map = staged.url_map


def _copied(known: Map) -> Map:
    found = type(known)(host_matching=known.host_matching)
    found.converters.update(known.converters)
    for rule in known.iter_rules():
        made: Rule = rule.empty()
        made.provide_automatic_options = getattr(rule, "provide_automatic_options", False)  # type: ignore[attr-defined]  # Flask's
        found.add(made)
    return found
