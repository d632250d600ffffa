"""Sources: the locations that the catalog is read from."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence

from portal.model.integration import NO_INTEGRATIONS, Integrations
from portal.model.location import Target, parse_target
from portal.store import sources
from portal.store.database import Database
from portal.store.sources import Source


class SourcesService:
    """Lists and adds sources; a `RefreshService` reads them.

    `integrations` are the git hosts by which urls are understood.
    """

    def __init__(
        self,
        database: Database,
        *,
        integrations: Integrations = NO_INTEGRATIONS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.integrations = integrations
        self._database = database
        self._clock = clock

    def list(self) -> Sequence[Source]:
        """Return all sources, oldest first."""
        with self._database.reading() as connection:
            return sources.list_sources(connection)

    def add(self, targets: Sequence[tuple[str, str]], *, registered: bool = False) -> Sequence[Source]:
        """Return the sources of (type, target) pairs, adding those that are not there yet.

        Raises `InputError` for a target that cannot be understood; nothing is added then.
        """
        for location_type, target in targets:
            self.target_of(location_type, target, trusted=not registered)
        with self._database.writing() as connection:
            known = {(source.type, source.target): source for source in sources.list_sources(connection)}
            added = [
                Source(str(uuid.uuid4()), location_type, target, registered)
                for location_type, target in dict.fromkeys(targets)
                if (location_type, target) not in known
            ]
            sources.add_sources(connection, added, now_ms=int(self._clock() * 1000))
        known |= {(source.type, source.target): source for source in added}
        return [known[pair] for pair in targets]

    def target_of(self, location_type: str, target: str, *, trusted: bool = False) -> Target:
        """Return what a location names; only an operator's is `trusted`.

        Raises `InputError` where it cannot be understood.
        """
        return parse_target(location_type, target, trusted=trusted, integrations=self.integrations)
