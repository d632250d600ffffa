"""Finds the revision that a moment of the past means."""

from __future__ import annotations

from collections.abc import Sequence

from portal.errors import InputError
from portal.model.moment import Moment, shown_time
from portal.model.ref import EntityRef
from portal.store import sources
from portal.store.database import Connection
from portal.store.versions import Presence, revision_at

#: So many of an entity's times in the catalog are told to those who ask for another time.
_PRESENCES_TOLD = 5


def revision_of(connection: Connection, moment: Moment, *, now_ms: int) -> int:
    """Return the newest revision as of a moment, 0 before the first. Raises `InputError` for a moment to come."""
    newest = sources.current_revision(connection)
    if moment.time_ms is None:
        if moment.revision is None or moment.revision > newest:
            raise InputError(f"There is no {moment} yet; the newest is {newest}")
        return moment.revision
    if moment.time_ms > now_ms:
        raise InputError(f'The time "{moment.time_ms}" (in milliseconds since 1970) is yet to come')
    return revision_at(connection, moment.time_ms)


def absence(ref: EntityRef, moment: Moment, known: Sequence[Presence]) -> str:
    """Return that an entity was not there at a moment, and when it was."""
    if not known:
        return f"Entity {ref} has never been in the catalog"
    words: list[str] = []
    for found in known[-2 * _PRESENCES_TOLD :]:
        place = f"{shown_time(found.recorded_at_ms)} (revision {found.revision})"
        if found.is_there:
            words.append(f"from {place}")
        elif words:
            words[-1] += f" to {place}"
        else:
            words.append(f"until {place}")
    if known[-1].is_there:
        words[-1] += " on"
    return f"Entity {ref} was not in the catalog at {moment}; it was there {', '.join(words)}"
