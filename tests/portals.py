"""A refresh service over real git, and what a user can see of the catalog."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select

from portal.defaults.kinds import all_kinds
from portal.ingest.yaml import YamlLimits
from portal.model.integration import NO_INTEGRATIONS, Integrations
from portal.model.reading import ReadingRules
from portal.model.rules import CatalogRules, Rule
from portal.providers.folder import FolderProvider
from portal.providers.git import GitProvider
from portal.providers.web import WebProvider
from portal.services.beginnings import Beginnings
from portal.services.history import HistoryService
from portal.services.impact import ImpactService
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.refresh import RefreshReport, RefreshService
from portal.services.sources import SourcesService
from portal.services.template_advice import TemplateAdvice
from portal.store.database import Database
from portal.store.tables import entities, postings, relations, versions
from portal.vcs.mirror import Mirrors
from portal.vcs.policy import RemotePolicy


class Catalog:
    """A catalog under test."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        limits: YamlLimits | None = None,
        integrations: Integrations = NO_INTEGRATIONS,
        reading_hosts: Collection[str] = (),
        schemes: Collection[str] = (),
        catalog_rules: Sequence[Rule] = (),
        is_guarded: bool = False,
        keeps_orphans: bool = False,
        advice: TemplateAdvice | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.database = database
        kinds = KindsService(database, all_kinds())
        rules = ReadingRules(reading_hosts)
        policy = RemotePolicy(
            allowed_schemes=frozenset(schemes), file_roots=(folder,), integrations=integrations, addresses=rules
        )
        self.mirrors = Mirrors(folder / "mirrors", policy)
        self.sources = SourcesService(database, integrations=integrations, clock=clock)
        self.service = RefreshService(
            database,
            self.sources,
            providers={
                "git": GitProvider(self.mirrors),
                "folder": FolderProvider(),
                "web": WebProvider(rules, size_limit_bytes=100_000),
            },
            kinds=kinds,
            limits=limits,
            rules=rules,
            catalog_rules=CatalogRules(catalog_rules, is_guarded=is_guarded),
            keeps_orphans=keeps_orphans,
            advice=advice,
            clock=clock,
        )
        self.past = HistoryService(database, kinds, integrations=integrations, clock=clock)

    def ingest(self, *targets: str) -> RefreshReport:
        """Add git targets, refresh everything, and return the report."""
        self.sources.add([("url", target) for target in targets])
        return self.service.refresh()

    def impacts(self) -> ImpactService:
        """Return what tells whom a change of the catalog reaches."""
        kinds = KindsService(self.database, all_kinds())
        return ImpactService(self.database, OwnershipService(self.database, kinds), kinds, Beginnings(self.mirrors))

    def refs(self) -> list[str]:
        """Return the entities of the catalog but for generated Locations, sorted."""
        with self.database.reading() as connection:
            found = connection.execute(select(entities.c.ref).order_by(entities.c.ref)).scalars().all()
        return [ref for ref in found if not ref.startswith("location:default/generated-")]

    def body(self, ref: str) -> Any:
        """Return the finished document of an entity."""
        with self.database.reading() as connection:
            text = connection.execute(select(entities.c.body).where(entities.c.ref == ref)).scalar_one()
        return orjson.loads(text)

    def history(self, ref: str) -> list[Any]:
        """Return the versions of an entity, oldest first."""
        with self.database.reading() as connection:
            rows = connection.execute(select(versions).where(versions.c.ref == ref).order_by(versions.c.id))
            return list(rows)

    def terms_of_entities(self) -> set[tuple[int, int]]:
        """Return the pairs of entity and term that the entities' rows tell of."""
        with self.database.reading() as connection:
            rows = connection.execute(select(entities.c.id, entities.c.term_ids)).all()
        return {(row.id, number) for row in rows for number in orjson.loads(row.term_ids)}

    def terms_of_postings(self) -> set[tuple[int, int]]:
        """Return the pairs of entity and term that the index holds."""
        with self.database.reading() as connection:
            return {tuple(row) for row in connection.execute(select(postings.c.entity_id, postings.c.term_id))}

    def everything(self) -> dict[str, Any]:
        """Return all that readers can see, to compare two states of the catalog."""
        with self.database.reading() as connection:
            bodies = connection.execute(select(entities.c.ref, entities.c.body).order_by(entities.c.ref)).all()
            edges = connection.execute(select(func.count()).select_from(relations)).scalar_one()
        return {"entities": [tuple(row) for row in bodies], "relations": edges}


@pytest.fixture
def catalog(database: Database, tmp_path: Path) -> Catalog:
    """An empty catalog on each database."""
    return Catalog(database, tmp_path)


MakeCatalog = Callable[..., Catalog]
