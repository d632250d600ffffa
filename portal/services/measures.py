"""Counts what goes on beside requests: looks at sources, tasks that wait."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from portal.store import sources, tasks
from portal.store.database import Database
from portal.store.sources import Source


@dataclass(slots=True)
class SourceLook:
    """What this process knows of a source.

    `known_at` is when it last saw that the catalog has what the source holds, in seconds since 1970 (0: never);
    `seconds` how long the last refresh took that had to read it.
    """

    known_at: float = 0.0
    seconds: float = 0.0


@dataclass(slots=True)
class _Durations:
    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkMeasures:
    """What is counted at one moment.

    `looks` has the sources that this process looks at, by id; `refreshes` the number and seconds of refreshes by how
    they ended (changed, unchanged, failed); `tasks` how many there are in each status; `oldest_waiting_ms` when the
    oldest task was handed in that nobody has taken up, None where none waits.
    """

    sources: Collection[Source]
    changed_at_ms: Mapping[str, int]
    unreachable: frozenset[str]
    looks: Mapping[str, SourceLook]
    refreshes: Mapping[str, tuple[int, float]]
    tasks: Mapping[str, int]
    oldest_waiting_ms: int | None


class RefreshMeasures:
    """The refreshes of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: dict[str, SourceLook] = {}
        self._durations: dict[str, _Durations] = {}

    @contextmanager
    def refreshing(self) -> Iterator[RefreshMeasure]:
        """Count the refresh that the block is."""
        measure = RefreshMeasure(time.time(), time.perf_counter())
        result = "failed"
        try:
            yield measure
            result = "changed" if measure.read_seconds else "unchanged"
        finally:
            with self._lock:
                durations = self._durations.setdefault(result, _Durations())
                durations.count += 1
                durations.seconds += time.perf_counter() - measure.begun
                if result != "failed":
                    self._note(measure)

    def _note(self, measure: RefreshMeasure) -> None:
        for source_id in measure.looked_at:
            look = self._looks.setdefault(source_id, SourceLook())
            look.seconds = measure.read_seconds.get(source_id, look.seconds)
            if source_id not in measure.unreachable:
                look.known_at = measure.begun_at

    def looks(self) -> tuple[dict[str, SourceLook], dict[str, tuple[int, float]]]:
        """Return what is known of each source by its id, and the number and seconds of refreshes by their end."""
        with self._lock:
            return (
                {name: SourceLook(look.known_at, look.seconds) for name, look in self._looks.items()},
                {name: (found.count, found.seconds) for name, found in self._durations.items()},
            )

    def forget(self, known: Collection[str]) -> None:
        """Keep only what is known of these sources."""
        with self._lock:
            for source_id in self._looks.keys() - set(known):
                del self._looks[source_id]


@dataclass(slots=True)
class RefreshMeasure:
    """A refresh under way: which sources it looks at, which could not be read, how long each took that was read."""

    begun_at: float
    begun: float
    looked_at: Collection[str] = ()
    unreachable: Collection[str] = ()
    read_seconds: dict[str, float] = field(default_factory=dict)

    def read(self, source_id: str) -> None:
        """Say that a source has been read and written by now."""
        self.read_seconds[source_id] = time.perf_counter() - self.begun


class WorkService:
    """Tells what is counted beside requests, each time from one look at the database."""

    def __init__(self, database: Database, refreshes: RefreshMeasures) -> None:
        self._database = database
        self._refreshes = refreshes

    def measures(self) -> WorkMeasures:
        """Return what is counted now."""
        with self._database.reading() as connection:
            found = sources.list_sources(connection)
            changed_at_ms = sources.times_of_changes(connection)
            unreachable = sources.unreachable_sources(connection)
            counted = Counter(dict.fromkeys(tasks.STATUSES, 0))
            counted.update(tasks.count_by_status(connection))
            oldest = tasks.oldest_waiting_ms(connection)
        self._refreshes.forget([source.id for source in found])
        looks, refreshes = self._refreshes.looks()
        return WorkMeasures(found, changed_at_ms, unreachable, looks, refreshes, counted, oldest)
