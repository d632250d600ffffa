"""Turns every fault into a response: Backstage's error body for programs, a page for people."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Response, current_app, request
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from portal.errors import PortalError, ValuesError
from portal.model.sentence import Sentence
from portal.services.error_names import error_name

_log = logging.getLogger(__name__)

#: The status of an error by the name that Backstage's clients know; 500 for any other.
_STATUSES: Mapping[str, int] = {
    "InputError": 400,
    "AuthenticationError": 401,
    "NotAllowedError": 403,
    "NotFoundError": 404,
    "ConflictError": 409,
    "NotImplementedError": 501,
    "ServiceUnavailableError": 503,
}
_HTTP_NAMES = {status: name for name, status in _STATUSES.items()} | {
    405: "MethodNotAllowedError",
    413: "PayloadTooLargeError",
    415: "InputError",
    422: "InputError",
}
_JSON_PREFIXES = ("/api/", "/.backstage/", "/.well-known/")


#: So much of what was found is told.
_FOUND_SHOWN = 80
#: Where the application keeps what makes its error pages.
_PAGE = "portal-error-page"
#: Makes the page that tells people of a fault, from its status and message.
ErrorPage = Callable[[int, str], Response]


def register_error_handlers(app: Flask, page: ErrorPage | None = None) -> None:
    """Make the application answer every fault in one form; people are told on a `page`, where there are pages."""
    app.extensions[_PAGE] = page
    app.register_error_handler(PortalError, _on_portal_error)
    app.register_error_handler(ValidationError, _on_validation_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(RecursionError, _on_recursion)
    app.register_error_handler(Exception, _on_unexpected)


def _on_portal_error(error: PortalError) -> Response:
    if isinstance(error, ValuesError):
        return Response(orjson.dumps({"errors": error.errors}), 400, mimetype="application/json")
    name = error_name(error)
    return _answer(_STATUSES[name], name, error.message) if name in _STATUSES else _on_unexpected(error)


def _on_validation_error(error: ValidationError) -> Response:
    return _answer(400, "InputError", validation_message("request", error.messages))


def _on_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    name = _HTTP_NAMES.get(status, "Error")
    details = getattr(error, "data", None) or {}
    messages = details.get("messages") if isinstance(details, dict) else None
    if messages:
        # flask-smorest says 422 where Backstage's description says 400.
        return _answer(400, "InputError", validation_message("request", _with_found(messages, details.get("schema"))))
    response = _answer(status, name, error.description or HTTPStatus(status).phrase)
    for header, value in error.get_headers():
        if header.lower() == "allow":
            response.headers[header] = value
    return response


def _on_recursion(error: RecursionError) -> Response:
    """Tell that what was sent is nested more deeply than it can be walked through; `portal.api.bodies` refuses most."""
    _log.warning("a request was nested too deeply", exc_info=error, extra={"path": request.path})
    return _answer(400, "InputError", Sentence("The request is nested too deeply"))


def _on_unexpected(error: Exception) -> Response:
    _log.error("a request failed", exc_info=error, extra={"method": request.method, "path": request.path})
    return _answer(500, "Error", Sentence("An unexpected error occurred"))


def fault_answer(name: str, message: str) -> Response:
    """Return the answer that tells of an error by the name that Backstage's clients know; 500 for any other name."""
    return _answer(_STATUSES.get(name, 500), name, message)


def _with_found(messages: Any, schema: Any) -> Any:
    """Return messages that tell what a query had, or might have had: the answer tells its whole address anyway."""
    told = messages.get("query") if isinstance(messages, dict) else None
    if not isinstance(told, dict):
        return messages
    known = sorted(field.data_key or name for name, field in getattr(schema, "fields", {}).items())
    query = {}
    for name, texts in told.items():
        query[name] = texts
        if name not in request.args or not isinstance(texts, list):
            continue
        found = request.args[name]
        shown = found if len(found) <= _FOUND_SHOWN else f"{found[:_FOUND_SHOWN]}…"
        more = f'found "{shown}"' if name in known else f"known are {', '.join(known) or 'none'}"
        query[name] = [f"{' '.join(map(str, texts)).rstrip('.')}: {more}"]
    return {**messages, "query": query}


def validation_message(path: str, messages: Any) -> str:
    """Return marshmallow's nested messages as one sentence naming each member."""
    if isinstance(messages, dict):
        return "; ".join(validation_message(f"{path}/{name}", nested) for name, nested in messages.items())
    texts = messages if isinstance(messages, list) else [messages]
    return f"{path} {' '.join(str(text) for text in texts)}"


def _answer(status: int, name: str, message: str) -> Response:
    page: ErrorPage | None = current_app.extensions.get(_PAGE)
    if page is not None and is_for_people():
        return page(status, message)
    body = {
        "error": {"name": name, "message": message},
        "request": {"method": request.method, "url": request.full_path.rstrip("?")},
        "response": {"statusCode": status},
    }
    return Response(orjson.dumps(body), status, mimetype="application/json")


def is_for_people() -> bool:
    """Return whether a page is wanted: programs ask below the APIs' paths, or say that they read JSON."""
    if request.path.startswith(_JSON_PREFIXES):
        return False
    forms = ["text/html", "application/json"]
    return request.accept_mimetypes.best_match(forms, default=forms[0]) == forms[0]
