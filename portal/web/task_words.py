"""Names what pages tell of tasks, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.errors import InputError
from portal.model.ref import EntityRef
from portal.web.language import gettext

_SECOND_MS, _MINUTE_MS, _HOUR_MS = 1_000, 60_000, 3_600_000


def status_words() -> Mapping[str, str]:
    """Return what the states of tasks and steps are called."""
    return {
        "open": gettext("waiting"),
        "waiting": gettext("waiting"),
        "processing": gettext("running"),
        "completed": gettext("done"),
        "failed": gettext("failed"),
        "cancelled": gettext("cancelled"),
        "skipped": gettext("skipped"),
    }


def shown_span(milliseconds: int) -> str:
    """Return a length of time in units that everybody writes alike."""
    span = max(0, milliseconds)
    if span < 10 * _SECOND_MS:
        return f"{span / _SECOND_MS:.1f} s"
    if span < _MINUTE_MS:
        return f"{span // _SECOND_MS} s"
    if span < _HOUR_MS:
        return f"{span // _MINUTE_MS} min {span % _MINUTE_MS // _SECOND_MS:02} s"
    return f"{span // _HOUR_MS} h {span % _HOUR_MS // _MINUTE_MS:02} min"


def to_the_minute(text: str) -> str:
    """Return a time in ISO 8601 as people read it."""
    return f"{text[:16].replace('T', ' ')} UTC"


def ref_or_none(text: Any) -> EntityRef | None:
    """Return the reference that a text is, None for anything else: a template's output may hold what it likes."""
    try:
        return EntityRef.parse(text) if isinstance(text, str) else None
    except InputError:
        return None


def title_of(task: Mapping[str, Any]) -> str:
    """Return what the template of a task was called when it was begun."""
    about = task["spec"].get("templateInfo") or {}
    metadata = (about.get("entity") or {}).get("metadata") or {}
    return str(metadata.get("title") or metadata.get("name") or about.get("entityRef") or task["id"])


def template_of(task: Mapping[str, Any]) -> EntityRef | None:
    """Return the template of a task."""
    return ref_or_none((task["spec"].get("templateInfo") or {}).get("entityRef"))
