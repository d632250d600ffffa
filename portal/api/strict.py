"""Blueprints that refuse query parameters which none of their routes has named."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Response, request
from flask_smorest import Blueprint

from portal.api import catalog_queries as queries
from portal.errors import NotFoundError
from portal.model.sentence import Sentence

View = TypeVar("View", bound=Callable[..., Response])


def strict_blueprint(name: str, prefix: str, description: str) -> Blueprint:
    """Return a blueprint that refuses query parameters which a route has not been given by `takes`."""
    blueprint = Blueprint(name, __name__, url_prefix=prefix, description=description)
    blueprint.taken = {}

    @blueprint.before_request
    def refuse_unknown() -> None:
        # The environment is there already: `request.path` and `request.args` are made anew for each request.
        if "\0" in request.environ["PATH_INFO"]:
            raise NotFoundError(Sentence("Nothing has a name with a NUL character"))
        if request.environ.get("QUERY_STRING"):
            endpoint = (request.endpoint or "").rpartition(".")[2]
            queries.require_known(request.args, blueprint.taken.get(endpoint, ()))

    return blueprint


def takes(blueprint: Blueprint, *names: str) -> Callable[[View], View]:
    """Return the decorator that gives a route query parameters; `portal.api.openapi` says what they may be."""

    def decorator(function: View) -> View:
        blueprint.taken[function.__name__] = frozenset(names)
        return function

    return decorator
