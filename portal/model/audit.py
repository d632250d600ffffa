"""Who did what, on what, with which result: the records of an audit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from portal.errors import InputError
from portal.model.expiry import parse_since
from portal.model.moment import shown_time

Result = Literal["success", "refused", "failed"]
RESULTS: tuple[Result, ...] = ("success", "refused", "failed")
#: Nobody who is known.
NOBODY = "nobody"
_LONGEST = 500
_CURSOR = re.compile(r"([0-9]{1,15})-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One thing that was done, or refused.

    `actor` is the reference of a user, `service:NAME`, `operator:NAME` for who ran a command, `commit:AUTHOR` for what
    came with a commit, or nobody; `token_id` the API token that was used. `target` names what it was done to, `status`
    the HTTP status, where there was one.
    """

    at_ms: int
    actor: str
    action: str
    target: str
    result: str
    request_id: str
    token_id: str = ""
    status: int | None = None
    id: int = 0

    def to_json(self) -> dict[str, object]:
        """Return it as clients read it."""
        return {
            "id": self.id,
            "at": shown_time(self.at_ms),
            "actor": self.actor,
            "tokenId": self.token_id or None,
            "action": self.action,
            "on": self.target,
            "result": self.result,
            "status": self.status,
            "requestId": self.request_id,
        }


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which records are asked for: those that meet all that is given; `target` is any part of what it was done to."""

    since_ms: int | None = None
    until_ms: int | None = None
    actor: str | None = None
    action: str | None = None
    target: str | None = None
    result: str | None = None


def parse_query(arguments: Mapping[str, Any], *, now_ms: int) -> AuditQuery:
    """Return the query that texts mean: `since`, `until`, `actor`, `action`, `on`, `result`, each of which may be None.

    Raises `InputError` for times that are none.
    """
    since, until = (
        None if arguments.get(name) is None else parse_since(arguments[name], now_ms=now_ms)
        for name in ("since", "until")
    )
    return AuditQuery(
        since_ms=since,
        until_ms=until,
        actor=arguments.get("actor"),
        action=arguments.get("action"),
        target=arguments.get("on"),
        result=arguments.get("result"),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of all records: after those of an earlier time, or of the same time with a smaller id."""

    at_ms: int
    id: int

    def __str__(self) -> str:
        return f"{self.at_ms}-{self.id}"


def parse_place(text: str) -> Place:
    """Return the place that a cursor names. Raises `InputError`."""
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise InputError("Malformed cursor; expected the nextCursor of a page")
    return Place(int(found[1]), int(found[2]))


def storable(text: str) -> str:
    """Return a text as records hold it: one line that can be printed, not longer than is good for it.

    What a request names may be anything: line ends that forge a second record in an export to a log, or commands to
    the terminal of whoever reads it.
    """
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in cut)
