"""Hears from git hosts what was pushed, so that its sources need not be looked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from portal.errors import InputError, NotAllowedError, NotFoundError
from portal.model.integration import NO_INTEGRATIONS, Integrations
from portal.model.location import parse_location, parse_target
from portal.model.webhook import WEBHOOK_TYPES, Delivery, Push, Webhook, is_signed, push_of
from portal.services.fingerprints import commits_of
from portal.services.schedule import Schedule
from portal.store import pushes, sources
from portal.store.database import Connection, Database
from portal.store.sources import Source

_log = logging.getLogger(__name__)
#: Hosts send a delivery again for three days at most (GitHub, by hand).
_REMEMBERED_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a delivery: whether it told of a push, and how many sources that concerns."""

    is_push: bool
    sources: int = 0


class EventsService:
    """Takes deliveries of webhooks from those who have a secret, and wants looks at what they concern.

    A delivery only chooses among the sources that are there, by the urls that these have: Portal speaks to no host that
    a payload names.
    """

    def __init__(
        self,
        database: Database,
        schedule: Schedule,
        *,
        webhooks: Collection[Webhook],
        integrations: Integrations = NO_INTEGRATIONS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._schedule = schedule
        self._webhooks = tuple(webhooks)
        self._integrations = integrations
        self._clock = clock

    def hear(self, host_type: str, *, headers: Mapping[str, str], body: bytes) -> Heard:
        """Have the sources looked at that a delivery concerns; names of `headers` are lower case.

        Raises `NotFoundError` for a type of hosts that no secret is set up for, `NotAllowedError` for a delivery that
        none of its secrets has signed, `ConflictError` for one that was heard before, `InputError` for a payload that
        is none of the host's.
        """
        if host_type not in WEBHOOK_TYPES:
            raise NotFoundError(f"Unknown type of webhooks; expected one of {', '.join(WEBHOOK_TYPES)}")
        known = [hook for hook in self._webhooks if hook.type == host_type]
        if not known:
            raise NotFoundError(f"No webhooks of {host_type} are set up; the setting webhooks has their secrets")
        delivery = Delivery(host_type, headers, body)
        now = self._clock()
        signing = [hook for hook in known if is_signed(delivery, hook.secret, now=now)]
        if not signing:
            raise NotAllowedError("The delivery is not signed with the secret of this webhook")
        push = push_of(delivery)
        if push is None:
            return Heard(is_push=False)
        push = push.told_by(signing)
        if not push.repositories:
            raise NotAllowedError("The secret of this webhook is another host's")
        now_ms = int(now * 1000)
        with self._database.reading() as connection:
            concerned = self._concerned(connection, push)
        with self._database.recording() as connection:
            pushes.remember_deliveries(connection, delivery.keys, now_ms=now_ms, expires_at_ms=now_ms + _REMEMBERED_MS)
            if concerned:
                self._schedule.want_soon(connection, concerned)
        _log.info("a push was heard", extra={"type": host_type, "sources": len(concerned)})
        if concerned:
            self._schedule.wanted.wake()
        return Heard(is_push=True, sources=len(concerned))

    def _concerned(self, connection: Connection, push: Push) -> set[str]:
        """Return the ids of the sources that read, or want to read, what was pushed."""
        found: set[str] = set()
        unsure: list[Source] = []
        for source in sources.list_sources(connection):
            trees = commits_of(source.fingerprint)
            if any(map(push.concerns, trees)) or self._is_of(push, source.type, source.target):
                found.add(source.id)
            elif not trees:
                unsure.append(source)
        # A source that could not be read as a whole does not tell its trees; its files do.
        if unsure:
            for part in sorted({name.partition("/")[2] for name in push.repositories} - {""}):
                for source_id, location in pushes.locations_like(connection, [one.id for one in unsure], part):
                    if source_id not in found and self._is_of(push, *parse_location(location)):
                        found.add(source_id)
        return found

    def _is_of(self, push: Push, location_type: str, target: str) -> bool:
        try:
            return push.concerns(parse_target(location_type, target, integrations=self._integrations).tree)
        except InputError:
            return False
