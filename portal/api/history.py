"""The catalog in time over HTTP: what changed since a revision, the history of an entity."""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson
from flask import Response, request
from flask_smorest import Blueprint

from portal.api import catalog_queries as queries
from portal.api.answers import answer
from portal.api.strict import strict_blueprint, takes
from portal.errors import InputError
from portal.model.ref import EntityRef
from portal.services.feed import ChangeFeed, Follower
from portal.services.history import MOST_AT_ONCE, HistoryService
from portal.store.versions import Version

_CHANGES_AT_ONCE = 100
_VERSIONS_AT_ONCE = 20
_PLACE = re.compile(r"[0-9]{1,15}")
_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def history_blueprint(history: HistoryService, feed: ChangeFeed) -> Blueprint:
    """Return the routes below /api/catalog that tell of changes."""
    blueprint = strict_blueprint("history", "/api/catalog", "The catalog in time")

    @blueprint.get("/changes")
    @takes(blueprint, "since", "after", "limit")
    @blueprint.response(200)
    def changes() -> Response:
        """Return what was added, changed and removed after a revision, in its order."""
        since = queries.whole(request.args, "since") or 0
        after = queries.whole(request.args, "after") or 0
        page = history.changes(since, after=after, limit=_limit(_CHANGES_AT_ONCE))
        return answer(page.to_json())

    @blueprint.get("/changes/events")
    @takes(blueprint, "since")
    @blueprint.response(200, content_type="text/event-stream")
    def change_events() -> Response:
        """Follow the changes after a revision, after the one of `Last-Event-ID`, or from now on, as they come."""
        follower = feed.follow(since=queries.whole(request.args, "since"), place=_last_event_id())
        if request.method == "HEAD":
            follower.close()
        response = Response(_events(follower), mimetype="text/event-stream", headers=_STREAM_HEADERS)
        response.call_on_close(follower.close)
        return response

    @blueprint.get("/entities/by-name/<kind>/<namespace>/<name>/history")
    @takes(blueprint, "before", "limit")
    @blueprint.response(200)
    def history_of_entity(kind: str, namespace: str, name: str) -> Response:
        """Return the versions of an entity, the newest first: what changed, by whom, in which commit."""
        before = queries.whole(request.args, "before")
        page = history.of_entity(EntityRef.of(kind, namespace, name), before=before, limit=_limit(_VERSIONS_AT_ONCE))
        return answer(page.to_json())

    return blueprint


def _last_event_id() -> int | None:
    text = request.headers.get("Last-Event-ID")
    if not text:
        return None
    if not _PLACE.fullmatch(text):
        raise InputError(f'Last-Event-ID "{text}" is none that this stream has given')
    return int(text)


def _events(follower: Follower) -> Iterator[bytes]:
    """Yield events as EventSource reads them; the first one tells nothing but the place to go on from."""
    yield b"id: %d\n\n" % follower.place
    for versions in follower.portions():
        yield b"".join(map(_event, versions)) or b": nothing new\n\n"


def _event(version: Version) -> bytes:
    return b"id: %d\nevent: change\ndata: %b\n\n" % (version.id, orjson.dumps(version.to_json()))


def _limit(usual: int) -> int:
    limit = queries.whole(request.args, "limit")
    if limit is None:
        return usual
    if not 1 <= limit <= MOST_AT_ONCE:
        raise InputError(f"request/query/limit must be >= 1 and <= {MOST_AT_ONCE:,}")
    return limit
