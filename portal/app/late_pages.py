"""Gives a server its pages when one is first asked for: what they need takes as long to import as all the rest."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.routing import Map

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: What begins so is no page.
_OTHERS = ("/api/", "/.backstage/", "/.well-known/")


class LatePages:
    """An application around another one, to which `add` gives its pages once."""

    def __init__(self, app: Flask, inner: WSGIApplication, add: Callable[[Flask], None]) -> None:
        self._app = app
        self._inner = inner
        self._add = add
        self._is_done = False
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if not self._is_done and not environ.get("PATH_INFO", "").startswith(_OTHERS):
            self.load()
        return self._inner(environ, start_response)

    def load(self) -> None:
        """Add the pages, unless that is done; requests for anything else go on meanwhile."""
        with self._lock:
            if not self._is_done:
                _extend(self._app, self._add)
                self._is_done = True


def _extend(app: Flask, add: Callable[[Flask], None]) -> None:
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
        made: Any = rule.empty()
        made.provide_automatic_options = getattr(rule, "provide_automatic_options", False)
        found.add(made)
    return found
