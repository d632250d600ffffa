"""Figures of what goes on beside requests, as Prometheus scrapes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit, urlunsplit

from prometheus_client.core import GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from portal.services.feed import ChangeFeed
from portal.services.measures import SourceLook, WorkMeasures, WorkService
from portal.store.sources import Source

#: Sources that have series of their own; where there are more, those that lag most. People register sources, and
#: each series is kept by whoever scrapes.
MOST_SOURCES = 200
_RESULTS = ("changed", "unchanged", "failed")


class WorkCollector(Collector):
    """Tells of refreshes, sources, tasks, followers; what is of this process alone says so."""

    def __init__(self, service: WorkService, feed: ChangeFeed, *, clock: Callable[[], float] = time.time) -> None:
        self._service = service
        self._feed = feed
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the database is not asked before the first scrape."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Yield the figures."""
        found = self._service.measures()
        yield from self._of_sources(found)
        refreshes = SummaryMetricFamily(
            "portal_refresh_duration_seconds",
            "Refreshes of this process and the time they took, by whether they changed the catalog or failed.",
            labels=("result",),
        )
        for result in _RESULTS:
            count, seconds = found.refreshes.get(result, (0, 0.0))
            refreshes.add_metric((result,), count, seconds)
        yield refreshes
        tasks = GaugeMetricFamily("portal_tasks", "Tasks of the scaffolder by status.", labels=("status",))
        for status, count in sorted(found.tasks.items()):
            tasks.add_metric((status,), count)
        yield tasks
        yield GaugeMetricFamily(
            "portal_queue_depth", "Tasks that wait until a worker takes them up.", found.tasks.get("open", 0)
        )
        waiting = 0.0 if found.oldest_waiting_ms is None else self._since(found.oldest_waiting_ms / 1000)
        yield GaugeMetricFamily(
            "portal_queue_oldest_seconds", "How long the oldest task waits that no worker has taken up.", waiting
        )
        yield GaugeMetricFamily(
            "portal_followers", "Clients that follow the changes at this process.", self._feed.followers
        )

    def _of_sources(self, found: WorkMeasures) -> Iterable[Metric]:
        yield GaugeMetricFamily("portal_sources", "Sources of the catalog.", len(found.sources))
        yield GaugeMetricFamily(
            "portal_sources_unreachable",
            "Sources of which something could not be read at the last look.",
            len(found.unreachable),
        )
        lag = GaugeMetricFamily(
            "portal_source_lag_seconds",
            "How long ago this process last saw that the catalog has what a source holds.",
            labels=("source",),
        )
        seconds = GaugeMetricFamily(
            "portal_source_refresh_seconds",
            "How long the last refresh of this process took that had to read a source.",
            labels=("source",),
        )
        changed = GaugeMetricFamily(
            "portal_source_changed_timestamp_seconds",
            "When the last refresh ended that found a change in a source.",
            labels=("source",),
        )
        never = SourceLook()
        named = {shown(source): source.id for source in found.sources}
        known = sorted(named, key=lambda name: (found.looks.get(named[name], never).known_at, name))
        for name in sorted(known[:MOST_SOURCES]):
            look = found.looks.get(named[name])
            if look is not None and look.known_at:
                lag.add_metric((name,), self._since(look.known_at))
            if look is not None and look.seconds:
                seconds.add_metric((name,), look.seconds)
            if named[name] in found.changed_at_ms:
                changed.add_metric((name,), found.changed_at_ms[named[name]] / 1000)
        yield from (lag, seconds, changed)

    def _since(self, moment: float) -> float:
        return max(0.0, self._clock() - moment)


def shown(source: Source) -> str:
    """Return the location of a source as everybody may read it: without credentials, without a query."""
    head, hash_mark, fragment = source.target.partition("#")
    try:
        parts = urlsplit(head)
    except ValueError:
        return f"{source.type}:(not understood)"
    if parts.netloc:
        head = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return f"{source.type}:{head}{hash_mark}{fragment}"
