"""Tells who did what: takes records, answers questions on them, lets go of old ones."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from portal.model.audit import NOBODY, AuditQuery, AuditRecord, Place, Result, storable
from portal.services.audit_writer import AuditWriter
from portal.services.identity import Actor
from portal.store import audit
from portal.store.database import Database

_log = logging.getLogger(__name__)

MOST_AT_ONCE = 1_000
_DAY_MS = 24 * 60 * 60 * 1000
#: Time between two looks for records that are too old.
_PRUNED_EVERY_MS = 60 * 60 * 1000
#: How long an answer waits for its record: a refresh that writes a whole organisation holds the embedded database.
_WAIT_SECONDS = 1.0
#: Their documents say what is allowed, and who is exempt from it.
_RULING_KINDS = ("layer", "policy")
_RULES_CHANGED = "policy.change"


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some records, the newest first; `following` leads to older ones, where there are any."""

    records: Sequence[AuditRecord]
    following: Place | None


class AuditService:
    """The records of one database. `days` is how long they are kept, 0 for ever."""

    def __init__(self, database: Database, *, days: int, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._days = days
        self._clock = clock
        self._pruned_at_ms = 0
        self._writer = AuditWriter(self._write)

    @property
    def now_ms(self) -> int:
        """The time, in milliseconds since 1970."""
        return int(self._clock() * 1000)

    def record(
        self,
        action: str,
        *,
        actor: str,
        target: str,
        result: Result,
        status: int | None = None,
        token_id: str = "",
        request_id: str = "",
    ) -> None:
        """Take a record. What was done is on disk when this returns, unless the database is busy for longer.

        A refusal is written soon after: whoever is refused shall not be able to keep a server waiting.
        """
        number = self._writer.put(
            AuditRecord(
                at_ms=self.now_ms,
                actor=storable(actor) or NOBODY,
                action=action,
                target=storable(target),
                result=result,
                request_id=storable(request_id) or uuid.uuid4().hex,
                token_id=token_id,
                status=status,
            )
        )
        if result != "refused":
            self._writer.wait(number, seconds=_WAIT_SECONDS)

    def find(self, query: AuditQuery, *, before: Place | None = None, limit: int = 100) -> AuditPage:
        """Return a page of the records that a query means, the newest first; there are at most `MOST_AT_ONCE`."""
        self._catch_up()
        limit = min(limit, MOST_AT_ONCE)
        with self._database.reading() as connection:
            found = audit.newest(connection, _storable(query), before=before, limit=limit + 1)
        records = found[:limit]
        return AuditPage(records, Place(records[-1].at_ms, records[-1].id) if len(found) > limit else None)

    def walk(self, query: AuditQuery) -> Iterator[AuditRecord]:
        """Yield the records that a query means, the oldest first, read a portion at a time."""
        self._catch_up()
        asked = _storable(query)
        after: Place | None = None
        while True:
            with self._database.reading() as connection:
                found = audit.oldest(connection, asked, after=after, limit=MOST_AT_ONCE)
            yield from found
            if len(found) < MOST_AT_ONCE:
                return
            after = Place(found[-1].at_ms, found[-1].id)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()

    @property
    def _kept_since_ms(self) -> int:
        return self.now_ms - self._days * _DAY_MS if self._days else 0

    def _catch_up(self) -> None:
        """Bring the records up to date: with what this process has taken, with rules that commits have changed."""
        self._writer.flush()
        with self._database.reading() as connection:
            is_behind = audit.has_unseen_versions(connection, _RULING_KINDS, since_ms=self._kept_since_ms)
        if is_behind:
            # The one writer at a time of the catalog: two that catch up at once would both tell of the same.
            with self._database.writing() as connection:
                audit.add_versions(connection, _RULING_KINDS, action=_RULES_CHANGED, since_ms=self._kept_since_ms)

    def _write(self, records: Sequence[AuditRecord], dropped: int) -> None:
        now_ms = self.now_ms
        told = list(records)
        if dropped:
            told.append(
                AuditRecord(now_ms, NOBODY, "audit.overflow", f"{dropped} records were dropped", "failed", "overflow")
            )
        is_due = self._days and now_ms - self._pruned_at_ms >= _PRUNED_EVERY_MS
        with self._database.recording() as connection:
            audit.add_records(connection, told)
            deleted = audit.delete_before(connection, self._kept_since_ms) if is_due else 0
        if is_due:
            self._pruned_at_ms = now_ms
        if deleted:
            _log.info("audit records that are too old were deleted", extra={"deleted": deleted, "days": self._days})


def actor_name(actor: Actor) -> str:
    """Return an actor as records name them."""
    if actor.type == "user":
        return actor.subject
    return f"service:{actor.subject}" if actor.type == "service" else NOBODY


def _storable(query: AuditQuery) -> AuditQuery:
    def cut(text: str | None) -> str | None:
        return None if text is None else storable(text)

    return AuditQuery(
        query.since_ms, query.until_ms, cut(query.actor), cut(query.action), cut(query.target), cut(query.result)
    )
