"""The page of what goes on beside requests: sources, workers, tasks, with what else Portal offers programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.model.moment import shown_time
from portal.model.ref import EntityRef
from portal.services.health import HealthService
from portal.web.asking import Asking
from portal.web.listed import Listed

if TYPE_CHECKING:
    from portal.services.locations import LocationsService
    from portal.services.status import SourceStatus, Status, StatusService

#: States in which a source is shown by itself, and its pill's colour.
_STATES = ("unreachable", "faulty", "reading", "waiting", "fine")
#: A task that waits longer than this has no worker that could take it up.
_LONG_WAIT_MS = 60_000


def add_tools(
    blueprint: Blueprint, status: StatusService, health: HealthService, locations: LocationsService, *, asking: Asking
) -> None:
    """Add the page, with the way to have a source read again."""

    @blueprint.get("/tools")
    def tools() -> str:
        now = status.status()
        shown = [(item, _state(item)) for item in now.sources]
        wanted, words = request.args.get("state", ""), request.args.get("q", "").strip()
        chosen = [
            (item, state) for item, state in shown if wanted in {"", state} and words.lower() in item.location.lower()
        ]
        listed = Listed.of(chosen)
        return render_template(
            "tools.html",
            status=now,
            hindrance=health.hindrance(),
            sources=listed,
            states=_counts([state for _, state in shown]),
            state=wanted,
            wanted=words,
            ago=lambda moment_ms: (now.now_ms - moment_ms) / 1000,
            shown_time=shown_time,
            may_refresh=asking.among("catalog.entity.refresh", [item.entity_ref for item, _ in listed.shown]),
            asked=request.args.get("asked", ""),
            warnings=_warnings(now),
        )

    @blueprint.post("/tools/refresh")
    def refresh_source() -> ResponseReturnValue:
        ref = EntityRef.parse(request.form["entityRef"])
        locations.refresh(ref)
        return redirect(url_for("web.tools", asked=ref, _anchor="sources"), 303)


def _state(item: SourceStatus) -> str:
    if item.fault is not None:
        return "unreachable"
    if item.is_wanted:
        return "reading"
    if not item.is_read:
        return "waiting"
    return "faulty" if item.state.errors else "fine"


def _counts(states: list[str]) -> Mapping[str, int]:
    return {state: states.count(state) for state in _STATES if state in states}


def _warnings(now: Status) -> dict[str, Any]:
    """Return what somebody should look at, by name."""
    found: dict[str, Any] = {}
    if not now.workers:
        found["workers"] = True
    if now.refreshes.get("failed", (0, 0.0))[0]:
        found["failed"] = now.refreshes["failed"][0]
    if now.oldest_waiting_ms is not None and now.now_ms - now.oldest_waiting_ms > _LONG_WAIT_MS:
        found["waiting"] = (now.now_ms - now.oldest_waiting_ms) / 1000
    return found
