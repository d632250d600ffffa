"""The history of an entity as people read it: all of it on a page, the newest of it on that of the entity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from flask import abort, request

from portal.model.difference import MISSING, Difference
from portal.model.location import GENERATED_PREFIX
from portal.model.moment import shown_time
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.services.history import HistoryItem, HistoryPage, HistoryService
from portal.web.text_changes import Line, changed_lines, is_lines, lines_of

_AT_ONCE = 30
_IN_SHORT = 5
_COMMIT_SHOWN = 10
_VALUE_SHOWN = 300
#: So many fields of a change are shown; the rest is counted.
_FIELDS_SHOWN = 20
_LARGEST_PLACE = 2**53 - 1


@dataclass(frozen=True, slots=True)
class ShownField:
    """A field that changed; None where there was or is no such field.

    `lines` tells it where the value has several, of which `more` that changed are not shown.
    """

    path: str
    before: str | None
    after: str | None
    lines: Sequence[Line] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class ShownVersion:
    """A version in words; `more` fields have changed than are shown."""

    change: str
    revision: int
    commit: str
    author: str
    time: str
    location: str
    moved_from: str
    fields: list[ShownField]
    more: int

    @property
    def short_commit(self) -> str:
        """The beginning of the commit, as people name it."""
        return self.commit[:_COMMIT_SHOWN]

    @property
    def shown_time(self) -> str:
        """The time to the minute."""
        return f"{self.time[:16].replace('T', ' ')} UTC"


def in_short(history: HistoryService, ref: EntityRef) -> dict[str, Any]:
    """Return the newest versions of an entity for its page."""
    return _shown(history.of_entity(ref, limit=_IN_SHORT))


def history_of(history: HistoryService, ref: EntityRef) -> dict[str, Any]:
    """Return the part of an entity's history that the request asks for. Raises `NotFoundError` where it never was."""
    before = request.args.get("before", type=int)
    if "before" in request.args and (before is None or not 0 <= before <= _LARGEST_PLACE):
        abort(404, Sentence("There is no such place in a history."))
    return {"is_first": before is None, **_shown(history.of_entity(ref, before=before, limit=_AT_ONCE))}


def _shown(page: HistoryPage) -> dict[str, Any]:
    return {"versions": list(map(shown_version, page.items)), "before": page.before}


def shown_version(item: HistoryItem) -> ShownVersion:
    """Return a version in words."""
    version = item.version
    return ShownVersion(
        change=version.change,
        revision=version.revision,
        commit=version.commit,
        author=version.author_name,
        time=shown_time(version.when_ms),
        location=version.location.removeprefix(GENERATED_PREFIX),
        moved_from=item.moved_from,
        fields=list(map(_field, item.differences[:_FIELDS_SHOWN])),
        more=max(0, len(item.differences) - _FIELDS_SHOWN),
    )


def _field(found: Difference) -> ShownField:
    path = ".".join(found.path)
    sides = [side for side in (found.before, found.after) if side is not MISSING]
    if any(map(is_lines, sides)):
        before, after = ([] if side is MISSING else lines_of(side) for side in (found.before, found.after))
        return ShownField(path, None, None, *changed_lines(before, after))
    return ShownField(path, _value(found.before), _value(found.after))


def _value(value: Any) -> str | None:
    """Return a value in words: a text as it is, anything else as JSON."""
    if value is MISSING:
        return None
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _VALUE_SHOWN else f"{text[:_VALUE_SHOWN]}…"
