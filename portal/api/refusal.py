"""Refuses a request before the application sees it, in the form in which that would refuse it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from portal.api.answers import JSON
from portal.api.edge import REQUEST_ID, ROUTE, SAFE_HEADER, STATUS
from portal.api.request_id import HEADER

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

#: What stands for the route of a request that was refused before anybody looked for it.
REFUSED_ROUTE = "(refused)"


def refuse(
    environ: dict[str, Any],
    start_response: StartResponse,
    status: HTTPStatus,
    *,
    name: str,
    message: str,
    retry_seconds: int | None = None,
) -> list[bytes]:
    """Answer a request with Backstage's error body. Rule: PEP 3333."""
    # As WSGI has it, each character is a byte.
    path, query = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"), environ.get("QUERY_STRING")
    body = {
        "error": {"name": name, "message": message},
        "request": {"method": environ["REQUEST_METHOD"], "url": f"{path}?{query}" if query else path},
        "response": {"statusCode": status.value},
    }
    content = b"" if environ["REQUEST_METHOD"] == "HEAD" else orjson.dumps(body)
    environ[ROUTE], environ[STATUS] = REFUSED_ROUTE, status.value
    headers = [
        ("Content-Type", JSON),
        ("Content-Length", str(len(content))),
        (HEADER, environ.get(REQUEST_ID, "")),
        SAFE_HEADER,
    ]
    if retry_seconds is not None:
        headers.append(("Retry-After", str(retry_seconds)))
    if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
        # Nobody has read its body: what comes next on the connection is no request.
        headers.append(("Connection", "close"))
    start_response(f"{status.value} {status.phrase}", headers)
    return [content]
