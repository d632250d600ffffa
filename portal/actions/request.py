"""Asks Portal's own HTTP API, as whoever runs the template.

Rules: scaffolder-backend-module-http-request 5.8 `http:backstage:request`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPMethod
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlencode

from portal.actions.contract import ActionContext, Example
from portal.actions.schema import ActionSchema, Value
from portal.errors import ActionError, InputError, NotAllowedError
from portal.model.ref import EntityRef
from portal.scaffolder.json_text import parse_json, to_json

_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "UPDATE", "DELETE", "PUT", "PATCH")
#: What may be asked in a dry run.
_READS = frozenset({HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.OPTIONS})
_DEFAULT_MS, _LONGEST_MS = 60_000, 600_000
#: What an answer may have; it goes into the task's row.
_LARGEST_ANSWER_BYTES = 5 * 1024 * 1024
_FIRST_FAULT = 400
#: These say who asks whom, or how a body is sent, and are not for a step to choose; nor are cookies.
_KEPT_BACK = ("host", "cookie", "origin", "content-length", "transfer-encoding", "connection", "forwarded")
_KEPT_BACK_PREFIXES = ("x-forwarded-", "sec-", "proxy-")


@dataclass(frozen=True, slots=True)
class Question:
    """A request: `path` is that of a url, quoted; names of headers are lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] | None = None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Portal answers; names of headers are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class OwnPortal(Protocol):
    """Portal's HTTP API."""

    def ask(
        self,
        question: Question,
        *,
        user: EntityRef | None,
        scopes: frozenset[str] | None,
        seconds: float,
        size_limit_bytes: int,
    ) -> Answer:
        """Return what Portal answers to a user, or to somebody who is not signed in.

        `scopes` are the permissions that an API token left to the user. A header `authorization` of the question goes
        before the user. Raises `ActionError` for an answer that takes too long, is too large, or never ends.
        """
        ...


class RequestInput(ActionSchema):
    """The input of http:backstage:request."""

    path = Value(str, required=True, description="Path below /api, such as catalog/entities.")
    method = Value(str, required=True, choices=_METHODS, description="The method.")
    headers = Value(dict, description="Headers of the request.")
    params = Value(dict, description="Parameters of the query.")
    body = Value(description="The body; what is no text is sent as JSON.")
    timeout = Value(int, float, default=_DEFAULT_MS, description="Milliseconds to wait, ten minutes at most.")
    continue_on_bad_response = Value(
        bool, key="continueOnBadResponse", default=False, description="An answer of 400 and above is no fault."
    )
    log_request_path = Value(bool, key="logRequestPath", default=True, description="Write the path to the log.")
    use_backstage_token = Value(
        bool,
        key="useBackstageToken",
        default=False,
        description="Ask with the secret backstageToken, where it is given.",
    )
    idempotency_key = Value(
        str, key="idempotencyKey", description="Accepted, without effect: a step that has ended is not run again."
    )


class RequestOutput(ActionSchema):
    """The output of http:backstage:request."""

    code = Value(int, description="The status.")
    headers = Value(dict, description="Headers of the answer, their names in lower case.")
    body = Value(description="The answer's JSON, or {message} with its text.")


