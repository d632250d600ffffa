"""Finds the revision that a moment of the past means."""

from __future__ import annotations

from collections.abc import Sequence

from portal.errors import InputError
from portal.model.moment import Moment, shown_time
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
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
            raise InputError(
                Sentence("There is no %(moment)s yet; the newest is %(newest)s", moment=str(moment), newest=newest)
            )
        return moment.revision
    if moment.time_ms > now_ms:
        raise InputError(Sentence("%(time)s is yet to come; it is %(now)s", time=str(moment), now=shown_time(now_ms)))
    return revision_at(connection, moment.time_ms)


def absence(ref: EntityRef, moment: Moment, known: Sequence[Presence]) -> str:
    """Return that an entity was not there at a moment, and when it was."""
    if not known:
        return Sentence("Entity %(ref)s has never been in the catalog", ref=ref)
    words: list[str] = []
    for found in known[-2 * _PRESENCES_TOLD :]:
        place = Sentence(
            "%(time)s (revision %(revision)s)", time=shown_time(found.recorded_at_ms), revision=found.revision
        )
        if found.is_there:
            words.append(Sentence("from %(moment)s", moment=place))
        elif words:
            words[-1] = Sentence("%(since)s to %(moment)s", since=words[-1], moment=place)
        else:
            words.append(Sentence("until %(moment)s", moment=place))
    if known[-1].is_there:
        words[-1] = Sentence("%(since)s on", since=words[-1])
    return Sentence(
        "Entity %(ref)s was not in the catalog at %(moment)s; it was there %(spans)s",
        ref=ref,
        moment=str(moment),
        spans=words,
    )
