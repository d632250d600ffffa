"""Tells what is counted of requests as Prometheus scrapes it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from portal.api.request_measures import BUCKETS, RequestMeasures

_BOUNDS = [*map(floatToGoString, BUCKETS), "+Inf"]


class RequestCollector(Collector):
    """A histogram of the durations of requests."""

    def __init__(self, measures: RequestMeasures) -> None:
        self._measures = measures

    def collect(self) -> Iterable[Metric]:
        """Yield the histogram."""
        family = HistogramMetricFamily(
            "portal_http_request_duration_seconds",
            "Time until an answer began, by the route as it is declared, method, status.",
            labels=("route", "method", "status"),
        )
        for (route, method, status), (*counts, seconds) in self._measures.told():
            buckets = list(zip(_BOUNDS, accumulate(counts), strict=True))
            family.add_metric((route, method, str(status)), buckets, seconds)
        yield family
