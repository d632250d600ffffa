"""What the catalog of a database knows, for checks of files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import orjson

from portal.model.filter import Match
from portal.model.query import EntityQuery
from portal.model.ref import EntityRef
from portal.services.catalog import CatalogService


class CatalogKnowledge:
    """The whole catalog as finished entities."""

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog

    def of_kinds(self, kinds: Collection[str]) -> Iterable[Mapping[str, Any]]:
        """Return all entities of some kinds (lower case)."""
        query = EntityQuery(Match.of("kind", sorted(kinds)))
        return [orjson.loads(body) for bodies in self._catalog.stream(query) for body in bodies]

    def by_refs(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, Mapping[str, Any]]:
        """Return those of the entities that are there."""
        return {ref: orjson.loads(body) for ref, body in self._catalog.by_refs(sorted(refs)).items()}
