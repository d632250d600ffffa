"""The catalog in time over HTTP: what changed since a revision, the history of an entity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
from flask import Response, request
from flask_smorest import Blueprint

from portal.api import catalog_queries as queries
from portal.api.answers import answer
from portal.api.strict import strict_blueprint, takes
from portal.errors import InputError
from portal.model.difference import MISSING, Difference
from portal.model.location import GENERATED_PREFIX
from portal.model.moment import shown_time
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
        items = [_shown(version) for version in page.versions]
        return answer({"revision": page.revision, "items": items} | _further("after", page.after))

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
        items = [
            _shown(item.version) | {"differences": [_difference(found) for found in item.differences]}
            for item in page.items
        ]
        return answer({"items": items} | _further("before", page.before))

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
    return b"id: %d\nevent: change\ndata: %b\n\n" % (version.id, orjson.dumps(_shown(version)))


def _limit(usual: int) -> int:
    limit = queries.whole(request.args, "limit")
    if limit is None:
        return usual
    if not 1 <= limit <= MOST_AT_ONCE:
        raise InputError(f"request/query/limit must be >= 1 and <= {MOST_AT_ONCE:,}")
    return limit


def _further(name: str, place: int | None) -> dict[str, Any]:
    return {} if place is None else {name: place}


def _shown(version: Version) -> dict[str, Any]:
    authored = version.authored_at_ms
    return {
        "entityRef": version.ref,
        "change": version.change,
        "revision": version.revision,
        "commit": version.commit or None,
        "author": version.author or None,
        "authoredAt": None if authored is None else shown_time(authored),
        "recordedAt": shown_time(version.recorded_at_ms),
        "location": version.location.removeprefix(GENERATED_PREFIX),
    }


def _difference(found: Difference) -> dict[str, Any]:
    sides = {"before": found.before, "after": found.after}
    return {"path": list(found.path)} | {name: value for name, value in sides.items() if value is not MISSING}
