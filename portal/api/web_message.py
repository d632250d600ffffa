"""Sends an answer from a window that a page has opened to the page itself."""

from __future__ import annotations

import base64
import hashlib
import html
from typing import Any

import orjson
from flask import Response

#: The same for all answers, so that it can be named by its hash; what varies is data, which no browser runs.
_SCRIPT = """
const told = JSON.parse(document.getElementById("told").textContent);
const page = window.opener || window.parent;
page.postMessage({type: "config_info", targetOrigin: told.origin}, "*");
page.postMessage(told.answer, told.origin);
setTimeout(() => window.close(), 100);
"""
_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "sameorigin",
    "X-Content-Type-Options": "nosniff",
    # The address holds what the provider has told, the answer a token.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def web_message(answer: dict[str, Any], *, origin: str, shown: str = "") -> Response:
    """Return the page that posts an answer to the window that opened it, if that one's page is of the `origin`.

    `shown` is for people who opened the address themselves. Rule: plugin-auth-node 0.7 `sendWebMessageResponse`,
    whose clients hear of the origin first: they can tell a page of another one what is wrong.
    """
    told = orjson.dumps({"origin": origin, "answer": answer}).decode()
    for character, escaped in _ESCAPED.items():
        told = told.replace(character, escaped)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign-in · Portal</title></head><body>'
        f'<p>{html.escape(shown)}</p><script type="application/json" id="told">{told}</script>'
        f"<script>{_SCRIPT}</script></body></html>"
    )
    return Response(page, headers=_HEADERS, mimetype="text/html")
