"""The built files of the pages, under names that tell their content."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import orjson
from flask import Response, abort

from portal.model.sentence import Sentence

_BUILT = files("portal.web").joinpath("static", "built")
_TYPES = {".css": "text/css", ".js": "text/javascript"}
_YEAR_SECONDS = 31_536_000


def asset_name(name: str) -> str:
    """Return the name under which a file of `frontend/web` is served, as `style.css`.

    Raises `KeyError` for one that the build has not made.
    """
    return _manifest()[name]


def asset_response(name: str) -> Response:
    """Return the file of a name for ever, 404 for any other: another name is that of another version."""
    content = _content(name)
    if content is None:
        abort(404, Sentence("There is no such file."))
    response = Response(content, mimetype=_TYPES[name[name.rindex(".") :]])
    response.cache_control.public = True
    response.cache_control.max_age = _YEAR_SECONDS
    response.cache_control.immutable = True
    return response


@cache
def _manifest() -> Mapping[str, str]:
    found: dict[str, str] = orjson.loads(_BUILT.joinpath("manifest.json").read_bytes())
    return found


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in _BUILT.iterdir() if path.name.endswith(tuple(_TYPES)))


def _content(name: str) -> bytes | None:
    # A name from outside is looked up, never joined to a path as it comes.
    return _BUILT.joinpath(name).read_bytes() if name in _names() else None
