"""Wires what rehearses the registration of a location."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from portal.app.portal import Portal
from portal.app.reading import wire_reading
from portal.defaults.kinds import all_kinds
from portal.ingest.yaml import YamlLimits
from portal.services.kinds import KindsService
from portal.services.known import CatalogKnowledge
from portal.services.measures import RefreshMeasures
from portal.services.ownership import OwnershipService
from portal.services.rehearsal import Bench, RehearsalService
from portal.services.sources import SourcesService
from portal.services.validation import ValidationService
from portal.store import schema
from portal.store.database import Database


def wire_rehearsal(portal: Portal) -> RehearsalService:
    """Return what rehearses registrations; what it reads of git is kept for the registration that may follow."""
    return RehearsalService(
        CatalogKnowledge(portal.catalog), portal.ownership, portal.locations, bench=lambda: _bench(portal)
    )


@contextmanager
def _bench(portal: Portal) -> Iterator[Bench]:
    settings = portal.settings
    with (
        tempfile.TemporaryDirectory(prefix="portal-") as folder,
        Database(f"sqlite:///{Path(folder) / 'rehearsal.db'}") as opened,
    ):
        schema.upgrade(opened)
        # Whoever asks may read all that is in it: they brought it, or have read it in the catalog.
        database = opened.whole
        kinds = KindsService(database, all_kinds())
        located = SourcesService(database, integrations=portal.integrations)
        reading = wire_reading(
            settings,
            database,
            sources=located,
            kinds=kinds,
            rules=portal.reading_rules,
            mirrors=portal.mirrors,
            measures=RefreshMeasures(),
        )
        ownership = OwnershipService(database, kinds, rules=portal.known_rules.values())
        with closing(reading):
            validation = ValidationService(
                database,
                located,
                reading.refresh,
                ownership,
                kinds,
                folder=Path(folder),
                limits=YamlLimits(size_bytes=settings.file_size_bytes, depth=settings.yaml_depth),
            )
            yield Bench(validation, ownership)
