"""Tells how work goes on: sources, workers, refreshes, tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from portal.ingest.generated import generated_name
from portal.model.login import without_credentials
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.services.measures import RefreshMeasures, SourceLook
from portal.store import graph, looking, slots, sources, tasks
from portal.store.database import Database
from portal.store.looking import SourceState
from portal.store.sources import Source

#: A source that is looked at by hand only is due in no year that anybody sees.
_NO_TIME_MS = 1 << 52


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source as people watch it; `look` is what this process knows, `fault` why it could not be read at last."""

    source: Source
    state: SourceState
    look: SourceLook
    fault: Problem | None
    is_wanted: bool

    @property
    def location(self) -> str:
        """The root location as it may be shown."""
        return f"{self.source.type}:{without_credentials(self.source.target)}"

    @property
    def entity_ref(self) -> EntityRef:
        """The Location entity that stands for it."""
        return _entity_ref(self.source)

    @property
    def next_ms(self) -> int | None:
        """When it is looked at next, in milliseconds since 1970; None where nobody has planned that."""
        due = self.state.due_at_ms
        return None if due is None or due > _NO_TIME_MS else due

    @property
    def is_read(self) -> bool:
        """Whether it has been read at all."""
        return bool(self.source.fingerprint)


@dataclass(frozen=True, slots=True)
class Status:
    """How it goes at one moment, `now_ms`; sources that cannot be read come first, then by location.

    `refreshes` are this process's, by how they ended; `tasks` counts tasks by status, `oldest_waiting_ms` is when the
    oldest was handed in that nobody has taken up.
    """

    now_ms: int
    revision: sources.Revision
    sources: Sequence[SourceStatus]
    workers: int
    refreshes: Mapping[str, tuple[int, float]]
    tasks: Mapping[str, int]
    oldest_waiting_ms: int | None


class StatusService:
    """Answers from one look at the database; of sources it tells those whose Location whoever asks may read."""

    def __init__(self, database: Database, refreshes: RefreshMeasures) -> None:
        self._database = database
        self._refreshes = refreshes

    def status(self) -> Status:
        """Return how it goes now."""
        with self._database.reading() as connection:
            found = sources.list_sources(connection)
            if not self._database.visibility().is_all:
                readable = graph.refs_there(connection, list(map(_entity_ref, found)))
                found = [source for source in found if _entity_ref(source) in readable]
            states, now_ms = looking.states_of_sources(connection)
            faults = looking.unread_sources(connection)
            revision = sources.newest_revision(connection)
            counted = Counter(dict.fromkeys(tasks.STATUSES, 0))
            counted.update(tasks.count_by_status(connection))
            oldest = tasks.oldest_waiting_ms(connection)
        looks, refreshes = self._refreshes.looks()
        never = SourceLook()
        told = [
            SourceStatus(
                source,
                states[source.id],
                looks.get(source.id, never),
                faults.get(source.id),
                bool(states[source.id].holders) or _is_past(states[source.id].wanted_at_ms, now_ms),
            )
            for source in found
        ]
        told.sort(key=lambda item: (item.fault is None, item.location))
        return Status(now_ms, revision, told, slots.count_working(self._database), refreshes, counted, oldest)


def _entity_ref(source: Source) -> EntityRef:
    return EntityRef.of("location", "default", generated_name(source.location))


def _is_past(moment_ms: int | None, now_ms: int) -> bool:
    return moment_ms is not None and moment_ms <= now_ms
