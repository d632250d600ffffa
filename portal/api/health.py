"""Backstage's health routes."""

from __future__ import annotations

from flask import Response
from flask_smorest import Blueprint

from portal.api.answers import answer
from portal.services.health import HealthService

PREFIX = "/.backstage/health/v1"


def health_blueprint(health: HealthService) -> Blueprint:
    """Return the health routes."""
    blueprint = Blueprint("health", __name__, url_prefix=PREFIX, description="Whether this process can do its work")

    @blueprint.get("/liveness")
    @blueprint.response(200)
    def liveness() -> Response:
        """Say that the process answers."""
        return answer({"status": "ok"})

    @blueprint.get("/readiness")
    @blueprint.response(200)
    def readiness() -> Response:
        """Say whether requests should be sent here, and why not."""
        hindrance = health.hindrance()
        if hindrance is None:
            return answer({"status": "ok"})
        return answer({"message": hindrance, "status": "error"}, 503)

    return blueprint
