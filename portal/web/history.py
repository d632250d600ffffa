"""The history of an entity as people read it: all of it on a page, the newest of it on that of the entity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from flask import Blueprint, abort, render_template, request

from portal.model.difference import MISSING, Difference
from portal.model.location import GENERATED_PREFIX
from portal.model.moment import shown_time
from portal.model.ref import EntityRef
from portal.services.history import HistoryItem, HistoryPage, HistoryService
from portal.services.ownership import OwnershipService

_AT_ONCE = 30
_IN_SHORT = 5
_COMMIT_SHOWN = 10
_VALUE_SHOWN = 300
#: So many fields of a change are shown; the rest is counted.
_FIELDS_SHOWN = 20
_LARGEST_PLACE = 2**53 - 1


@dataclass(frozen=True, slots=True)
class ShownField:
    """A field that changed; None where there was or is no such field."""

    path: str
    before: str | None
    after: str | None


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


def add_history(blueprint: Blueprint, history: HistoryService, ownership: OwnershipService) -> None:
    """Add the page of an entity's history, which those that are gone have too."""

    @blueprint.get("/catalog/<namespace>/<kind>/<name>/history")
    def entity_history(namespace: str, kind: str, name: str) -> str:
        ref = EntityRef.of(kind, namespace, name)
        before = request.args.get("before", type=int)
        if "before" in request.args and (before is None or not 0 <= before <= _LARGEST_PLACE):
            abort(404, "There is no such place in a history.")
        page = history.of_entity(ref, before=before, limit=_AT_ONCE)
        return render_template(
            "history.html", ref=ref, known=ownership.nodes([ref]), is_first=before is None, **_shown(page)
        )


def _shown(page: HistoryPage) -> dict[str, Any]:
    return {"versions": list(map(_version, page.items)), "before": page.before}


def _version(item: HistoryItem) -> ShownVersion:
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
    return ShownField(".".join(found.path), *(_value(side) for side in (found.before, found.after)))


def _value(value: Any) -> str | None:
    """Return a value in words: a text as it is, anything else as JSON."""
    if value is MISSING:
        return None
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _VALUE_SHOWN else f"{text[:_VALUE_SHOWN]}…"
