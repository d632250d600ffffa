"""Remembers what requests did, in one place for all routes."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from portal.api.actor import current_actor
from portal.api.audit_actions import ACTIONS, READ, Audited
from portal.model.audit import Result
from portal.services.audit import AuditService, actor_name

_log = logging.getLogger(__name__)
_UNAUTHENTICATED, _FORBIDDEN = 401, 403
_FIRST_FAULT = 400


def register_audit(app: Flask, audit: AuditService) -> None:
    """Make the application remember each write with its result, and each refusal."""

    @app.after_request
    def remember(response: Response) -> Response:
        status = response.status_code
        audited = ACTIONS.get(request.endpoint or "")
        # OPTIONS is answered for every route, without asking it.
        did_nothing = audited is None or request.method == "OPTIONS" or g.get("portal_audit_tried", False)
        if did_nothing and status not in {_UNAUTHENTICATED, _FORBIDDEN}:
            return response
        try:
            _remember(audit, audited, response)
        except Exception:  # noqa: BLE001  # the hook's edge: what was done is done, and is answered
            _log.exception("a request was not remembered", extra={"endpoint": request.endpoint, "status": status})
        return response


def told(*, actor: str | None = None, on: str | None = None, result: Result | None = None) -> None:
    """Let a route say what the record of its request cannot know: who has just signed in, what an id stood for.

    `result` is there for a route that answers a person with a page, whatever came of it.
    """
    if actor is not None:
        g.portal_audit_actor = actor
    if on is not None:
        g.portal_audit_on = on
    if result is not None:
        g.portal_audit_result = result


def tried() -> None:
    """Let a route say that it writes nothing this time: it tells what a write would bring."""
    g.portal_audit_tried = True


def _remember(audit: AuditService, audited: Audited | None, response: Response) -> None:
    status = response.status_code
    result: Result = "success"
    if status in {_UNAUTHENTICATED, _FORBIDDEN}:
        result = "refused"
    elif status >= _FIRST_FAULT:
        result = "failed"
    on = g.get("portal_audit_on")
    if on is None:
        # The body of somebody who is not known is not even read.
        on = request.path if audited is None or status == _UNAUTHENTICATED else _named(audited.on, response)
    actor = current_actor()
    audit.record(
        READ if audited is None else audited.action,
        actor=g.get("portal_audit_actor") or actor_name(actor),
        target=on or request.path,
        result=g.get("portal_audit_result", result),
        status=status,
        token_id=actor.token_id,
        request_id=str(g.get("portal_request_id") or ""),
    )


def _named(on: Any, response: Response) -> str:
    try:
        return str(on(response))
    except HTTPException:
        # A body that is too large, or of another kind, which the route has refused as well.
        return ""
