"""Puts together what `/metrics` tells of one Portal."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, ProcessCollector

from portal.api.metrics import CatalogCollector
from portal.api.request_collector import RequestCollector
from portal.api.request_measures import RequestMeasures
from portal.api.work_measures import WorkCollector
from portal.app.portal import Portal
from portal.services.measures import WorkService


def metrics_registry(portal: Portal, requests: RequestMeasures) -> CollectorRegistry:
    """Return a registry with the figures of the catalog, of work beside requests, of this process."""
    registry = CollectorRegistry()
    registry.register(RequestCollector(requests))
    registry.register(WorkCollector(WorkService(portal.database, portal.measures), portal.feed))
    registry.register(CatalogCollector(portal.problems))
    ProcessCollector(registry=registry)
    return registry