class BackstageRequest:
    """Asks Portal's own API."""

    id = "http:backstage:request"
    description = "Asks Portal's own HTTP API, as whoever runs the template."
    input_schema = RequestInput
    output_schema = RequestOutput
    examples: Sequence[Example] = (
        Example(
            "Ask who answers for an entity.",
            {
                "id": "owner",
                "action": "http:backstage:request",
                "input": {"method": "GET", "path": "ownership/entity/component/default/sensors"},
            },
        ),
    )
    supports_dry_run = True
    reads_only = True

    def __init__(self, portal: OwnPortal) -> None:
        self._portal = portal

    def run(self, context: ActionContext) -> None:
        """Ask. Raises `ActionError` for an answer of 400 and above, unless the step goes on with it.

        In a dry run what would write is not asked.
        """
        given = context.input
        question = _question(given)
        told = f" against {given['path']}" if given["log_request_path"] else ""
        context.log(f"Creating {question.method} request with {self.id} scaffolder action{told}")
        if context.is_dry_run and question.method not in _READS:
            context.log(f"Dry run mode. Skipping non dry-run safe method '{question.method}' request")
            return
        answer = self._portal.ask(
            _with_token(question, context),
            user=EntityRef(context.user_ref) if context.user_ref else None,
            scopes=context.scopes,
            seconds=_seconds(given["timeout"]),
            size_limit_bytes=_LARGEST_ANSWER_BYTES,
        )
        body = _body_of(answer)
        if answer.status >= _FIRST_FAULT and not given["continue_on_bad_response"]:
            raise ActionError(f"Unable to complete request: {answer.status} {_reason(body)}")
        context.output("code", answer.status)
        context.output("headers", {name: text for name, text in answer.headers.items() if name != "set-cookie"})
        context.output("body", body)


def _question(given: Mapping[str, Any]) -> Question:
    path, _, query = given["path"].partition("#")[0].partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    pairs += [(name, _parameter(value)) for name, value in (given["params"] or {}).items()]
    headers = {
        name.lower(): _header(name, value)
        for name, value in (given["headers"] or {}).items()
        if name.lower() not in _KEPT_BACK and not name.lower().startswith(_KEPT_BACK_PREFIXES)
    }
    body = given["body"]
    if body is None:
        return Question(given["method"], _api_path(path), urlencode(pairs), headers)
    headers.setdefault("content-type", "text/plain;charset=UTF-8" if isinstance(body, str) else "application/json")
    content = body if isinstance(body, str) else to_json(body)
    return Question(given["method"], _api_path(path), urlencode(pairs), headers, content.encode("utf-8", "replace"))


def _api_path(path: str) -> str:
    """Return the path of an API of Portal. Raises `NotAllowedError` for what is elsewhere, or gives out tokens."""
    plain = unquote(path)
    if "://" in plain or plain.startswith("//") or "\\" in plain or any(ord(sign) < ord(" ") for sign in plain):
        raise NotAllowedError(
            f'"{path}" may not be asked; expected a path of Portal\'s own API, such as catalog/entities'
        )
    within = path.removeprefix("/").removeprefix("api/")
    segments = unquote(within).rstrip("/").split("/")
    if not segments[0] or any(segment in {"", ".", ".."} for segment in segments):
        raise InputError(f'found path "{path}"; expected one below /api, such as catalog/entities')
    if segments[0].lower() == "auth":
        # A template would get a token that goes on being good when its task has ended.
        raise NotAllowedError(f'"{path}" may not be asked: templates get no tokens of those who run them')
    return f"/api/{within}"


def _parameter(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_parameter(item) for item in value)
    return value if isinstance(value, str) else to_json(value)


def _header(name: str, value: Any) -> str:
    text = _parameter(value)
    if not name.isascii() or any(sign in f"{name}{text}" for sign in "\r\n\0") or not text.isascii():
        raise InputError(f'headers: found one that cannot be sent, "{name}"; expected ASCII text in one line')
    return text


def _with_token(question: Question, context: ActionContext) -> Question:
    secret = context.secrets.get("backstageToken")
    headers = dict(question.headers or {})
    if not context.input["use_backstage_token"] or secret is None or "authorization" in headers:
        return question
    headers["authorization"] = f"Bearer {secret.reveal()}"
    return Question(question.method, question.path, question.query, headers, question.body)


def _seconds(milliseconds: float) -> float:
    if not 0 < milliseconds <= _LONGEST_MS:
        raise InputError(f"timeout: found {milliseconds:g}; expected 1 to {_LONGEST_MS} ms")
    return milliseconds / 1000


def _body_of(answer: Answer) -> Any:
    text = answer.body.decode("utf-8", "replace")
    if "json" in answer.headers.get("content-type", "") and text:
        return parse_json(text, name="The answer")
    return {"message": text}


def _reason(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error["message"]) if isinstance(error, dict) and "message" in error else to_json(body)[:500]
