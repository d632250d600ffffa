"""The box of notifications that Backstage's front end shows beside every page: Portal sends none, so it is empty."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint

from portal.api.actor import current_actor
from portal.api.answers import answer

#: What each route of the box answers. Rule: notifications-backend 0.6. Without channels there is nothing to set.
_EMPTY: dict[str, dict[str, Any]] = {
    "status": {"unread": 0, "read": 0},
    "notifications": {"totalCount": 0, "notifications": []},
    "topics": {"topics": []},
    "settings": {"channels": []},
}


def notifications_blueprint() -> Blueprint:
    """Return the routes below /api/notifications that are asked for where nobody has been notified of anything."""
    blueprint = Blueprint("notifications", __name__, url_prefix="/api/notifications", description="Notifications")

    @blueprint.get("/status")
    @blueprint.response(200)
    def status() -> Response:
        """Return how many notifications the caller has."""
        return _told("status")

    @blueprint.get("/notifications")
    @blueprint.response(200)
    def notifications() -> Response:
        """Return the caller's notifications."""
        return _told("notifications")

    @blueprint.get("/topics")
    @blueprint.response(200)
    def topics() -> Response:
        """Return what the caller's notifications are about."""
        return _told("topics")

    @blueprint.get("/settings")
    @blueprint.response(200)
    def settings() -> Response:
        """Return by which ways the caller can be notified."""
        return _told("settings")

    return blueprint


def _told(name: str) -> Response:
    current_actor().require("user")
    return answer(_EMPTY[name])
