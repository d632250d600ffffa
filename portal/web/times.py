"""Says in words when something happened to an entity, with what it was."""

from __future__ import annotations

from collections.abc import Mapping

from portal.model.moment import shown_time
from portal.web.language import gettext


def to_the_minute(milliseconds: int) -> str:
    """Return a time in UTC to the minute, as `2026-03-01 12:00 UTC`."""
    return f"{shown_time(milliseconds)[:16].replace('T', ' ')} UTC"


def changes_in_words() -> Mapping[str, str]:
    """Return what each change of an entity is called in the reader's language."""
    return {"added": gettext("added"), "changed": gettext("changed"), "removed": gettext("removed")}
