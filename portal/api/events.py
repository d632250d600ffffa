"""The routes to which git hosts send their webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, request
from flask_smorest import Blueprint

from portal.api.answers import answer
from portal.api.strict import strict_blueprint

if TYPE_CHECKING:
    from portal.services.events import EventsService


def events_blueprint(events: EventsService) -> Blueprint:
    """Return the routes below /api/events."""
    blueprint = strict_blueprint("events", "/api/events", "Hearing of changes")

    @blueprint.post("/http/<host_type>")
    @blueprint.response(202)
    def hear(host_type: str) -> Response:
        """Hear of a push, and have its sources looked at.

        Who sends it is told by its signature. Rule: events-backend 0.5 answers 202 here, 403 where it is not signed.
        """
        # The signature is of these very bytes, whatever they are said to be.
        body = request.get_data(cache=False)
        headers = {name.lower(): value for name, value in request.headers.items()}
        heard = events.hear(host_type, headers=headers, body=body)
        return answer({"status": "accepted" if heard.is_push else "ignored", "sources": heard.sources}, 202)

    return blueprint
