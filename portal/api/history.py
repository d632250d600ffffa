"""The catalog in time over HTTP: what changed since a revision, the history of an entity."""

from __future__ import annotations

from typing import Any

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
from portal.services.history import MOST_AT_ONCE, HistoryService
from portal.store.versions import Version

_CHANGES_AT_ONCE = 100
_VERSIONS_AT_ONCE = 20


def history_blueprint(history: HistoryService) -> Blueprint:
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
