"""The figures of the catalog, as Prometheus scrapes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import RAISE
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from portal.api.arguments import NoArguments
from portal.services.problems import ProblemsService


class CatalogCollector(Collector):
    """Tells what is counted of the newest revision; each process of a server tells the same."""

    def __init__(self, service: ProblemsService) -> None:
        self._service = service

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the database is not asked before the first scrape."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges."""
        found = self._service.measures()
        yield GaugeMetricFamily("portal_revision", "The newest revision of the catalog.", found.revision)
        yield GaugeMetricFamily(
            "portal_revision_timestamp_seconds",
            "When the newest revision of the catalog was recorded; 0 for none.",
            found.recorded_at_ms / 1000,
        )
        yield _gauge(
            "portal_problems",
            "Problems of documents and findings of rules, by the rule, the layer of the entity, and severity.",
            ("rule", "layer", "severity"),
            found.problems.items(),
        )
        yield _gauge(
            "portal_problems_by_owner",
            "Problems of documents and findings of rules, by the entity's owner, and severity.",
            ("owner", "severity"),
            found.by_owner.items(),
        )
        yield _gauge(
            "portal_entities",
            "Entities of the catalog by kind and layer.",
            ("kind", "layer"),
            found.entities.items(),
        )
        yield _gauge(
            "portal_layer_coverage_ratio",
            "Which part of a layer's assets has an owner that is in the catalog.",
            ("layer",),
            (((layer,), ratio) for layer, ratio in found.coverage.items()),
        )


def metrics_blueprint(registry: CollectorRegistry) -> Blueprint:
    """Return the route /metrics, which tells what a registry holds."""
    blueprint = Blueprint("metrics", __name__, description="The figures of the catalog")

    @blueprint.get("/metrics")
    @blueprint.arguments(NoArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def metrics(_arguments: dict[str, Any]) -> Response:
        """Return the figures of the catalog and of this process, in the format of Prometheus or OpenMetrics."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), content_type=content_type)

    return blueprint


def _gauge(
    name: str, told: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, told, labels=labels)
    for place, value in sorted(values):
        gauge.add_metric(place, value)
    return gauge
